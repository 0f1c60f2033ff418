"""Removal of unwanted variation in two steps, from negative controls."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from latentadj.core.matrix import FeatureSubset
from latentadj.core.spectrum import residual_spectrum
from latentadj.factors.controlled import ControlledFactorEstimator
from latentadj.factors.info import MethodInfo
from latentadj.factors.limits import capped_by_controls
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import FactorEstimate


class RUV2(ControlledFactorEstimator):
    """RUV-2: principal components of the negative controls join the design.

    Parameters
    ----------
    n_factors : {"auto"} or int or NumFactorsRule, default="auto"
    controls : array-like
        Negative controls: names, integer positions or a boolean mask.
    model : PrimaryModel or None, default=None
    random_state : default=0

    Notes
    -----
    Gagnon-Bartsch and Speed (2012). The nuisance part is removed, the primary part is not: controls have
    none. If they do respond to the primary variable, the factors absorb it.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> z = rng.normal(size=20)
    >>> X = np.outer(z, rng.normal(size=100)) + 0.1 * rng.normal(size=(20, 100))
    >>> ruv = RUV2(n_factors=1, controls=np.arange(40)).fit(X, np.repeat([0, 1], 10))
    >>> bool(abs(np.corrcoef(ruv.factors_[:, 0], z)[0, 1]) > 0.99)
    True
    """

    method_info: ClassVar[MethodInfo] = MethodInfo(
        name="ruv2",
        title="RUV-2",
        reference="Gagnon-Bartsch and Speed (2012), Biostatistics 13:539",
        identified_by="negative controls have no true effect and feel the same factors as the rest",
        identification="controls",
        summary="Components of the negative controls, with the nuisance part removed.",
        needs=("controls",),
    )

    def _estimate_factors(self, problem: AdjustmentProblem, n_factors: int, rng: np.random.Generator) -> FactorEstimate:
        n_factors = capped_by_controls(problem, n_factors, self.n_factors)
        controls = FeatureSubset(problem.matrix, np.flatnonzero(np.asarray(problem.controls)))
        spectrum = residual_spectrum(controls, problem.nuisance_basis)
        return FactorEstimate(spectrum.vectors[:, :n_factors])
