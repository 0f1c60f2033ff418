"""Surrogate variables from negative controls."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from latentadj.core.surrogate_weights import SurrogateWeighting
from latentadj.factors.controlled import ControlledFactorEstimator
from latentadj.factors.info import MethodInfo
from latentadj.factors.limits import capped_by_controls
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import FactorEstimate


class SupervisedSVA(ControlledFactorEstimator):
    """Supervised surrogate variable analysis: leading components of the centred negative controls.

    Parameters
    ----------
    n_factors : {"auto"} or int or NumFactorsRule, default="auto"
    controls : array-like
        Negative controls: names, integer positions or a boolean mask.
    model : PrimaryModel or None, default=None
    random_state : default=0

    Notes
    -----
    Leek (2014). Only the mean of each control is removed, not the nuisance columns: a factor may then repeat
    part of them, unlike in RUV-2. If controls respond to the primary variable, the factors absorb it.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> z = rng.normal(size=20)
    >>> X = np.outer(z, rng.normal(size=100)) + 0.1 * rng.normal(size=(20, 100))
    >>> sva = SupervisedSVA(n_factors=1, controls=np.arange(40)).fit(X, np.repeat([0, 1], 10))
    >>> bool(abs(np.corrcoef(sva.factors_[:, 0], z)[0, 1]) > 0.99)
    True
    """

    method_info: ClassVar[MethodInfo] = MethodInfo(
        name="supervised_sva",
        title="Supervised SVA",
        reference="Leek (2014), Nucleic Acids Research 42:e161",
        identified_by="negative controls have no true effect and feel the same factors as the rest",
        identification="controls",
        summary="Components of the centred negative controls.",
        needs=("controls",),
        not_promised={
            "nuisance_effects": "Components are those of the centred data, effects of the nuisance columns included.",
        },
    )

    def _estimate_factors(self, problem: AdjustmentProblem, n_factors: int, rng: np.random.Generator) -> FactorEstimate:
        n_factors = capped_by_controls(problem, n_factors, self.n_factors)
        weights = np.zeros(problem.n_features) if problem.controls is None else problem.controls.astype(float)
        weighting = SurrogateWeighting(
            problem.matrix, problem.basis, problem.n_nuisance, problem.sums, level=problem.level
        )
        return FactorEstimate(weighting.factors(weights, n_factors), feature_weights=weights)
