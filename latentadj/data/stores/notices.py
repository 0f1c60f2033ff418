"""Warnings about how a matrix is stored."""

from __future__ import annotations

import warnings

from ...exceptions import LatentAdjWarning


class SlowStorageWarning(LatentAdjWarning):
    """The way a matrix is stored makes every pass over its features read the file several times."""


class MissingChunksWarning(LatentAdjWarning):
    """Some chunks of a matrix are not stored and are read as its fill value."""


#: From this many readings of the same bytes in one pass on, a warning is given.
SLOW_READINGS = 4


def warn_if_slow(name: str, layout: str, readings: float, remedy: str = "") -> None:
    """Warn when a pass has to read, or decode, everything several times.

    Parameters
    ----------
    name : str
        What is read, for the message.
    layout : str
        What makes it slow, as a clause.
    readings : float
        How often a pass reads each byte.
    remedy : str, optional
        What else helps, as a clause.

    Examples
    --------
    >>> warn_if_slow("a.parquet", "one row group holds all features", 1.0)
    """
    if readings < SLOW_READINGS:
        return
    warnings.warn(
        f"{name}: {layout}, so that every pass over the features reads it about {readings:.0f} times. Convert it "
        f"once with latentadj.data.stores.copy_to_npy(matrix, 'matrix.npy'), or "
        f"{remedy or 'store it again with the values of a feature close together'}.",
        SlowStorageWarning,
        stacklevel=3,
    )


def warn_if_missing(name: str, n_missing: int, n_chunks: int, fill_value: object) -> None:
    """Warn when chunks are not stored: left out because they hold nothing else, or never written.

    Parameters
    ----------
    name : str
    n_missing, n_chunks : int
    fill_value : object
        What stands in their place.

    Examples
    --------
    >>> warn_if_missing("a.zarr", 0, 10, 0.0)
    """
    if n_missing <= 0:
        return
    warnings.warn(
        f"{name}: {n_missing} of {n_chunks} chunks are not stored and are read as {fill_value}. That is right if "
        f"those features hold nothing else; if the file was copied or written in part, write it again.",
        MissingChunksWarning,
        stacklevel=3,
    )
