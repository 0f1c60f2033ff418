"""Parallel analysis: factors that explain more than permuted residuals do."""

from __future__ import annotations

import numpy as np

from latentadj.core.matrix import Array
from latentadj.core.permutation import permuted_eigenvalues
from latentadj.core.wishart import wishart_eigenvalues
from latentadj.exceptions import MethodError
from latentadj.num_factors.base import (
    NumFactorsRule,
    check_scale,
    count_features,
    feature_weights,
    leading_count,
    scale_words,
    scaled_spectrum,
)
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import RuleAnswer

NAMES = {"permutation": "parallel_analysis", "wishart": "parallel_analysis_wishart"}


class ParallelAnalysis(NumFactorsRule):
    """Count the directions whose share of the residual sum of squares beats that of permuted residuals.

    Parameters
    ----------
    n_permutations : int, default=20
    alpha : float, default=0.1
        A factor counts while at most this fraction of the permutations reaches its share.
    scale : {"unit", None}, default="unit"
        "unit" scales features to unit residual variance and drops constant ones; None takes them as they are.
    method : {"permutation", "wishart"}, default="permutation"
        "wishart" draws the null from the features' sums of squares instead of permuting them: the cost does
        not depend on the number of features. The design must then hold the intercept.

    Notes
    -----
    With squared singular values ``s_i^2`` of the residuals the statistic is the share ``s_i^2 / sum s^2`` for
    ``i <= min(n_features, n_samples) - rank``. Each permutation shuffles the residuals of every feature over
    the samples independently, removes the design again and decomposes the result. ``p_i`` is the fraction of
    permutations whose i-th share is at least the observed one; the answer is the number of leading factors
    with ``p_i <= alpha``. `scale=None` is the rule that sva calls "be".

    Measured over simulated studies the unit scale finds the true number more often: without it a few
    features of large variance decide. Factors already found are not removed before the next is tried: what a
    deflation leaves is no longer exchangeable over samples, and the count then runs to the limit.

    References
    ----------
    Buja and Eyuboglu (1992), Multivariate Behavioral Research 27, 509-540; Leek and Storey (2007), PLoS
    Genetics 3, e161.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> from latentadj.design import Design
    >>> rng = np.random.default_rng(0)
    >>> factor, group = rng.normal(size=40), np.repeat([0.0, 1.0], 20)
    >>> X = np.outer(factor, rng.normal(size=300)) + rng.normal(size=(40, 300))
    >>> problem = AdjustmentProblem(ArrayMatrix(X), Design.from_arrays(group))
    >>> ParallelAnalysis().select(problem, 10, rng).n_factors
    1
    """

    def __init__(
        self,
        n_permutations: int = 20,
        alpha: float = 0.1,
        scale: str | None = "unit",
        method: str = "permutation",
    ) -> None:
        self.n_permutations = n_permutations
        self.alpha = alpha
        self.scale = scale
        self.method = method

    @property
    def name(self) -> str:
        """Name of the rule in tables."""
        return NAMES.get(self.method, NAMES["permutation"])

    def select(self, problem: AdjustmentProblem, limit: int, rng: np.random.Generator) -> RuleAnswer:
        """Apply the rule; see `NumFactorsRule.select`.

        Raises
        ------
        MethodError
            If an option is out of range, or the Wishart form is asked for a design without intercept.
        """
        self._check(problem)
        n_tried = max(min(count_features(problem, self.scale), problem.n_samples) - problem.basis.rank, 0)
        observed = leading_shares(scaled_spectrum(problem, self.scale).eigenvalues[None], n_tried)[0]
        null = leading_shares(self._null_eigenvalues(problem, rng), n_tried)
        bound = upper_bound(null, self.alpha)
        shown = slice(0, max(limit, 0))
        return RuleAnswer(
            rule=self.name,
            n_factors=min(leading_count(observed > bound), max(limit, 0)),
            statistic=observed[shown],
            threshold=bound[shown],
            description=self._description(),
            null_shares=np.stack([np.median(null, axis=0), bound]),
        )

    def _check(self, problem: AdjustmentProblem) -> None:
        check_scale(self.scale)
        if self.method not in NAMES:
            raise MethodError(f'method={self.method!r} is unknown. Use "permutation" or "wishart".')
        if self.n_permutations < 1 or not 0 < self.alpha < 1:
            raise MethodError(
                f"n_permutations={self.n_permutations} and alpha={self.alpha} cannot be used: at least one "
                "permutation and a level between 0 and 1 are needed. The defaults are 20 and 0.1."
            )
        if self.method == "wishart" and not (problem.raw or problem).basis.spans_constant:
            raise MethodError(
                'method="wishart" needs a design that holds the intercept, and this one does not: residuals '
                "then keep a mean that permutation cannot move. Add the intercept, or use "
                'method="permutation".'
            )

    def _null_eigenvalues(self, problem: AdjustmentProblem, rng: np.random.Generator) -> Array:
        """Squared singular values ``(n_permutations, df_resid)`` under the null."""
        weights = feature_weights(problem, self.scale)
        rss = problem.sums.rss if weights is None else problem.sums.rss * weights**2
        if self.method == "permutation":
            return permuted_eigenvalues(
                problem.matrix, problem.basis, self.n_permutations, rng, weights=weights, squares=rss
            )
        return wishart_eigenvalues(rss, problem.n_samples, problem.df_resid, self.n_permutations, rng)

    def _description(self) -> str:
        null = "permuted residuals" if self.method == "permutation" else "a Wishart approximation of permutation"
        return (
            f"Share of the residual sum of squares ({scale_words(self.scale)}); a factor counts while at "
            f"most {self.alpha:.0%} of {self.n_permutations} draws of {null} reach it."
        )


def leading_shares(eigenvalues: Array, n_tried: int) -> Array:
    """Share of each of the leading eigenvalues in their sum, row by row.

    Parameters
    ----------
    eigenvalues : ndarray of shape (n_rows, df_resid)
        Decreasing along rows.
    n_tried : int

    Returns
    -------
    ndarray of shape (n_rows, n_tried)
        Zeros in rows that sum to zero.

    Examples
    --------
    >>> leading_shares(np.array([[3.0, 1.0, 0.0]]), 2)
    array([[0.75, 0.25]])
    """
    leading: Array = eigenvalues[:, :n_tried]
    total = leading.sum(axis=1, keepdims=True)
    shares: Array = np.divide(leading, total, out=np.zeros_like(leading), where=total > 0)
    return shares


def upper_bound(null: Array, alpha: float) -> Array:
    """Bound that a statistic must exceed so that at most a fraction alpha of the null draws reaches it.

    Parameters
    ----------
    null : ndarray of shape (n_draws, n_tried)
    alpha : float

    Returns
    -------
    ndarray of shape (n_tried,)
        ``mean(null >= x) <= alpha`` holds exactly when ``x`` is above the bound.

    Examples
    --------
    >>> upper_bound(np.arange(10.0)[:, None], 0.2)
    array([7.])
    """
    allowed = int(np.floor(alpha * null.shape[0] * (1 + 1e-12)))
    bound: Array = np.sort(null, axis=0)[null.shape[0] - 1 - allowed]
    return bound
