"""Text files beside a matrix that hold its sample and feature IDs, one on each line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..identifiers import id_array
from ..text_files import open_text


def read_sidecar(path: Path, kind: str) -> NDArray[np.object_] | None:
    """Read the IDs that stand beside a matrix file, if there are any.

    Parameters
    ----------
    path : Path
        The matrix, ``name.npy``; IDs stand in ``name.npy.samples.txt`` or ``name.samples.txt``.
    kind : {"samples", "features"}

    Returns
    -------
    (n_ids,) object array of str, or None

    Raises
    ------
    FileFormatError
        The file with IDs is empty or not text.

    Examples
    --------
    >>> read_sidecar(Path("no_such_file.npy"), "samples") is None
    True
    """
    for name in (f"{path.name}.{kind}.txt", f"{path.stem}.{kind}.txt"):
        place = path.with_name(name)
        if place.exists():
            with open_text(place) as handle:
                return id_array(handle.read().splitlines())
    return None
