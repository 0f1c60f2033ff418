"""Principal components of the residuals."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from latentadj.factors.base import LatentFactorEstimator
from latentadj.factors.info import MethodInfo
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import FactorEstimate


class ResidualPCA(LatentFactorEstimator):
    """Leading principal components of the residuals from the whole design.

    Parameters
    ----------
    n_factors : {"auto"} or int or NumFactorsRule, default="auto"
    model : PrimaryModel or None, default=None
    random_state : default=0

    Notes
    -----
    These factors are orthogonal to the design: adding them leaves every estimate exactly as it was and only
    shrinks its error. They do not remove confounding, so the testing front refuses them unless told otherwise.
    Right for display, for prediction, and for hidden factors that are balanced against the primary variable.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(12, 30))
    >>> ResidualPCA(n_factors=2).fit(X, np.repeat([0, 1], 6)).factors_.shape
    (12, 2)
    """

    method_info: ClassVar[MethodInfo] = MethodInfo(
        name="residual_pca",
        title="Residual principal components",
        reference="Leek and Storey (2007), the naive form",
        identified_by="hidden factors are unrelated to the primary variables",
        identification="nothing",
        summary="Components of the residuals; they cannot change an estimate.",
        valid_for_testing=False,
    )

    def _estimate_factors(self, problem: AdjustmentProblem, n_factors: int, rng: np.random.Generator) -> FactorEstimate:
        return FactorEstimate(problem.spectrum.vectors[:, :n_factors])
