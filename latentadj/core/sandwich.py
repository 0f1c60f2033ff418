"""Sandwich covariances of least-squares coefficients, for all features at once, and their degrees of freedom.

With residuals e, design basis q and a matrix A of one block per cluster (per sample where there are no clusters), the
covariance of the coordinates ``q'y`` is estimated by the sum over clusters of ``s_g s_g'`` with ``s_g = q_g' A_g e_g``.
Nothing but the residuals differs between features.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from latentadj.core.matrix import Array, FeatureMatrix
from latentadj.core.pass_kernel import PassKernel
from latentadj.core.passes import run_pass
from latentadj.core.regression import DesignBasis

__all__ = ["SandwichKernel", "SandwichScores", "cluster_sums", "sandwich_covariance", "sandwich_scores"]

#: Directions of which the design leaves less than this share of the variance to the residuals carry no information.
BLIND = 1e-8
#: Share of a contrast's weight on such directions above which its error is unknown.
UNSEEN = 1e-6


@dataclass(frozen=True, slots=True)
class SandwichScores:
    """What a sandwich covariance needs of the design, and the degrees of freedom that follow from it.

    Attributes
    ----------
    basis : ndarray of shape (n_samples, rank)
        Orthonormal basis q of the design.
    rows : ndarray of shape (n_samples, rank)
        The basis with each cluster's adjustment: ``A_g q_g``.
    clusters : ndarray of int, shape (n_samples,)
        Cluster of each sample, 0 to G - 1.
    coordinates : ndarray of shape (d, rank)
        Coefficients are these times ``q'y``; 0 for columns that were set aside.
    blind : ndarray of shape (b, rank)
        Noise that enters the coordinates and leaves no trace in the residuals.
    held_df : float or None
        Degrees of freedom to use in place of those of the quadratic form.

    Notes
    -----
    A contrast's variance is a quadratic form in the noise. With normal noise that is independent and of equal variance
    it has the mean and the variance of a scaled chi-square with ``(sum G_gg)^2 / sum G_gh^2`` degrees of freedom, G
    being the covariance of the clusters' scores (Bell and McCaffrey 2002, Survey Methodology 28:169, section 4).
    """

    basis: Array
    rows: Array
    clusters: NDArray[np.intp]
    coordinates: Array
    blind: Array
    held_df: float | None = None

    def is_seen(self, contrasts: Array) -> NDArray[np.bool_]:
        """Tell of contrasts ``(d, c)`` whether all noise that enters them leaves a trace in the residuals, ``(c,)``."""
        weights = self.coordinates.T @ contrasts
        unseen = np.linalg.norm(self.blind @ weights, axis=0)
        return np.asarray(unseen <= UNSEEN * np.linalg.norm(weights, axis=0))

    def contrast_df(self, contrasts: Array) -> Array:
        """Satterthwaite degrees of freedom ``(c,)`` of the variances of contrasts ``(d, c)``.

        NaN where `is_seen` is False: one sample or cluster alone decides the contrast, and its error is unknown.
        """
        out = np.full(contrasts.shape[1], np.nan)
        if self.held_df is not None:
            return np.where(self.is_seen(contrasts), self.held_df, np.nan)
        for i in np.flatnonzero(self.is_seen(contrasts)):
            moments = _ScoreMoments.of(self, contrasts[:, [i]])
            out[i] = 2.0 * moments.mean[0, 0] ** 2 / moments.variance[0, 0]
        return out

    def joint_df(self, contrasts: Array) -> float:
        """Degrees of freedom of the covariance matrix of contrasts ``(d, c)``, as those of a Wishart matrix.

        Notes
        -----
        The sum of the variances of all entries, after scaling to a mean of I, is set equal to that of a Wishart
        matrix (Pustejovsky and Tipton 2018, JBES 36:672, section 3.2; Zhang 2012). For one contrast it is
        `contrast_df`. NaN with no more clusters than contrasts, whose covariance cannot be inverted.
        """
        c = contrasts.shape[1]
        too_few = int(self.clusters.max(initial=-1)) < c
        if c == 0 or too_few or not self.is_seen(contrasts).all():
            return float("nan")
        if self.held_df is not None:
            return self.held_df
        moments = _ScoreMoments.of(self, contrasts)
        scaling = np.linalg.inv(np.linalg.cholesky(moments.mean)).T
        scaled = _ScoreMoments.of(self, contrasts @ scaling)
        return float(c * (c + 1) / scaled.variance.sum())

    def flipped(self, flips: Array) -> Self:
        """Return the same for design columns multiplied by ``flips`` (d,), each 1 or -1."""
        return replace(self, coordinates=self.coordinates * flips[:, None])


@dataclass(frozen=True, slots=True)
class _ScoreMoments:
    """Mean and variance of the covariance estimate of contrasts, entry by entry, under independent unit noise.

    Attributes
    ----------
    mean, variance : ndarray of shape (c, c)
    """

    mean: Array
    variance: Array

    @classmethod
    def of(cls, scores: SandwichScores, contrasts: Array) -> Self:
        """Moments for contrasts ``(d, c)``.

        The score of cluster g for contrast s is ``a_gs' (e_g)`` with ``a = rows c``, and residuals have covariance
        ``I - q q'``: ``cov(g s, h t) = [g = h] D_g^st - U_gs . U_ht``. Sums over pairs of clusters then are those of
        products of D and U, and no matrix of the size of the samples squared is formed.
        """
        weights = scores.rows @ (scores.coordinates.T @ contrasts)
        c = weights.shape[1]
        products = cluster_sums(weights[:, :, None] * weights[:, None, :], scores.clusters)
        fitted = cluster_sums(weights[:, :, None] * scores.basis[:, None, :], scores.clusters)
        crossed = np.einsum("gsk,gtl->stkl", fitted, fitted, optimize=True)
        overlap = np.einsum("gsk,gtk->gst", fitted, fitted)
        own, other = np.einsum("gss->gs", products), np.einsum("gss->gs", overlap)
        variance = own.T @ own - own.T @ other - other.T @ own + np.einsum("stkl,stkl->st", crossed, crossed)
        variance += np.einsum("gst,gst->st", products, products - 2.0 * overlap)
        variance += np.einsum("stkl,stlk->st", crossed, crossed)
        mean = (products - overlap).sum(axis=0)
        return cls(mean.reshape(c, c), variance)


def cluster_sums(values: Array, clusters: NDArray[np.intp]) -> Array:
    """Sums of rows ``(n_samples, ...)`` within clusters, ``(n_clusters, ...)``."""
    out = np.zeros((int(clusters.max(initial=-1)) + 1, *values.shape[1:]))
    np.add.at(out, clusters, values)
    return out


def sandwich_scores(basis: DesignBasis, kind: str, clusters: NDArray[np.intp] | None = None) -> SandwichScores:
    """Prepare a sandwich covariance for a design.

    Parameters
    ----------
    basis : DesignBasis
    kind : {"hc0", "hc1", "hc2", "hc3", "cr0", "cr1", "cr2", "cr3"}
        How residuals are made up for having been fitted: not; by one factor for all; by the root of their share
        of the noise ``(I - H_gg)^(-1/2)``, which makes the estimate unbiased when the noise is independent and of equal
        variance; by the whole of it ``(I - H_gg)^-1``, nearly the jackknife.
    clusters : ndarray of int, shape (n_samples,), optional
        Cluster of each sample, 0 to G - 1; every sample on its own by default.

    Returns
    -------
    SandwichScores

    Notes
    -----
    HC0 White (1980); HC1 to HC3 MacKinnon and White (1985), J Econometrics 29:305; CR1 with the factor
    ``G / (G - 1) (n - 1) / (n - d)``; CR2 and CR3 Bell and McCaffrey (2002). Where a cluster's ``I - H_gg`` is
    singular, its generalised inverse is used (Pustejovsky and Tipton 2018, theorem 1), and the directions it leaves
    out are kept, to refuse contrasts that depend on them.

    Examples
    --------
    >>> from latentadj.core.regression import design_basis
    >>> X = np.column_stack([np.ones(6), [0.0, 0, 0, 0, 1, 1]])
    >>> sandwich_scores(design_basis(X), "hc2").contrast_df(np.eye(2)).round(3)
    array([3.   , 2.077])
    """
    q, n = basis.q, basis.n_samples
    labels = np.arange(n) if clusters is None else clusters
    coordinates = np.zeros((basis.n_columns, basis.rank))
    coordinates[list(basis.kept)] = basis.r_inverse
    rows, blind = _adjusted_rows(q, labels, {"0": 0.0, "1": 0.0, "2": -0.5, "3": -1.0}[kind[-1]])
    if kind[-1] == "1":
        rows = rows * np.sqrt(_small_sample_factor(n, basis.rank, None if clusters is None else int(labels.max()) + 1))
    return SandwichScores(q, rows, labels, coordinates, blind)


def _small_sample_factor(n: int, rank: int, n_clusters: int | None) -> float:
    left = max(n - rank, 1)
    return n / left if n_clusters is None else n_clusters / max(n_clusters - 1, 1) * (n - 1) / left


def _adjusted_rows(q: Array, clusters: NDArray[np.intp], power: float) -> tuple[Array, Array]:
    """Rows ``(I - q_g q_g')^power q_g`` of all clusters, and the directions without inverse in terms of q."""
    if len(np.unique(clusters)) == len(q):
        left = 1.0 - np.einsum("ir,ir->i", q, q)
        seen = left > BLIND
        factor = np.where(seen, np.where(seen, left, 1.0) ** power, 0.0 if power else 1.0)
        return q * factor[:, None], q[~seen]
    rows, blind = np.empty_like(q), [np.empty((0, q.shape[1]))]
    for g in range(int(clusters.max()) + 1):
        members = np.flatnonzero(clusters == g)
        # left singular vectors of q_g are the eigenvectors of I - q_g q_g' with eigenvalues 1 - s^2, others have 1
        u, s, vt = np.linalg.svd(q[members], full_matrices=False)
        left = 1.0 - s**2
        seen = left > BLIND
        factor = np.where(seen, np.where(seen, left, 1.0) ** power, 0.0 if power else 1.0)
        rows[members] = (u * (factor * s)) @ vt
        blind.append(s[~seen, None] * vt[~seen])
    return rows, np.concatenate(blind)


class SandwichKernel(PassKernel):
    """Sandwich covariances of every feature's coefficients, for `run_pass`.

    Parameters
    ----------
    scores : SandwichScores
    n_features : int

    Notes
    -----
    Residuals are formed explicitly. Without clusters the work is one product of squared residuals with the products of
    pairs of columns, ``m n d^2``; with them, the scores of each cluster and their outer products.
    """

    rows = {"covariance": 0}

    def __init__(self, scores: SandwichScores, n_features: int) -> None:
        d = len(scores.coordinates)
        self.basis = scores.basis
        self.influence = scores.rows @ scores.coordinates.T
        self.members = _members(scores.clusters)
        upper = np.triu_indices(d)
        self.upper = upper
        self.pairs = np.ascontiguousarray((self.influence[:, upper[0]] * self.influence[:, upper[1]]).T)
        self.covariance = np.empty((n_features, d, d))

    def update(self, block: Array, columns: slice) -> None:
        """Write the covariances of one block's features."""
        residual = block - self.basis @ (self.basis.T @ block)
        if self.members is None:
            entries = (self.pairs @ np.square(residual)).T
            self.covariance[columns, self.upper[0], self.upper[1]] = entries
            self.covariance[columns, self.upper[1], self.upper[0]] = entries
            return
        scores = np.empty((block.shape[1], self.influence.shape[1], len(self.members)))
        for g, rows in enumerate(self.members):
            scores[:, :, g] = residual[rows].T @ self.influence[rows]
        self.covariance[columns] = scores @ scores.transpose(0, 2, 1)

    def result(self) -> Array:
        """Return the covariances ``(n_features, d, d)``."""
        return self.covariance


def _members(clusters: NDArray[np.intp]) -> list[NDArray[np.intp]] | None:
    """Samples of each cluster; None where every sample is one."""
    n_clusters = int(clusters.max(initial=-1)) + 1
    if n_clusters == len(clusters):
        return None
    return np.split(np.argsort(clusters, kind="stable"), np.cumsum(np.bincount(clusters))[:-1])


def sandwich_covariance(Y: FeatureMatrix, scores: SandwichScores) -> Array:
    """Covariance matrices of all features' coefficients, in one pass.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
    scores : SandwichScores

    Returns
    -------
    ndarray of shape (n_features, d, d)
        0 for columns of the design that were set aside.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> from latentadj.core.regression import design_basis
    >>> Y = ArrayMatrix(np.array([[1.0], [3.0], [4.0], [8.0]]))
    >>> X = design_basis(np.column_stack([np.ones(4), [0.0, 0.0, 1.0, 1.0]]))
    >>> sandwich_covariance(Y, sandwich_scores(X, "hc2"))[0]
    array([[ 1., -1.],
           [-1.,  5.]])
    """
    covariance: Array = run_pass(Y, SandwichKernel(scores, Y.shape[1]))[0]
    return covariance
