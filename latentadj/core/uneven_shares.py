"""What features with weights of their own, or with missing values, say of the samples' variances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latentadj.core.matrix import Array, FeatureMatrix
from latentadj.core.pass_kernel import PassKernel
from latentadj.core.weighted_regression import stacked_bases

__all__ = ["NO_RESIDUAL", "UnevenShareKernel", "UnevenShares"]

#: A feature whose residual sum of squares is below this share of its sum of squares says nothing about samples.
NO_RESIDUAL = 1e-24
#: Bytes of the largest temporary.
_CHUNK_BYTES = 1 << 23


@dataclass(frozen=True, slots=True)
class UnevenShares:
    """Sums over features.

    Attributes
    ----------
    excess : ndarray of shape (n_samples,)
        Squared residual of each sample over the feature's residual variance, minus its expectation.
    information : ndarray of shape (n_samples, n_samples)
        Expected information about the samples' log variances, the features' own variances eliminated.
    n_features : int
        Features that went in.
    """

    excess: Array
    information: Array
    n_features: int


class UnevenShareKernel(PassKernel):
    r"""Score and information of the samples' log variances, for `run_pass`.

    Parameters
    ----------
    design : ndarray of shape (n_samples, d)
        Of full column rank.
    roots : ndarray of shape (n_samples,)
        Root weights of the samples.
    weights : FeatureMatrix of shape (n_samples, n_features) or None
        Weights of the observations, 0 for missing; without them complete features are passed over.

    Notes
    -----
    With :math:`P_j` the projection on what the weighted design leaves of a feature's own observations, the information
    is :math:`\sum_j P_j \circ P_j - p_j p_j' / \mathrm{tr} P_j`, :math:`p_j` the diagonal. Outside of the diagonal
    :math:`P_j \circ P_j` is the square of a Khatri-Rao product of :math:`Q_j` with itself, so that a block of features
    takes one matrix product.
    """

    reads = {"weights": 1}
    sums = ("excess", "information", "n_features")

    def __init__(self, design: Array, roots: Array, weights: FeatureMatrix | None) -> None:
        self.design = design
        self.roots = roots
        self.weights = weights
        n = len(roots)
        self.excess, self.information = np.zeros(n), np.zeros((n, n))
        self.n_features = np.zeros(1, dtype=np.intp)

    def update(self, block: Array, columns: slice) -> None:
        """Take in the features of one block that have weights or missing values."""
        seen = ~np.isnan(block)
        if self.weights is None:
            chosen = np.flatnonzero(~seen.all(axis=0) & ~np.isinf(block).any(axis=0))
            own = np.asarray(seen[:, chosen], dtype=np.float64)
        else:
            chosen = np.arange(block.shape[1])
            own = np.where(seen, self.weights.read(columns), 0.0)
        roots = self.roots * np.sqrt(own.T)
        values = np.where(roots > 0, block[:, chosen].T, 0.0) * roots
        d = self.design.shape[1]
        width = max(_CHUNK_BYTES // (8 * len(self.roots) * (d * (d + 1) // 2 + 1)), 1)
        for start in range(0, len(chosen), width):
            self._take(values[start : start + width], roots[start : start + width])

    def _take(self, values: Array, roots: Array) -> None:
        for bases in stacked_bases(self.design, roots, tuple(range(self.design.shape[1]))):
            self._add(bases.q, values[bases.rows], roots[bases.rows] > 0)

    def _add(self, q: Array, y: Array, seen: np.ndarray) -> None:
        """Add features ``(b, n_samples)`` with bases ``(b, n_samples, r)``."""
        df = seen.sum(axis=1) - float(q.shape[2])
        residual = y - (q @ (q.transpose(0, 2, 1) @ y[:, :, None]))[:, :, 0]
        rss = np.square(residual).sum(axis=1)
        usable = (df >= 2) & (rss > NO_RESIDUAL * np.square(y).sum(axis=1))
        q, residual, seen, df, rss = q[usable], residual[usable], seen[usable], df[usable], rss[usable]
        free = seen - np.square(q).sum(axis=2)
        self.excess += (np.square(residual) * (df / rss)[:, None] - free).sum(axis=0)
        self.information += _squared_projections(q, free) - free.T @ (free / df[:, None])
        self.n_features += len(df)

    def result(self) -> UnevenShares:
        """Return the sums."""
        return UnevenShares(self.excess, self.information, int(self.n_features[0]))


def _squared_projections(q: Array, free: Array) -> Array:
    """Sum of ``P o P`` over features, from their bases ``(b, n_samples, r)`` and the diagonals of P."""
    first, second = np.triu_indices(q.shape[2])
    scale = np.where(first == second, 1.0, np.sqrt(2.0))
    products = (q[:, :, first] * q[:, :, second] * scale).transpose(1, 0, 2).reshape(q.shape[1], -1)
    out: Array = products @ products.T
    np.fill_diagonal(out, np.square(free).sum(axis=0))
    return out
