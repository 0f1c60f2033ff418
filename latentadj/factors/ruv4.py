"""Removal of unwanted variation in four steps."""

from __future__ import annotations

from typing import Any, ClassVar

from numpy.typing import ArrayLike

from latentadj.confounding import ConfoundingModel, NegativeControlRegression
from latentadj.core.spectrum import ResidualSpectrum
from latentadj.exceptions import MethodError
from latentadj.factors.info import MethodInfo
from latentadj.factors.limits import capped_by_controls
from latentadj.factors.linked import LinkedFactorEstimator
from latentadj.num_factors import NumFactorsRule
from latentadj.problem import AdjustmentProblem


class RUV4(LinkedFactorEstimator):
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
    >>> import numpy as np
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
        identification="controls",
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
        super().__init__(n_factors, model=model, random_state=random_state)
        self.controls = controls
        self.compat = compat

    def _link(self, problem: AdjustmentProblem) -> ConfoundingModel:
        if self.compat not in (None, "ruv"):
            raise MethodError(f"compat={self.compat!r} is unknown; RUV4 knows None and 'ruv'.")
        return NegativeControlRegression(weighted=self._with_error)

    @property
    def _with_error(self) -> bool:
        return self.compat is None

    def _spectrum(self, problem: AdjustmentProblem) -> ResidualSpectrum:
        return problem.unit_spectrum if self.compat is None else problem.spectrum

    def _allowed(self, problem: AdjustmentProblem, n_factors: int) -> int:
        return capped_by_controls(problem, n_factors, self.n_factors)
