"""Confounder adjustment by factor analysis and robust regression (CATE)."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from latentadj.confounding import (
    ConfoundingModel,
    LeastTrimmedSquares,
    NegativeControlRegression,
    RobustRegression,
)
from latentadj.core.early_stopping import early_stopped_components
from latentadj.core.factor_analysis import FactorModel, weighted_components
from latentadj.core.robust import LOSSES
from latentadj.core.spectrum import ResidualSpectrum
from latentadj.exceptions import MethodError, NotConvergedWarning
from latentadj.factors.cate_reference import ReferenceOptions, reference_estimate
from latentadj.factors.info import MethodInfo
from latentadj.factors.limits import capped_by_controls
from latentadj.factors.linked import LinkedFactorEstimator, residual_squares
from latentadj.factors.random_scores import random_score_directions
from latentadj.factors.rotation import linked_factors
from latentadj.num_factors import NumFactorsRule
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import FactorEstimate

FACTOR_ANALYSES = ("weighted", "ml", "pc", "esa")
LINKS = ("robust", "least_trimmed", "negative_control", "naive")


class CATE(LinkedFactorEstimator):
    """Confounder-adjusted testing and estimation.

    Parameters
    ----------
    n_factors : {"auto"} or int or NumFactorsRule, default="auto"
    factor_analysis : {"weighted", "ml", "pc", "esa"}, default="weighted"
        How the residuals are factored: components weighted by the inverse noise variances until they settle,
        maximum likelihood with random scores (EM), plain components, or weighted components after three rounds
        (early-stopping alternation).
    confounding : {"robust", "least_trimmed", "negative_control", "naive"}, default="robust"
        How the factors are linked to the primary variables: robust regression over all features, least trimmed
        squares over all features (effects may be large, one-sided and follow the loadings, as long as more than
        half of the features have none), generalised least squares over the negative controls, or not at all.
        "naive" is a reference's baseline and only known with ``compat="cate"``.
    controls : array-like or None, default=None
        Negative controls, for ``confounding="negative_control"``.
    psi : {"huber", "bisquare"}, default="huber"
        Loss of the robust regression.
    link_error : bool, default=True
        Mind the errors of loadings and link: correct the link for attenuation and carry its error into every
        feature's variance. With ``compat="cate"`` it is the package's variance correction for controls.
    n_starts : int, default=500
        Random starts of least trimmed squares; 0 makes it deterministic and independent of the features' order.
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
        psi: str = "huber",
        link_error: bool = True,
        n_starts: int = 500,
        compat: str | None = None,
        model: Any = None,
        random_state: Any = 0,
    ) -> None:
        super().__init__(n_factors, model=model, random_state=random_state)
        self.factor_analysis = factor_analysis
        self.confounding = confounding
        self.controls = controls
        self.psi = psi
        self.link_error = link_error
        self.n_starts = n_starts
        self.compat = compat

    @property
    def default_calibration(self) -> str | None:
        """Calibration the testing front uses when none is asked for."""
        return "mad" if self.compat == "cate" else None

    @property
    def _with_error(self) -> bool:
        return self.link_error

    def _estimate_factors(self, problem: AdjustmentProblem, n_factors: int, rng: np.random.Generator) -> FactorEstimate:
        self._check_options()
        n_factors = self._allowed(problem, n_factors)
        if n_factors == 0:
            return FactorEstimate(np.empty((problem.n_samples, 0)))
        if self.compat == "cate":
            analysis = "ml" if self.factor_analysis == "weighted" else self.factor_analysis
            options = ReferenceOptions(analysis, self.confounding, self.psi, self.link_error, self.n_starts)
            return reference_estimate(problem, n_factors, options, rng)
        link = LeastTrimmedSquares(rng, n_starts=self.n_starts) if self._trims else self._link(problem)
        return linked_factors(problem, self._factor_model(problem, n_factors), link, with_error=self.link_error)

    @property
    def _trims(self) -> bool:
        return self.confounding == "least_trimmed"

    def _link(self, problem: AdjustmentProblem) -> ConfoundingModel:
        if self.confounding == "negative_control":
            return NegativeControlRegression(weighted=True)
        return RobustRegression(loss=self.psi)

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
            "psi": (self.psi, tuple(LOSSES)),
            "compat": (self.compat, (None, "cate")),
        }
        for name, (value, allowed) in given.items():
            if value not in allowed:
                raise MethodError(f"{name}={value!r} is unknown; CATE knows {', '.join(map(repr, allowed))}.")

        if self.confounding == "naive" and self.compat is None:
            raise MethodError(
                "confounding='naive' leaves the factors unrelated to the primary variables, which removes no "
                "confounding. Give compat='cate' for the reference's numbers, or use method='residual_pca'."
            )

    def _factor_model(self, problem: AdjustmentProblem, k: int) -> FactorModel:
        model = self._fitted_model(problem, k)
        if not model.converged:
            warnings.warn(
                f"CATE's factor analysis had not settled after {model.n_iter} rounds: a factor may rest on a few "
                "features. Compare with factor_analysis='pc' or fewer factors.",
                NotConvergedWarning,
                stacklevel=2,
            )
        return model

    def _fitted_model(self, problem: AdjustmentProblem, k: int) -> FactorModel:
        rss, basis = residual_squares(problem), problem.basis
        divisor = max(problem.df_resid - k, 1)
        if self.factor_analysis == "ml":
            return random_score_directions(problem, problem.unit_spectrum.vectors[:, :k])
        if self.factor_analysis == "esa":
            return early_stopped_components(problem.matrix, basis.complement(), basis.q, rss, rss, k, divisor=divisor)
        if self.factor_analysis == "pc":
            return super()._factor_model(problem, k)
        space = problem.matrix, basis.complement(), problem.basis_to_remove
        # no name for the start: it is let go when the rounds begin
        return weighted_components(*space, super()._factor_model(problem, k), rss)
