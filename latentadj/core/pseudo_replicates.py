"""Pseudo-replicates of pseudo-samples: averages that share their biology and differ in unwanted variation (PRPS)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from latentadj.core.matrix import Array
from latentadj.exceptions import InputError

#: Code of samples that belong to no cell.
LEFT_OUT = -1
IntArray = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class PseudoSamples:
    """Averages of samples that share biology and unwanted variation.

    Attributes
    ----------
    averaging : ndarray of shape (n_pseudo, n_samples)
        Rows sum to one.
    biology, unwanted : ndarray of int, shape (n_pseudo,)
        Codes of each average; averages with the same `biology` are replicates of each other.
    sizes : ndarray of int, shape (n_pseudo,)
        Samples in each average.
    """

    averaging: Array
    biology: IntArray
    unwanted: IntArray
    sizes: IntArray


def pseudo_samples(biology: IntArray, unwanted: IntArray, min_samples: int = 3) -> PseudoSamples:
    """Average the samples of every cell of biology and unwanted variation that can be compared with another.

    Parameters
    ----------
    biology, unwanted : ndarray of int, shape (n_samples,)
        Codes; negative ones leave a sample out.
    min_samples : int, default=3
        Smallest cell that is used.

    Returns
    -------
    PseudoSamples

    Raises
    ------
    InputError
        If no biology has two cells that are large enough, or if some levels of the unwanted variation cannot be
        compared through shared biology, not even in steps.

    Notes
    -----
    Molania et al. (2023), Nature Biotechnology 41:82. Two levels can be compared when some biology has enough samples
    in both. Levels that hang together in no way would keep their difference.

    Examples
    --------
    >>> made = pseudo_samples(np.repeat([0, 1], 6), np.tile([0, 0, 0, 1, 1, 1], 2))
    >>> made.averaging.shape, made.biology
    ((4, 12), array([0, 0, 1, 1]))
    """
    used = (biology >= 0) & (unwanted >= 0)
    cells, inverse, sizes = np.unique(
        np.column_stack([biology[used], unwanted[used]]), axis=0, return_inverse=True, return_counts=True
    )
    large = sizes >= min_samples
    partners = np.bincount(cells[large, 0], minlength=int(biology.max(initial=0)) + 1)
    kept = large & (partners[cells[:, 0]] >= 2)
    if not kept.any():
        raise InputError(
            f"No biology has at least {min_samples} samples in each of two levels of the unwanted variation, so that "
            "there are no pseudo-replicates. Use coarser labels, or fewer samples per average (min_samples)."
        )
    weights = np.zeros((len(cells), len(biology)))
    weights[inverse.ravel(), np.flatnonzero(used)] = 1.0 / sizes[inverse.ravel()]
    found = PseudoSamples(weights[kept], cells[kept, 0], cells[kept, 1], sizes[kept])
    _require_connected(found, np.unique(unwanted[used]))
    return found


def _require_connected(found: PseudoSamples, levels: IntArray) -> None:
    groups = unwanted_components(found, levels)
    if len(groups) == 1:
        return
    words = "; ".join("{" + ", ".join(str(level) for level in group) + "}" for group in groups)
    raise InputError(
        f"The levels of the unwanted variation fall into {len(groups)} parts that share no biology with enough "
        f"samples in both (by position in sorted order): {words}. The difference between the parts cannot be found. "
        "Use coarser labels, fewer samples per average (min_samples), or leave out the samples of the smaller parts."
    )


def unwanted_components(found: PseudoSamples, levels: IntArray) -> list[list[int]]:
    """Levels of unwanted variation that can be compared with each other, largest part first.

    Parameters
    ----------
    found : PseudoSamples
    levels : ndarray of int, shape (n_levels,)
        All levels, sorted.

    Returns
    -------
    list of list of int
    """
    rows, columns = np.searchsorted(levels, found.unwanted), found.biology + len(levels)
    size = len(levels) + int(found.biology.max(initial=0)) + 1
    graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=(size, size))
    labels = connected_components(graph, directed=False)[1][: len(levels)]
    parts = [[int(level) for level in levels[labels == label]] for label in np.unique(labels)]
    return sorted(parts, key=lambda part: (-len(part), part))


def extreme_groups(values: Array, biology: IntArray, size: int = 3) -> IntArray:
    """Turn a continuous source of unwanted variation into its lowest and highest samples within each biology.

    Parameters
    ----------
    values : ndarray of shape (n_samples,)
        Library size or purity, say.
    biology : ndarray of int, shape (n_samples,)
        Codes; negative ones leave a sample out.
    size : int, default=3
        Samples at each end.

    Returns
    -------
    ndarray of int, shape (n_samples,)
        0 for the lowest, 1 for the highest, -1 for the others and for biologies with fewer than ``2 size`` samples.

    Examples
    --------
    >>> extreme_groups(np.array([3.0, 1.0, 2.0, 9.0, 8.0]), np.zeros(5, dtype=int), size=2)
    array([-1,  0,  0,  1,  1])
    """
    codes = np.full(len(values), LEFT_OUT, dtype=np.intp)
    for group in np.unique(biology[biology >= 0]):
        members = np.flatnonzero((biology == group) & np.isfinite(values))
        if len(members) >= 2 * size:
            order = members[np.argsort(values[members], kind="stable")]
            codes[order[:size]], codes[order[-size:]] = 0, 1
    return codes
