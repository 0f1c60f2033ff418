"""Pseudo-samples to look at: which samples are averaged, and what comes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.data.annotations import resolve_annotation
from latentadj.factors.ruv_three import pseudo_sets


@dataclass(frozen=True)
class PseudoReplicates:
    """Pseudo-samples of a study.

    Attributes
    ----------
    values : DataFrame of shape (n_pseudo, n_features)
        Averages, rows named ``pseudo1, pseudo2, ...``.
    sets : Series of int, length n_pseudo
        Pseudo-samples with the same number are replicates of each other.
    table : DataFrame
        A row per pseudo-sample: ``set``, ``source`` (position of the unwanted column), ``size`` and ``samples``.
    """

    values: pd.DataFrame
    sets: pd.Series[int]
    table: pd.DataFrame


def pseudo_replicates(
    X: Any, sample_data: pd.DataFrame | None = None, *, biology: Any, unwanted: Any, min_samples: int = 3
) -> PseudoReplicates:
    """Average samples that share biology and unwanted variation, as `RUV3` does with the same arguments.

    Parameters
    ----------
    X : DataFrame or array-like of shape (n_samples, n_features)
    sample_data : DataFrame, optional
        Sample table, in the order of the rows of X; needed when columns are named.
    biology : str, list of str or array-like
        Columns of the sample table, or values, one per sample.
    unwanted : str, list of str or array-like
        Sources of unwanted variation, each used on its own.
    min_samples : int, default=3
        Samples that a pseudo-sample averages at least.

    Returns
    -------
    PseudoReplicates

    Raises
    ------
    InputError
        No pseudo-replicates, or levels of the unwanted variation that they leave unconnected.

    Notes
    -----
    Molania et al. (2023), Nature Biotechnology 41:82.

    Examples
    --------
    >>> X = np.arange(12.0)[:, None]
    >>> made = pseudo_replicates(X, biology=np.repeat(["a", "b"], 6), unwanted=np.tile([1, 1, 1, 2, 2, 2], 2))
    >>> made.values[0].round(9).tolist(), made.sets.tolist()
    ([1.0, 4.0, 7.0, 10.0], [0, 0, 1, 1])
    """
    frame = X if isinstance(X, pd.DataFrame) else pd.DataFrame(np.asarray(X))
    ids = [str(i) for i in frame.index]
    labels, sources = (
        np.asarray(resolve_annotation(name, value, len(frame), sample_data, ids))
        for name, value in (("biology", biology), ("unwanted", unwanted))
    )
    made = pseudo_sets(labels, sources, min_samples)
    averages = np.vstack([source.averaging for source in made])
    names = [f"pseudo{i + 1}" for i in range(len(averages))]
    first = 0
    sets: list[int] = []
    source_of: list[int] = []
    for position, source in enumerate(made):
        sets.extend(_consecutive(source.biology) + first)
        source_of.extend([position] * len(source.biology))
        first = max(sets) + 1
    table = pd.DataFrame(
        {
            "set": sets,
            "source": source_of,
            "size": np.sum(averages > 0, axis=1),
            "samples": [", ".join(np.asarray(ids)[row > 0]) for row in averages],
        },
        index=names,
    )
    values = pd.DataFrame(averages @ frame.to_numpy(dtype=np.float64), index=names, columns=frame.columns)
    return PseudoReplicates(values, table["set"], table)


def _consecutive(codes: NDArray[np.intp]) -> NDArray[np.intp]:
    return np.asarray(np.unique(codes, return_inverse=True)[1]).ravel()
