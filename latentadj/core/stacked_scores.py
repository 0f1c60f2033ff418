"""Sandwich scores of many designs at once: adjusted rows, covariances, and moments of the covariances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latentadj.core.matrix import Array
from latentadj.core.sandwich import BLIND
from latentadj.core.stacked_bases import Rows, StackedBases, stacked_bases

__all__ = ["StackedMoments", "StackedScores", "stacked_scores"]


@dataclass(frozen=True, slots=True)
class StackedMoments:
    """Mean and variance of estimated covariances of contrasts, entry by entry, under independent unit noise.

    Attributes
    ----------
    mean, variance : ndarray of shape (b, c, c)
    """

    mean: Array
    variance: Array


@dataclass(frozen=True, slots=True)
class StackedScores:
    """What sandwich covariances need of the designs of a stack.

    Attributes
    ----------
    bases : StackedBases
    rows : ndarray of shape (b, n_samples, rank)
        The bases with each cluster's adjustment.
    indicator : ndarray of shape (n_clusters, n_samples) or None
        Membership in clusters; None where every sample is one.
    blind : ndarray of shape (b, rank, rank)
        Sums of products of the directions in which noise leaves no trace in the residuals.
    n_clusters : ndarray of int, shape (b,)
        Clusters with an observation.
    """

    bases: StackedBases
    rows: Array
    indicator: Array | None
    blind: Array
    n_clusters: Rows

    def share_unseen(self, contrasts: Array) -> Array:
        """Largest share of contrasts ``(d, c)`` that is on blind directions, ``(b,)``; infinite if not estimable."""
        weights = self._weights(contrasts)
        unseen = np.einsum("brc,brs,bsc->bc", weights, self.blind, weights, optimize=True)
        lengths = np.einsum("brc,brc->bc", weights, weights)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.where(lengths > 0, np.sqrt(np.maximum(unseen, 0.0) / lengths), 0.0).max(axis=1)
        lost = np.ones(len(contrasts), dtype=bool)
        lost[list(self.bases.kept)] = False
        return np.full_like(share, np.inf) if np.any(contrasts[lost] != 0) else share

    def covariances(self, values: Array, use: Rows) -> Array:
        """Sandwich covariances of features, each under one of the designs.

        Parameters
        ----------
        values : ndarray of shape (k, n_samples)
            Scaled as the rows of the designs were.
        use : ndarray of int, shape (k,)
            Place of each feature's design in the stack.

        Returns
        -------
        ndarray of shape (k, rank, rank)
        """
        q, rows, r_inverse = self.bases.q[use], self.rows[use], self.bases.r_inverse[use]
        effects = np.matmul(values[:, None, :], q)
        residual = values - np.matmul(q, effects.transpose(0, 2, 1))[:, :, 0]
        scores = self._sums(rows * residual[:, :, None])
        out: Array = r_inverse @ (scores.transpose(0, 2, 1) @ scores) @ r_inverse.transpose(0, 2, 1)
        return out

    def moments(self, contrasts: Array, scaling: Array | None = None) -> StackedMoments:
        """Moments for contrasts ``(d, c)``, multiplied by ``scaling (b, c, c)`` where that is given.

        As for one design: the covariance of the scores of clusters g and h is ``[g = h] D_g - U_g U_h'``.
        """
        weights = self.rows @ self._weights(contrasts)
        weights = weights if scaling is None else weights @ scaling
        products = self._sums(weights[:, :, :, None] * weights[:, :, None, :])
        fitted = self._sums(weights[:, :, :, None] * self.bases.q[:, :, None, :])
        overlap = fitted @ fitted.transpose(0, 1, 3, 2)
        crossed = np.einsum("bgsk,bgtl->bstkl", fitted, fitted, optimize=True)
        own, other = np.einsum("bgss->bgs", products), np.einsum("bgss->bgs", overlap)
        shared = np.einsum("bgs,bgt->bst", own, other)
        variance = np.einsum("bgs,bgt->bst", own, own) - shared - shared.transpose(0, 2, 1)
        variance += np.einsum("bstkl,bstkl->bst", crossed, crossed) + np.einsum("bstkl,bstlk->bst", crossed, crossed)
        variance += np.einsum("bgst,bgst->bst", products, products - 2.0 * overlap)
        return StackedMoments((products - overlap).sum(axis=1), variance)

    def wishart_df(self, contrasts: Array, regular: Array) -> Array:
        """Wishart degrees of freedom ``(b,)`` of contrasts ``(d, c)``; anything where ``regular`` (b,) is False."""
        c = contrasts.shape[1]
        mean = np.where(regular[:, None, None], self.moments(contrasts).mean, np.eye(c))
        scaling = np.asarray(np.linalg.inv(np.linalg.cholesky(mean)).transpose(0, 2, 1), dtype=np.float64)
        total = self.moments(contrasts, scaling).variance.sum(axis=(1, 2))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(c * (c + 1) / total)

    def _weights(self, contrasts: Array) -> Array:
        """Contrasts in terms of the bases, ``(b, rank, c)``."""
        out: Array = self.bases.r_inverse.transpose(0, 2, 1) @ contrasts[list(self.bases.kept)]
        return out

    def _sums(self, values: Array) -> Array:
        """Sums of rows ``(b, n_samples, ...)`` within clusters."""
        if self.indicator is None:
            return values
        summed: Array = self.indicator @ values.reshape(*values.shape[:2], -1)
        return summed.reshape(len(values), len(self.indicator), *values.shape[2:])


def stacked_scores(
    design: Array, roots: Array, columns: tuple[int, ...], kind: str, clusters: Rows
) -> list[StackedScores]:
    """Prepare the sandwich covariances of a design under many weightings of its rows.

    Parameters
    ----------
    design : ndarray of shape (n_samples, d)
    roots : ndarray of shape (b, n_samples)
        Factors of the rows, 0 for rows that are left out.
    columns : tuple of int
        Columns that are independent with all rows.
    kind : str
        As in `sandwich_scores`; counts of samples and clusters in small-sample factors are each weighting's own.
    clusters : ndarray of int, shape (n_samples,)
        Cluster of each sample, 0 to G - 1.

    Returns
    -------
    list of StackedScores
        One for each set of columns that can be told apart; every weighting is in one of them.

    Examples
    --------
    >>> X = np.column_stack([np.ones(6), [0.0, 0, 0, 0, 1, 1]])
    >>> (stack,) = stacked_scores(X, np.ones((1, 6)), (0, 1), "hc2", np.arange(6))
    >>> moments = stack.moments(np.array([[0.0], [1.0]]))
    >>> (2 * moments.mean**2 / moments.variance).round(3)
    array([[[2.077]]])
    """
    n_clusters = int(clusters.max(initial=-1)) + 1
    alone = n_clusters == len(clusters)
    indicator = None if alone else (np.arange(n_clusters)[:, None] == clusters).astype(np.float64)
    out = []
    for bases in stacked_bases(design, roots, columns):
        adjusted = _adjusted_alone if alone else _adjusted_clusters
        rows, blind = adjusted(bases.q, clusters, {"0": 0.0, "1": 0.0, "2": -0.5, "3": -1.0}[kind[-1]])
        used = roots[bases.rows] > 0
        inside = used if indicator is None else used @ indicator.T > 0
        n_obs, n_inside = np.count_nonzero(used, axis=1), np.count_nonzero(inside, axis=1)
        if kind[-1] == "1":
            factors = _small_sample_factors(n_obs, len(bases.kept), None if alone else n_inside)
            rows = rows * np.sqrt(factors)[:, None, None]
        out.append(StackedScores(bases, rows, indicator, blind, n_inside))
    return out


def _small_sample_factors(n_obs: Rows, rank: int, n_clusters: Rows | None) -> Array:
    """``n / (n - d)``, or ``G / (G - 1) (n - 1) / (n - d)`` with clusters, ``(b,)``."""
    left = np.maximum(n_obs - rank, 1)
    if n_clusters is None:
        return np.asarray(n_obs / left)
    return np.asarray(n_clusters / np.maximum(n_clusters - 1, 1) * (n_obs - 1) / left)


def _adjusted_alone(q: Array, clusters: Rows, power: float) -> tuple[Array, Array]:
    """Rows times ``(1 - h)^power``, and products of the rows without inverse."""
    left = 1.0 - np.einsum("bir,bir->bi", q, q)
    seen = left > BLIND
    factor = np.where(seen, np.where(seen, left, 1.0) ** power, 0.0 if power else 1.0)
    lost = q * ~seen[:, :, None]
    return q * factor[:, :, None], lost.transpose(0, 2, 1) @ lost


def _adjusted_clusters(q: Array, clusters: Rows, power: float) -> tuple[Array, Array]:
    """Rows ``(I - q_g q_g')^power q_g`` of all clusters, and products of the directions without inverse."""
    rows, blind = np.empty_like(q), np.zeros((len(q), q.shape[2], q.shape[2]))
    for g in range(int(clusters.max()) + 1):
        members = np.flatnonzero(clusters == g)
        u, s, vt = np.linalg.svd(q[:, members], full_matrices=False)
        left = 1.0 - s**2
        seen = left > BLIND
        factor = np.where(seen, np.where(seen, left, 1.0) ** power, 0.0 if power else 1.0)
        rows[:, members] = (u * (factor * s)[:, None, :]) @ vt
        lost = vt * (s * ~seen)[:, :, None]
        blind += lost.transpose(0, 2, 1) @ lost
    return rows, blind
