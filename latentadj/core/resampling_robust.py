"""t statistics with sandwich errors of rearranged residuals, for all features and many draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from latentadj.core.matrix import Array
from latentadj.core.pass_kernel import PassKernel
from latentadj.core.resampling import COORDINATES, VarianceRule, inflation
from latentadj.core.resampling_draws import GatherDraws, MultiplierDraws
from latentadj.core.sandwich import SandwichScores, cluster_sums

__all__ = ["RobustResamplingKernel"]


class RobustResamplingKernel(PassKernel):
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

    reads = {"variances.df_prior": 0, "variances.s2_prior": 0}
    rows = {"kept": 1}

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
        self.forms = _Forms.of(scores, contrast)
        self.removed, self.draws = removed, draws
        self.scale = inflation(removed) if inflated else 1.0
        self.variances, self.df_resid, self.level = variances, df_resid, level
        self.by_products = self.forms.goes_with(draws)
        self.kept = np.empty((draws.n_draws if level is None else 1, n_features))

    def update(self, block: Array, columns: slice) -> None:
        """Write the statistics of one block's features."""
        residual = self.scale * (block - self.removed @ (self.removed.T @ block))
        out = self.kept[:, columns] if self.level is None else np.empty((self.draws.n_draws, block.shape[1]))
        step = max(COORDINATES // (2 * self.forms.basis.shape[1] * max(block.shape[1], 1)), 1)
        for first in range(0, self.draws.n_draws, step):
            span = slice(first, min(first + step, self.draws.n_draws))
            parts = self._by_products(residual, span) if self.by_products else self._one_by_one(residual, span)
            out[span] = self._statistics(*parts, columns)
        if self.level is not None:
            self.kept[0, columns] = np.quantile(np.abs(out), self.level, axis=0, method="higher")

    def _statistics(self, estimate: Array, sandwich: Array, rss: Array, columns: slice) -> Array:
        """Contrasts over their moderated sandwich errors, ``(c, width)``."""
        with np.errstate(invalid="ignore", divide="ignore"):
            moderation = self.variances.moderated(rss, self.df_resid, columns) / (rss / self.df_resid)
            out: Array = estimate / np.sqrt(moderation * sandwich)
        return out

    def _by_products(self, residual: Array, span: slice) -> tuple[Array, Array, Array]:
        """Contrasts, sandwiches and residual sums of squares of some draws, by matrix products.

        With z the rearranged residuals, c their coordinates in the design and w the influences, a cluster's score is
        ``w_g'z_g - u_g'c``, and the sum of squares of the scores has three parts, each a product with directions that
        all features share.
        """
        forms, squares = self.forms, np.square(residual)
        directions, counted = self.draws.directions(span, forms.basis, forms.crossed)
        n_draws, k, n = directions.shape
        coordinates = (directions.reshape(n_draws * k, n) @ residual).reshape(n_draws, k, -1)
        inside, crossed = coordinates[:, : k // 2], coordinates[:, k // 2 :]
        fitted = np.einsum("kl,clm->ckm", forms.gram, inside)
        sandwich = forms.raw_squares(self.draws, span, residual, squares)
        sandwich += np.einsum("ckm,ckm->cm", inside, fitted - 2.0 * crossed)
        length2 = squares.sum(axis=0) if counted is None else counted @ squares
        rss = length2 - np.einsum("ckm,ckm->cm", inside, inside)
        return np.einsum("k,ckm->cm", forms.weights, inside), np.maximum(sandwich, 0.0), np.maximum(rss, 0.0)

    def _one_by_one(self, residual: Array, span: slice) -> tuple[Array, Array, Array]:
        """The same, draw by draw, for draws that tear clusters apart."""
        forms, parts = self.forms, []
        for draw in range(span.start, span.stop):
            values = self.draws.apply(draw, residual)
            inside = forms.basis.T @ values
            left = values - forms.basis @ inside
            scores = forms.scores(left)
            parts.append((forms.weights @ inside, np.square(scores).sum(axis=0), np.square(left).sum(axis=0)))
        estimate, sandwich, rss = (np.stack(part) for part in zip(*parts, strict=True))
        return estimate, sandwich, rss

    def result(self) -> Array:
        """Return the statistics ``(n_draws, n_features)``, or their quantile ``(1, n_features)``."""
        return self.kept


@dataclass(frozen=True, slots=True)
class _Forms:
    """A contrast's estimate and its sandwich as forms in the data.

    Attributes
    ----------
    basis : ndarray of shape (n_samples, r)
    weights : ndarray of shape (r,)
        Of the coordinates in the estimate.
    influence : ndarray of shape (n_samples,)
        Of the residuals in the clusters' scores.
    clusters : ndarray of int, shape (n_samples,)
    crossed : ndarray of shape (n_samples, r)
        Influence of each sample times its cluster's sum of influences times the basis.
    gram : ndarray of shape (r, r)
        Of those sums.
    """

    basis: Array
    weights: Array
    influence: Array
    clusters: NDArray[np.intp]
    crossed: Array
    gram: Array

    @classmethod
    def of(cls, scores: SandwichScores, contrast: Array) -> Self:
        """Take a sandwich for one contrast ``(d, 1)``."""
        weights = (scores.coordinates.T @ contrast)[:, 0]
        influence = scores.rows @ weights
        sums = cluster_sums(influence[:, None] * scores.basis, scores.clusters)
        crossed = influence[:, None] * sums[scores.clusters]
        return cls(scores.basis, weights, influence, scores.clusters, crossed, sums.T @ sums)

    @property
    def are_alone(self) -> bool:
        """Whether every sample is a cluster."""
        return int(self.clusters.max(initial=-1)) + 1 == len(self.clusters)

    def goes_with(self, draws: GatherDraws | MultiplierDraws) -> bool:
        """Tell whether draws leave clusters together."""
        if self.are_alone:
            return True
        if isinstance(draws, GatherDraws):
            return False
        first = np.unique(self.clusters, return_index=True)[1]
        return bool((draws.values == draws.values[:, first][:, self.clusters]).all())

    def scores(self, residual: Array) -> Array:
        """Scores of the clusters, ``(n_clusters, width)``."""
        weighted = self.influence[:, None] * residual
        return weighted if self.are_alone else cluster_sums(weighted, self.clusters)

    def raw_squares(self, draws: GatherDraws | MultiplierDraws, span: slice, residual: Array, squares: Array) -> Array:
        """Sums of squares of the clusters' scores before the design is fitted, ``(c, width)``."""
        if self.are_alone:
            column = np.square(self.influence)[:, None]
            rearranged: Array = draws.of_squares().directions(span, column, column[:, :0])[0][:, 0] @ squares
            return rearranged
        first = np.unique(self.clusters, return_index=True)[1]
        values = draws.values[span][:, first] if isinstance(draws, MultiplierDraws) else np.ones((1, len(first)))
        out: Array = np.square(values) @ np.square(self.scores(residual))
        return out
