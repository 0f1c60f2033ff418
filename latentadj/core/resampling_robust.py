"""t statistics with sandwich errors of rearranged residuals, for all features, draw by draw."""

from __future__ import annotations

from typing import Self

import numpy as np

from latentadj.core.matrix import Array
from latentadj.core.resampling import VarianceRule, inflation
from latentadj.core.resampling_draws import GatherDraws, MultiplierDraws
from latentadj.core.sandwich import SandwichScores, cluster_members

__all__ = ["RobustResamplingKernel"]


class RobustResamplingKernel:
    """Robust t statistics of one contrast for every draw and all features, for `run_pass`.

    Parameters
    ----------
    scores : SandwichScores
        Of the whole design.
    contrast : ndarray of shape (d, 1)
    removed : ndarray of shape (n_samples, r)
        Orthonormal basis of what is taken out before residuals are rearranged: of the null model, or of the whole
        design for the distribution of the estimate about the truth.
    draws : GatherDraws or MultiplierDraws
    n_features : int
    variances : VarianceRule
        Prior of the residual variances; sandwiches are scaled by moderated over plain variance, as tests do.
    df_resid : float
    inflated : bool, default=True
        Make up for the variance that residuals lost to the fit.
    level : float, optional
        Keep only this quantile of the statistics' absolute values over the draws, for each feature.

    Notes
    -----
    Wild and wild cluster bootstrap: Liu (1988), Annals of Statistics 16:1696; Cameron, Gelbach and Miller (2008),
    Review of Economics and Statistics 90:414. The error is estimated anew in every draw.
    """

    def __init__(
        self,
        scores: SandwichScores,
        contrast: Array,
        removed: Array,
        draws: GatherDraws | MultiplierDraws,
        n_features: int,
        variances: VarianceRule,
        df_resid: float,
        *,
        inflated: bool = True,
        level: float | None = None,
    ) -> None:
        weights = (scores.coordinates.T @ contrast)[:, 0]
        self.basis, self.removed, self.draws = scores.basis, removed, draws
        self.scale = inflation(removed) if inflated else 1.0
        self.estimate_weights = scores.basis @ weights
        self.influence = _influence(scores, scores.rows @ weights)
        self.variances, self.df_resid, self.level = variances, df_resid, level
        self.kept = np.empty((draws.n_draws if level is None else 1, n_features))

    def fork(self) -> Self:
        """Return a worker that writes its features' columns into the same array."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        return twin

    def update(self, block: Array, columns: slice) -> None:
        """Write the statistics of one block's features."""
        residual = self.scale * (block - self.removed @ (self.removed.T @ block))
        out = self.kept[:, columns] if self.level is None else np.empty((self.draws.n_draws, block.shape[1]))
        for draw in range(self.draws.n_draws):
            out[draw] = self._statistic(self.draws.apply(draw, residual), columns)
        if self.level is not None:
            self.kept[0, columns] = np.quantile(np.abs(out), self.level, axis=0, method="higher")

    def _statistic(self, values: Array, columns: slice) -> Array:
        """Contrast over its sandwich error ``(width,)`` for rearranged values ``(n_samples, width)``."""
        left = values - self.basis @ (self.basis.T @ values)
        rss = np.einsum("ij,ij->j", left, left)
        with np.errstate(invalid="ignore", divide="ignore"):
            moderation = self.variances.moderated(rss, self.df_resid, columns) / (rss / self.df_resid)
            if self.influence.ndim == 1:
                sandwich = np.square(self.influence) @ np.square(left)
            else:
                sandwich = np.square(self.influence @ left).sum(axis=0)
            out: Array = (self.estimate_weights @ values) / np.sqrt(moderation * sandwich)
        return out

    def merge(self, other: Self) -> None:
        """Nothing to add: columns were written in place."""

    def result(self) -> Array:
        """Return the statistics ``(n_draws, n_features)``, or their quantile ``(1, n_features)``."""
        return self.kept


def _influence(scores: SandwichScores, rows: Array) -> Array:
    """Weights of the residuals in the clusters' scores, ``(n_samples,)`` or ``(n_clusters, n_samples)``."""
    members = cluster_members(scores.clusters)
    if members is None:
        return rows
    out = np.zeros((len(members), len(rows)))
    for g, samples in enumerate(members):
        out[g, samples] = rows[samples]
    return out
