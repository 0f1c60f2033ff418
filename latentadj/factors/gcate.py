"""Confounder adjustment for generalised linear models (GCATE)."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from latentadj.confounding import RobustRegression
from latentadj.core.factor_analysis import principal_components, weighted_components
from latentadj.core.glm import GLMSetting, OutcomeKernel, fit_glm
from latentadj.core.glm_factors import TOLERANCE, GLMFactorModel, fit_glm_factors
from latentadj.core.glm_residuals import DevianceResiduals
from latentadj.core.glm_scores import glm_scores
from latentadj.core.matrix import FeatureMatrix
from latentadj.core.passes import run_pass
from latentadj.core.regression import DesignBasis, design_basis
from latentadj.exceptions import MethodError, NotConvergedWarning
from latentadj.factors.base import FittedFactors, LatentFactorEstimator
from latentadj.factors.glm_link import estimate_link, joint_effects, moderated_scale
from latentadj.factors.glm_number import choose_by_information
from latentadj.factors.info import MethodInfo
from latentadj.factors.rotation import linked_factors
from latentadj.models import GLMModel, PrimaryModel
from latentadj.num_factors import NumFactorsRule, choose_number
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import FactorEstimate, NumFactorsResult

Array = NDArray[np.float64]

#: Tolerance of the joint fit whose only use is to estimate dispersions again.
FIRST_TOLERANCE = 1e-6
FAMILIES = ("auto", "negative_binomial", "poisson", "binomial", "gaussian")


class GCATE(LatentFactorEstimator):
    """Confounder-adjusted testing and estimation for counts and 0/1 outcomes.

    Parameters
    ----------
    n_factors : {"auto", "jic"} or int or NumFactorsRule, default="auto"
        "auto" is parallel analysis on the deviance residuals of the model without factors, and other rules are applied
        to those as well. "jic" compares the joint fits with 0, 1, 2, ... factors by an information criterion; it
        costs a fit each and misses weak factors. Gaussian data always take "auto" for it.
    family : {"auto", "negative_binomial", "poisson", "binomial", "gaussian"}, default="auto"
        Family of the default model; "auto" goes by the data, see `GLMModel`.
    model : GLMModel or None, default=None
        The model every feature is fitted by, instead of ``GLMModel(family)``.
    random_state : default=0

    Notes
    -----
    Du, Wasserman and Roeder (2025), Journal of the American Statistical Association, "Simultaneous inference for
    generalized linear models with unmeasured confounders". Design effects, loadings and scores are fitted together,
    with scores orthogonal to the design; the effects are then split into a part along the loadings, the
    confounding, and a sparse rest by robust regression; the scores with their part along the primary variables join
    the design, and every feature is fitted again by the generalised linear model. Where the paper estimates the rest
    by an l1 penalty and removes its bias, the refit has none to remove, and the error of the confounding enters every
    feature's standard error through its loadings. Dispersions are estimated twice: without the factors and with
    them. For Gaussian data this is CATE.

    Estimates are natural logarithms of fold changes for counts, log odds ratios for 0/1 outcomes.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], 15)
    >>> z = rng.normal(size=30) + y
    >>> X = rng.poisson(np.exp(3 + 0.5 * np.outer(z, rng.normal(size=300))))
    >>> gcate = GCATE(n_factors=1).fit(X, y)
    >>> bool(abs(np.corrcoef(gcate.factors_[:, 0], z)[0, 1]) > 0.98)
    True
    """

    method_info: ClassVar[MethodInfo] = MethodInfo(
        name="gcate",
        title="GCATE",
        reference="Du, Wasserman and Roeder (2025), Journal of the American Statistical Association",
        identified_by="most features have no true effect, or effects do not follow the loadings",
        summary="Factors of counts or 0/1 outcomes on the scale of a generalised linear model, linked by robust "
        "regression.",
    )

    estimates_from_model: ClassVar[bool] = True

    def __init__(
        self,
        n_factors: int | str | NumFactorsRule = "auto",
        *,
        family: str = "auto",
        model: Any = None,
        random_state: Any = 0,
    ) -> None:
        super().__init__(n_factors, model=model, random_state=random_state)
        self.family = family

    def _default_model(self) -> PrimaryModel:
        if self.family not in FAMILIES:
            raise MethodError(f"family={self.family!r} is unknown; GCATE knows {', '.join(FAMILIES)}.")
        return GLMModel(self.family)

    def _choose_number(self, problem: AdjustmentProblem, rng: np.random.Generator) -> NumFactorsResult:
        """Apply the rule to the deviance residuals of the model without factors."""
        setting = _model_of(problem).setting(problem.matrix, problem.basis)
        by_information = isinstance(self.n_factors, str) and self.n_factors.strip().lower() == "jic"
        if setting.family.name == "gaussian":
            return choose_number(problem, "auto" if by_information else self.n_factors, rng)
        residuals = _residual_problem(problem, setting)
        if by_information:
            return choose_by_information(problem, residuals, setting)
        return choose_number(residuals, self.n_factors, rng)

    def _estimate_factors(self, problem: AdjustmentProblem, n_factors: int, rng: np.random.Generator) -> FactorEstimate:
        model = _model_of(problem)
        setting = model.setting(problem.matrix, problem.basis)
        if setting.family.name == "gaussian":
            return _gaussian_estimate(problem, n_factors)
        return _glm_estimate(problem, model, setting, n_factors)

    def store(self, fitted: FittedFactors, problem: AdjustmentProblem) -> Self:
        """Set the fitted attributes, and what `transform` needs of the model."""
        super().store(fitted, problem)
        model = _model_of(problem)
        possible, total = run_pass(problem.matrix, OutcomeKernel(problem.n_samples))[0]
        self.model_ = model
        self.family_ = model.resolved_family(possible).name
        self.log_size_ = float(np.log(np.maximum(total, 1e-300)).mean())
        design = np.concatenate([problem.design.matrix.mean(axis=0), self.factors_.mean(axis=0)])
        self.baseline_ = np.nan_to_num(fitted.fit.coef, nan=0.0) @ design
        self.dispersion_ = fitted.estimate.details.get("dispersion", np.zeros(problem.n_features))
        return self

    def _frozen_scores(self, matrix: FeatureMatrix) -> Array:
        """Posterior mode of each sample's scores given the loadings; least squares for Gaussian data."""
        if self.family_ == "gaussian" or self.n_factors_ == 0:
            return super()._frozen_scores(matrix)
        _, total = run_pass(matrix, OutcomeKernel(matrix.shape[0]))[0]
        setting = self.model_.setting_for_new(self.family_, total, self.log_size_, self.dispersion_)
        precision = np.where(np.isfinite(self.loadings_).all(axis=1), self.precision_, 0.0)
        spread = np.mean((self.factors_ - self.factors_.mean(axis=0)) ** 2, axis=0)
        loadings = np.nan_to_num(self.loadings_, nan=0.0)
        return glm_scores(matrix, setting, self.baseline_, loadings, precision, 1.0 / spread)


def _model_of(problem: AdjustmentProblem) -> GLMModel:
    if not isinstance(problem.model, GLMModel):
        raise MethodError(
            f"GCATE fits generalised linear models and was given {type(problem.model).__name__}. Leave model= out, "
            "give GLMModel(...), or use CATE."
        )
    return problem.model


def _residual_problem(problem: AdjustmentProblem, setting: GLMSetting) -> AdjustmentProblem:
    """Return the same study with the deviance residuals of the model without factors as its data."""
    fit = fit_glm(problem.matrix, problem.basis.q, setting)
    residuals = DevianceResiduals(problem.matrix, problem.basis.q, fit.coef, setting)
    return AdjustmentProblem(residuals, problem.design)


def _gaussian_estimate(problem: AdjustmentProblem, k: int) -> FactorEstimate:
    """Weighted components and robust link: what the generalised method is for Gaussian data."""
    divisor = max(problem.df_resid - k, 1)
    rss = np.where(problem.constant, 0.0, problem.sums.rss)
    model = principal_components(problem.matrix, problem.unit_spectrum, rss, k, divisor=divisor)
    model = weighted_components(problem.matrix, problem.basis.complement(), problem.basis_to_remove, model, rss)
    return linked_factors(problem, model, RobustRegression())


def _glm_estimate(problem: AdjustmentProblem, model: GLMModel, setting: GLMSetting, k: int) -> FactorEstimate:
    """Joint fit, dispersions with the factors, joint fit again, link."""
    known, df = setting.family.known_scale, float(problem.df_resid - k)
    scores = _residual_problem(problem, setting).unit_spectrum.vectors[:, :k]
    rounds, converged = 0, True
    for tol in (FIRST_TOLERANCE, TOLERANCE):
        basis = _with_scores(problem.basis, scores)
        setting = model.setting(problem.matrix, basis)
        weights = _feature_weights(
            moderated_scale(fit_glm(problem.matrix, basis.q, setting), df, known, problem.constant)
        )
        joint = fit_glm_factors(problem.matrix, problem.basis.q, setting, weights, scores, tol=tol)
        scores, rounds, converged = joint.scores, rounds + joint.n_iter, joint.converged
    _warn_not_converged(joint)
    details = {"dispersion": setting.dispersion}
    if not problem.primary_columns:
        return FactorEstimate(scores, converged=converged, n_iter=rounds, details=details)
    final = fit_glm(problem.matrix, _with_scores(problem.basis, scores).q, setting)
    scale = moderated_scale(final, df, known, problem.constant)
    found = estimate_link(
        joint_effects(final, problem.basis, problem.primary_columns, problem.constant, scale), problem.primary_unscaled
    )
    linked = scores + problem.primary_residual @ found.omega
    return FactorEstimate(linked, link=found, converged=converged and found.converged, n_iter=rounds, details=details)


def _with_scores(basis: DesignBasis, scores: Array) -> DesignBasis:
    """Basis of the design with scores added that are orthonormal and orthogonal to it."""
    return design_basis(np.column_stack([basis.q, scores]))


def _feature_weights(scale: Array) -> Array:
    return np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)


def _warn_not_converged(joint: GLMFactorModel) -> None:
    if not joint.converged:
        warnings.warn(
            f"GCATE's joint fit had not settled after {joint.n_iter} rounds. Try fewer factors.",
            NotConvergedWarning,
            stacklevel=4,
        )
