"""Feature folds: the number of factors that predicts held-out samples of held-out features best (CBCV+)."""

from __future__ import annotations

import numpy as np

from latentadj.core.feature_folds import balanced_labels, fold_losses, residual_grams
from latentadj.exceptions import MethodError
from latentadj.num_factors.base import NumFactorsRule, check_scale, count_features, feature_weights, scale_words
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import RuleAnswer


class FeatureFoldCrossValidation(NumFactorsRule):
    """Minimise the leave-one-sample-out error of features that took no part in estimating the factors.

    Parameters
    ----------
    n_folds : int, default=10
        Folds of features.
    scale : {"unit", None}, default="unit"
        "unit" scales features to unit residual variance, so that all count alike in the error; None takes them as
        they are.

    Notes
    -----
    The rule known as CBCV+, for independent samples: factors come from nine tenths of the features, and each
    feature of the last tenth is regressed on the design and the first k of them, one sample left out at a time.
    Everything follows from one Gram matrix per fold (`latentadj.core.feature_folds`), made in a single pass
    whatever the number of features. Leaving samples out charges every factor for the degree of freedom it takes, in
    held-out features, where a noise factor explains nothing beyond it.

    References
    ----------
    McKennan and Nicolae (2020), "Estimating and accounting for unobserved covariates in high-dimensional correlated
    data", JASA 117, 225-236, section 3.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> from latentadj.design import Design
    >>> rng = np.random.default_rng(0)
    >>> factor, group = rng.normal(size=40), np.repeat([0.0, 1.0], 20)
    >>> X = np.outer(factor, rng.normal(size=300)) + rng.normal(size=(40, 300))
    >>> problem = AdjustmentProblem(ArrayMatrix(X), Design.from_arrays(group))
    >>> FeatureFoldCrossValidation().select(problem, 10, rng).n_factors
    1
    """

    def __init__(self, n_folds: int = 10, scale: str | None = "unit") -> None:
        self.n_folds = n_folds
        self.scale = scale

    @property
    def name(self) -> str:
        """Name of the rule in tables."""
        return "feature_folds"

    def select(self, problem: AdjustmentProblem, limit: int, rng: np.random.Generator) -> RuleAnswer:
        """Apply the rule; see `NumFactorsRule.select`. The generator assigns features to folds.

        Raises
        ------
        MethodError
            If an option is out of range or there are fewer features than folds.
        """
        self._check(problem)
        labels = balanced_labels(problem.n_features, self.n_folds, rng)
        weights = feature_weights(problem, self.scale)
        grams = residual_grams(problem.matrix, problem.basis, labels, self.n_folds, weights)
        losses = fold_losses(grams, problem.basis, max(min(limit, problem.df_resid - 1), 0)).sum(axis=0)
        relative = losses[1:] / losses[0] if losses[0] > 0 else losses[1:]
        return RuleAnswer(
            rule=self.name,
            n_factors=int(np.argmin(losses)),
            statistic=relative,
            threshold=np.full(len(relative), np.nan),
            description=(
                f"Leave-one-sample-out error of held-out features ({scale_words(self.scale)}), relative to no factors, "
                f"{self.n_folds} folds; the answer is where it is smallest, 0 if it is never below 1."
            ),
        )

    def _check(self, problem: AdjustmentProblem) -> None:
        check_scale(self.scale)
        if self.n_folds < 2:
            raise MethodError(f"n_folds={self.n_folds} cannot be used: at least 2 are needed. The default is 10.")
        if count_features(problem, self.scale) < self.n_folds:
            raise MethodError(
                f"the rule splits the features into {self.n_folds} folds and only "
                f"{count_features(problem, self.scale)} vary. Use another rule."
            )
