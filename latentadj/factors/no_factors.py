"""No factors: the plain regression, as a method among methods."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from latentadj.factors.base import LatentFactorEstimator
from latentadj.factors.info import MethodInfo
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import FactorEstimate


class NoFactors(LatentFactorEstimator):
    """The regression without hidden factors; the baseline of every comparison.

    Parameters
    ----------
    model : PrimaryModel or None, default=None
    random_state : default=0
        Not used; kept so that methods are interchangeable.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(12, 30))
    >>> NoFactors().fit(X, np.repeat([0, 1], 6)).factors_.shape
    (12, 0)
    """

    method_info: ClassVar[MethodInfo] = MethodInfo(
        name="none",
        title="No latent factors",
        reference="ordinary least squares",
        identified_by="nothing hidden is associated with the primary variables",
        identification="none needed",
        summary="Fits the design as given.",
    )

    def __init__(self, *, model: Any = None, random_state: Any = 0) -> None:
        super().__init__(0, model=model, random_state=random_state)

    def _estimate_factors(self, problem: AdjustmentProblem, n_factors: int, rng: np.random.Generator) -> FactorEstimate:
        return FactorEstimate(np.empty((problem.n_samples, 0)))
