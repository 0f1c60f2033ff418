"""Which features go to which task: runs of blocks that begin and end where chunks do, if there are enough of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentadj.core.matrix import FeatureMatrix, FeatureSubset, FeatureWindow
from latentadj.data.stores.dask_array import DaskMatrix

Edges = NDArray[np.int64]


def task_runs(Y: FeatureMatrix, blocks: Sequence[slice], n_tasks: int) -> list[list[slice]]:
    """Group blocks into runs of about equal numbers of features, at most one per task.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
    blocks : sequence of slice
        Cover all features in order. One that a run's end falls into is cut.
    n_tasks : int

    Returns
    -------
    list of lists of slice

    Notes
    -----
    Slabs of files are cut where there are fewer than tasks; reading a chunk twice costs little. Chunks of dask arrays
    are not.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> task_runs(ArrayMatrix(np.ones((2, 5))), [slice(0, 2), slice(2, 4), slice(4, 5)], 2)
    [[slice(0, 2, None)], [slice(2, 4, None), slice(4, 5, None)]]
    """
    n_features = Y.shape[1]
    edges = chunk_edges(Y)
    if edges is None or (len(edges) <= n_tasks and not _is_costly(Y)):
        edges = np.array([block.start for block in blocks] + [n_features], dtype=np.int64)
    wanted = np.linspace(0, n_features, n_tasks + 1)
    nearest = np.abs(edges[:, None] - wanted).argmin(axis=0)
    cuts = np.unique(edges[nearest])
    cuts[0], cuts[-1] = 0, n_features
    runs: list[list[slice]] = [[] for _ in cuts[1:]]
    for piece in _cut(blocks, cuts.tolist()):
        runs[int(np.searchsorted(cuts, piece.start, side="right")) - 1].append(piece)
    return runs


def chunk_edges(Y: Any) -> Edges | None:
    """Where runs of features that are read together begin, and the number of features; None where it does not matter.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
        A stored matrix, or a view of one.

    Returns
    -------
    ndarray of int64, shape (n_edges,), or None
        Increasing.
    """
    if isinstance(Y, FeatureSubset):
        base = chunk_edges(Y.base)
        return None if base is None else np.unique(np.searchsorted(Y.index, base)).astype(np.int64)
    if isinstance(Y, FeatureWindow):
        base = chunk_edges(Y.base)
        return None if base is None else np.unique(np.clip(base, Y.start, Y.stop) - Y.start)
    own = getattr(Y, "slab_edges", None)
    if own is not None:
        return np.asarray(own, dtype=np.int64)
    base = getattr(Y, "base", None)
    return None if base is None else chunk_edges(base)


def _is_costly(Y: Any) -> bool:
    """Whether a chunk that two tasks share is computed, not only read, twice."""
    return isinstance(Y, DaskMatrix) or (getattr(Y, "base", None) is not None and _is_costly(Y.base))


def _cut(blocks: Sequence[slice], cuts: list[int]) -> Iterator[slice]:
    """Cut blocks at positions that fall inside of them."""
    for block in blocks:
        inside = [cut for cut in cuts if block.start < cut < block.stop]
        for start, stop in zip([block.start, *inside], [*inside, block.stop], strict=True):
            yield slice(start, stop)
