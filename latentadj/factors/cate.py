"""Confounder adjustment by factor analysis and robust regression (CATE)."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from latentadj.confounding import ConfoundingModel, NegativeControlRegression, RobustRegression
from latentadj.core.factor_analysis import FactorModel, weighted_components
from latentadj.core.spectrum import ResidualSpectrum
from latentadj.exceptions import MethodError, NotConvergedWarning
from latentadj.factors.cate_reference import reference_estimate
from latentadj.factors.info import MethodInfo
from latentadj.factors.limits import capped_by_controls
from latentadj.factors.linked import LinkedFactorEstimator, residual_squares
from latentadj.factors.random_scores import random_score_directions
from latentadj.num_factors import NumFactorsRule
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import FactorEstimate

FACTOR_ANALYSES = ("weighted", "ml", "pc")
LINKS = ("robust", "negative_control")


class CATE(LinkedFactorEstimator):
    """Confounder-adjusted testing and estimation.

    Parameters
    ----------
    n_factors : {"auto"} or int or NumFactorsRule, default="auto"
    factor_analysis : {"weighted", "ml", "pc"}, default="weighted"
        How the residuals are factored: components weighted by the inverse noise variances until they settle,
        maximum likelihood with random scores (EM), or plain components.
    confounding : {"robust", "negative_control"}, default="robust"
        How the factors are linked to the primary variables: Huber regression over all features, or
        generalised least squares over the negative controls.
    controls : array-like or None, default=None
        Negative controls, for ``confounding="negative_control"``.
    compat : {None, "cate"}, default=None
        "cate" gives the numbers of the R package: its loosely converged factor analysis ("ml" unless "pc" is
        asked for), its robust regression, normal tails and, in the testing front, its median/MAD calibration.
    model : PrimaryModel or None, default=None
    random_state : default=0

    Notes
    -----
    Wang, Zhao, Hastie and Owen (2017). The corrected inference: noise variances with ``nu - k`` degrees of
    freedom, moderated; Huber regression of standardised effects on standardised loadings with its scale
    re-estimated, and corrected for the noise in the loadings; the variance of each effect
    ``psi_j (C + omega omega') + a_j' V a_j`` with V the error of the link; Student tails. No calibration is
    then needed, which costs power when many features have effects.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], 15)
    >>> z = rng.normal(size=30) + y
    >>> X = np.outer(z, rng.normal(size=400)) + 0.2 * rng.normal(size=(30, 400))
    >>> cate = CATE(n_factors=1).fit(X, y)
    >>> bool(abs(np.corrcoef(cate.factors_[:, 0], z)[0, 1]) > 0.99)
    True
    """

    method_info: ClassVar[MethodInfo] = MethodInfo(
        name="cate",
        title="CATE, robust regression",
        reference="Wang, Zhao, Hastie and Owen (2017), Annals of Statistics 45:1863",
        identified_by="most features have no true effect, or effects do not follow the loadings",
        summary="Factor analysis of the residuals, linked to the primary variables by robust regression.",
    )

    def __init__(
        self,
        n_factors: int | str | NumFactorsRule = "auto",
        *,
        factor_analysis: str = "weighted",
        confounding: str = "robust",
        controls: ArrayLike | None = None,
        compat: str | None = None,
        model: Any = None,
        random_state: Any = 0,
    ) -> None:
        super().__init__(n_factors, model=model, random_state=random_state)
        self.factor_analysis = factor_analysis
        self.confounding = confounding
        self.controls = controls
        self.compat = compat

    @property
    def default_calibration(self) -> str | None:
        """Calibration the testing front uses when none is asked for."""
        return "mad" if self.compat == "cate" else None

    def _estimate_factors(self, problem: AdjustmentProblem, n_factors: int, rng: np.random.Generator) -> FactorEstimate:
        self._check_options()
        if self.compat != "cate":
            return super()._estimate_factors(problem, n_factors, rng)
        n_factors = self._allowed(problem, n_factors)
        analysis = "pc" if self.factor_analysis == "pc" else "ml"
        return reference_estimate(problem, n_factors, analysis, self.confounding == "robust")

    def _link(self, problem: AdjustmentProblem) -> ConfoundingModel:
        if self.confounding == "negative_control":
            return NegativeControlRegression(weighted=True)
        return RobustRegression()

    def _allowed(self, problem: AdjustmentProblem, n_factors: int) -> int:
        if self.confounding != "negative_control":
            return n_factors
        return capped_by_controls(problem, n_factors, self.n_factors)

    def _spectrum(self, problem: AdjustmentProblem) -> ResidualSpectrum:
        return problem.spectrum if self.factor_analysis == "pc" else problem.unit_spectrum

    def _check_options(self) -> None:
        given = {
            "factor_analysis": (self.factor_analysis, FACTOR_ANALYSES),
            "confounding": (self.confounding, LINKS),
            "compat": (self.compat, (None, "cate")),
        }
        for name, (value, allowed) in given.items():
            if value not in allowed:
                raise MethodError(f"{name}={value!r} is unknown; CATE knows {', '.join(map(repr, allowed))}.")

    def _factor_model(self, problem: AdjustmentProblem, k: int) -> FactorModel:
        model = super()._factor_model(problem, k)
        if self.factor_analysis == "weighted":
            rss = residual_squares(problem)
            model = weighted_components(problem.matrix, problem.basis.complement(), problem.basis.q, model, rss)
        elif self.factor_analysis == "ml":
            model = random_score_directions(problem, model)
        if not model.converged:
            warnings.warn(
                f"CATE's factor analysis had not settled after {model.n_iter} rounds: a factor may rest on a few "
                "features. Compare with factor_analysis='pc' or fewer factors.",
                NotConvergedWarning,
                stacklevel=2,
            )
        return model
