"""Hierarchical clustering of the samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from latentadj.core.kernels import GramKernel, ScoreKernel
from latentadj.core.matrix import FeatureMatrix
from latentadj.core.passes import run_pass
from latentadj.core.regression import design_basis
from latentadj.diagnostics.explored import explored_study
from latentadj.exceptions import InputError

Array = NDArray[np.float64]

DISTANCES = ("euclidean", "correlation")
LINKAGES = ("ward", "average", "complete")
MERGE_COLUMNS = ("left", "right", "height", "size")


@dataclass(frozen=True, eq=False)
class SampleTree:
    """A hierarchical clustering of samples.

    Attributes
    ----------
    sample_ids : tuple of str, length n
    merges : ndarray of shape (n - 1, 4)
        As SciPy lays them out: the two clusters, the height at which they meet, and the size of the union. Clusters
        below n are samples, cluster ``n + i`` is the union of row i.
    leaves : ndarray of int, shape (n,)
        Samples from left to right.
    sample_data : pandas.DataFrame or None
    distance, method : str
    when : str
    """

    sample_ids: tuple[str, ...]
    merges: Array
    leaves: NDArray[np.intp]
    sample_data: pd.DataFrame | None
    distance: str
    method: str
    when: str

    def table(self) -> pd.DataFrame:
        """Return ``left, right, height, size``, a row per merge; samples by ID, unions as "#row"."""
        n = len(self.sample_ids)
        names = np.array([*self.sample_ids, *[f"#{i}" for i in range(n - 1)]], dtype=object)
        left, right = (names[self.merges[:, i].astype(np.intp)] for i in range(2))
        columns = (left, right, self.merges[:, 2], self.merges[:, 3].astype(np.int64))
        return pd.DataFrame(dict(zip(MERGE_COLUMNS, columns, strict=True)))


def sample_clustering(
    data: Any,
    sample_data: pd.DataFrame | None = None,
    *,
    when: str = "before",
    distance: str = "euclidean",
    method: str = "ward",
) -> SampleTree:
    """Cluster the samples by all of their features.

    Parameters
    ----------
    data : AdjustmentResult, or matrix of samples x features
    sample_data : pandas.DataFrame, optional
        Sample table; by default the one that came with `data`.
    when : {"before", "after"}, default="before"
        Before or after the factors' part is subtracted.
    distance : {"euclidean", "correlation"}, default="euclidean"
        Root mean square difference over features, or one minus the correlation of samples; of features about their
        means either way.
    method : {"ward", "average", "complete"}, default="ward"
        How the distance of clusters follows from that of samples.

    Returns
    -------
    SampleTree
        ``.table()`` lists the merges.

    Raises
    ------
    InputError
        For a result read from disk, an unknown option, or fewer than two samples.

    Notes
    -----
    Ward (1963), Journal of the American Statistical Association 58:236. Distances come from one Gram matrix of the
    samples. Features with missing values are left out.

    Examples
    --------
    >>> X = np.array([[0.0, 0.0], [9.0, 9.0], [0.0, 1.0], [9.0, 8.0]])
    >>> tree = sample_clustering(X)
    >>> sorted(tree.leaves[:2].tolist()), tree.merges[-1, 3]
    ([0, 2], np.float64(4.0))
    """
    for name, value, allowed in (("distance", distance, DISTANCES), ("method", method, LINKAGES)):
        if value not in allowed:
            raise InputError(f"{name}={value!r} is unknown; choose one of {', '.join(allowed)}.")
    study = explored_study(data, sample_data, what="Clustering of samples")
    if when not in study.panels:
        raise InputError(f"when={when!r}: there is {' and '.join(map(repr, study.panels))} to choose from.")
    if study.n_samples < 2:
        raise InputError("Clustering needs at least two samples.")
    distances = sample_distances(study.complete_panels()[when], distance)
    merges = linkage(squareform(distances, checks=False), cast(Literal["ward", "average", "complete"], method))
    leaves = leaves_list(merges).astype(np.intp)
    return SampleTree(study.sample_ids, merges, leaves, study.sample_data, distance, method, when)


def sample_distances(matrix: FeatureMatrix, distance: str = "euclidean") -> Array:
    """Distances of all samples from each other.

    Parameters
    ----------
    matrix : FeatureMatrix of shape (n_samples, n_features)
    distance : {"euclidean", "correlation"}, default="euclidean"

    Returns
    -------
    ndarray of shape (n_samples, n_samples)

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> sample_distances(ArrayMatrix(np.array([[0.0, 0.0], [3.0, 4.0]])))[0, 1].round(3)
    np.float64(3.536)
    """
    n_samples, n_features = matrix.shape
    ones = design_basis(np.ones((n_samples, 1)))
    (gram,) = run_pass(matrix, GramKernel(n_samples, basis=ones.q))
    if distance == "correlation":
        (level,) = run_pass(matrix, ScoreKernel(n_samples, np.ones((n_features, 1))))
        level = level - level.mean()
        gram = gram - level @ level.T / n_features
    size = np.diag(gram).copy()
    if distance == "correlation":
        scale = np.sqrt(np.where(size > 0, size, np.inf))
        out = 1.0 - np.clip(gram / np.outer(scale, scale), -1.0, 1.0)
    else:
        out = np.sqrt(np.maximum(size[:, None] + size - 2.0 * gram, 0.0) / n_features)
    np.fill_diagonal(out, 0.0)
    return np.asarray(out)


def leaf_positions(tree: SampleTree) -> Array:
    """Horizontal positions of all clusters, samples at 0, 1, 2 ... from left to right, unions above their middle.

    Parameters
    ----------
    tree : SampleTree

    Returns
    -------
    ndarray of shape (2 n - 1,)

    Examples
    --------
    >>> sorted(leaf_positions(sample_clustering(np.array([[0.0], [5.0]]))).tolist())
    [0.0, 0.5, 1.0]
    """
    n = len(tree.leaves)
    positions = np.empty(2 * n - 1)
    positions[tree.leaves] = np.arange(n)
    for i, (left, right) in enumerate(tree.merges[:, :2].astype(np.intp)):
        positions[n + i] = 0.5 * (positions[left] + positions[right])
    return positions
