"""Bi-cross-validation: the number of factors that predicts held-out blocks best."""

from __future__ import annotations

import numpy as np

from latentadj.core.bi_cross_validation import held_in_shape, prediction_errors
from latentadj.core.matrix import Array, FeatureSubset, RotatedMatrix, collect
from latentadj.exceptions import MethodError
from latentadj.num_factors.base import NumFactorsRule, check_scale, feature_weights, scale_words
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import RuleAnswer


class BiCrossValidation(NumFactorsRule):
    """Minimise the error of predicting a block of held-out samples and features from the rest.

    Parameters
    ----------
    n_repeats : int, default=12
        Random blocks.
    scale : {"unit", None}, default="unit"
        "unit" scales features to unit residual variance, so that all count alike in the error; None takes
        them as they are.
    max_features : int, default=20000
        With more features, a random subset of this size is used: the residuals of the features that take part are
        held in memory.

    Notes
    -----
    The residuals, in coordinates of the design's complement, are cut into four blocks; a factor model fitted to
    one by early stopping alternation predicts the opposite one (`latentadj.core.bi_cross_validation`). The error
    is averaged over the repeats and its minimum taken. The number is the one best for recovering the factors' part,
    which leaves out factors too weak to be estimated. Blocks are held out in rotated coordinates: the answer depends
    on the order of the samples through the random blocks.

    References
    ----------
    Owen and Wang (2016), "Bi-cross-validation for factor analysis", Statistical Science 31, 119-139.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> from latentadj.design import Design
    >>> rng = np.random.default_rng(0)
    >>> factor, group = rng.normal(size=40), np.repeat([0.0, 1.0], 20)
    >>> X = np.outer(factor, rng.normal(size=300)) + rng.normal(size=(40, 300))
    >>> problem = AdjustmentProblem(ArrayMatrix(X), Design.from_arrays(group))
    >>> BiCrossValidation().select(problem, 10, rng).n_factors
    1
    """

    def __init__(self, n_repeats: int = 12, scale: str | None = "unit", max_features: int = 20_000) -> None:
        self.n_repeats = n_repeats
        self.scale = scale
        self.max_features = max_features

    @property
    def name(self) -> str:
        """Name of the rule in tables."""
        return "bi_cross_validation"

    def select(self, problem: AdjustmentProblem, limit: int, rng: np.random.Generator) -> RuleAnswer:
        """Apply the rule; see `NumFactorsRule.select`.

        Raises
        ------
        MethodError
            If an option is out of range, or too few samples or features are there to hold any out.
        """
        check_scale(self.scale)
        if self.n_repeats < 1 or self.max_features < 2:
            raise MethodError(
                f"n_repeats={self.n_repeats} and max_features={self.max_features} cannot be used: at least 1 and 2 are "
                "needed. The defaults are 12 and 20000."
            )
        errors = self._errors(self._residuals(problem, rng), limit, rng)
        return RuleAnswer(
            rule=self.name,
            n_factors=int(np.argmin(errors)),
            statistic=errors[1:] / errors[0] if errors[0] > 0 else errors[1:],
            threshold=np.full(len(errors) - 1, np.nan),
            description=(
                f"Error of predicting held-out blocks ({scale_words(self.scale)}), relative to no factors, mean of "
                f"{self.n_repeats}; the answer is where it is smallest, 0 if it is never below 1."
            ),
        )

    def _residuals(self, problem: AdjustmentProblem, rng: np.random.Generator) -> Array:
        """Residuals ``(df_resid, n_chosen)`` of the features that take part."""
        weights = feature_weights(problem, self.scale)
        weights = np.ones(problem.n_features) if weights is None else weights
        chosen = np.flatnonzero(weights > 0)
        if problem.df_resid < 3 or len(chosen) < 3:
            raise MethodError(
                f"the rule holds samples and features out, and {problem.df_resid} residual degrees of freedom with "
                f"{len(chosen)} features are too few (3 of each are needed). Use another rule."
            )
        if len(chosen) > self.max_features:
            chosen = np.sort(rng.choice(chosen, self.max_features, replace=False))
        rotated = RotatedMatrix(FeatureSubset(problem.matrix, chosen), problem.basis.complement())
        out: Array = collect(rotated) * weights[chosen]
        return out

    def _errors(self, residuals: Array, limit: int, rng: np.random.Generator) -> Array:
        n_in, m_in = held_in_shape(*residuals.shape)
        n_tried = max(min(limit, n_in - 1, m_in - 1), 0)
        repeats = [prediction_errors(residuals, n_in, m_in, n_tried, rng) for _ in range(self.n_repeats)]
        out: Array = np.mean(repeats, axis=0)
        return out
