"""Removal of unwanted variation in four steps."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from latentadj.confounding import NegativeControlRegression
from latentadj.core.factor_analysis import principal_components
from latentadj.exceptions import MethodError
from latentadj.factors.controlled import ControlledFactorEstimator
from latentadj.factors.info import MethodInfo
from latentadj.factors.limits import capped_by_controls
from latentadj.factors.rotation import linked_factors
from latentadj.num_factors import NumFactorsRule
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import FactorEstimate


class RUV4(ControlledFactorEstimator):
    """RUV-4: residual components, tied to the primary variables through the negative controls.

    Parameters
    ----------
    n_factors : {"auto"} or int or NumFactorsRule, default="auto"
    controls : array-like
        Negative controls: names, integer positions or a boolean mask.
    compat : {None, "ruv"}, default=None
        "ruv" gives the numbers of the R package: components of the unscaled residuals, equal weights for all
        controls, the link as it comes out, and standard errors without the error of the link.
    model : PrimaryModel or None, default=None
    random_state : default=0

    Notes
    -----
    Gagnon-Bartsch, Jacob and Speed (2013). ``Z = U + X omega'`` with U the residual components and omega the
    regression of the controls' naive effects on their loadings. By default the components are those of residuals
    scaled to unit variance and controls are weighted by their inverse noise variances, so that no few noisy
    features lead either; omega is corrected for the noise in the
    loadings; and its error, shared by all features, enters each feature's variance through its loadings.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], 10)
    >>> z = rng.normal(size=20) + y
    >>> X = np.outer(z, rng.normal(size=100)) + 0.1 * rng.normal(size=(20, 100))
    >>> ruv = RUV4(n_factors=1, controls=np.arange(40)).fit(X, y)
    >>> bool(abs(np.corrcoef(ruv.factors_[:, 0], z)[0, 1]) > 0.99)
    True
    """

    method_info: ClassVar[MethodInfo] = MethodInfo(
        name="ruv4",
        title="RUV-4",
        reference="Gagnon-Bartsch, Jacob and Speed (2013), UC Berkeley technical report 820",
        identified_by="negative controls have no true effect and feel the same factors as the rest",
        summary="Residual components, linked to the primary variables by regression over the controls.",
        needs=("controls",),
    )

    def __init__(
        self,
        n_factors: int | str | NumFactorsRule = "auto",
        *,
        controls: ArrayLike | None = None,
        compat: str | None = None,
        model: Any = None,
        random_state: Any = 0,
    ) -> None:
        super().__init__(n_factors, controls=controls, model=model, random_state=random_state)
        self.compat = compat

    def _estimate_factors(self, problem: AdjustmentProblem, n_factors: int, rng: np.random.Generator) -> FactorEstimate:
        if self.compat not in (None, "ruv"):
            raise MethodError(f"compat={self.compat!r} is unknown; RUV4 knows None and 'ruv'.")
        corrected = self.compat is None
        n_factors = capped_by_controls(problem, n_factors, self.n_factors)
        model = principal_components(
            problem.matrix,
            problem.unit_spectrum if corrected else problem.spectrum,
            problem.sums.rss,
            n_factors,
            divisor=max(problem.df_resid - n_factors, 1),
        )
        return linked_factors(problem, model, NegativeControlRegression(weighted=corrected), with_error=corrected)
