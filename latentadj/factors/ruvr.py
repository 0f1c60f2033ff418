"""Removal of unwanted variation from counts by residuals."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from latentadj.core.counts import LogCounts, library_sizes
from latentadj.core.dispersion import estimate_dispersions
from latentadj.core.glm import GLMSetting, fit_glm
from latentadj.core.glm_families import GLM_FAMILIES
from latentadj.core.glm_residuals import DevianceResiduals
from latentadj.core.matrix import Array, FeatureMatrix, FeatureSubset
from latentadj.core.regression import design_basis
from latentadj.core.size_factors import filled_totals
from latentadj.core.spectrum import residual_spectrum
from latentadj.exceptions import InputError, MethodError
from latentadj.factors.base import LatentFactorEstimator
from latentadj.factors.info import MethodInfo
from latentadj.factors.log_counts import OnLogCounts
from latentadj.num_factors import NumFactorsRule
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import FactorEstimate

RESIDUALS = ("deviance", "log")


class RUVr(OnLogCounts, LatentFactorEstimator):
    """RUVr: principal components of the residuals of a negative binomial regression.

    Parameters
    ----------
    n_factors : {"auto"} or int or NumFactorsRule, default="auto"
    controls : array-like or None, default=None
        Genes whose residuals are used: names, integer positions or a boolean mask; all genes by default.
    residuals : {"deviance", "log"}, default="deviance"
        Deviance residuals of a negative binomial regression on the design, or least-squares residuals of the log
        counts.
    dispersion : array-like of shape (n_features,) or None, default=None
        Negative binomial dispersions; estimated and shrunken to their trend by default.
    size_factors : str or array-like of shape (n_samples,) or None, default=None
        Sequencing depths, whose logarithms are the offset of the regression; totals by default.
    scale : {"log_cpm", "log1p"}, default="log_cpm"
        Scale of the log counts that are fitted again with the factors.
    constant : float or None, default=None
        Added to every count: 0.5 for "log_cpm" and 1 for "log1p" unless given.
    compat : {None, "RUVSeq"}, default=None
        "RUVSeq" removes only the residuals' means before the components are taken, not what is left of the design.
    model : PrimaryModel or None, default=None
    random_state : default=0

    Notes
    -----
    Risso, Ngai, Speed and Dudoit (2014). Residuals are orthogonal to the design, exactly on the log scale and nearly so
    for deviance residuals. Such factors leave estimates as they are and only shrink their errors: they do not remove
    confounding, and the testing front refuses them unless told otherwise.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> z = rng.normal(size=20)
    >>> counts = rng.poisson(np.exp(4 + np.outer(z, 0.5 * rng.normal(size=100))))
    >>> RUVr(n_factors=1).fit(counts, np.repeat([0, 1], 10)).factors_.shape
    (20, 1)
    """

    method_info: ClassVar[MethodInfo] = MethodInfo(
        name="ruvr",
        title="RUVr",
        reference="Risso, Ngai, Speed and Dudoit (2014), Nature Biotechnology 32:896",
        identified_by="hidden factors are unrelated to the primary variables",
        summary="Components of the residuals of a negative binomial regression; they do not remove confounding.",
        identification="nothing",
        input_scale="counts",
        valid_for_testing=False,
    )
    sample_parameters: ClassVar[tuple[str, ...]] = ("size_factors",)

    def __init__(
        self,
        n_factors: int | str | NumFactorsRule = "auto",
        *,
        controls: ArrayLike | None = None,
        residuals: str = "deviance",
        dispersion: ArrayLike | None = None,
        size_factors: Any = None,
        scale: str = "log_cpm",
        constant: float | None = None,
        compat: str | None = None,
        model: Any = None,
        random_state: Any = 0,
    ) -> None:
        super().__init__(n_factors, model=model, random_state=random_state)
        self.controls = controls
        self.residuals = residuals
        self.dispersion = dispersion
        self.size_factors = size_factors
        self.scale = scale
        self.constant = constant
        self.compat = compat

    def _estimate_factors(self, problem: AdjustmentProblem, n_factors: int, rng: np.random.Generator) -> FactorEstimate:
        if self.residuals not in RESIDUALS:
            raise MethodError(f"residuals={self.residuals!r} is unknown; RUVr knows 'deviance' and 'log'.")
        plain = problem if problem.raw is None else problem.raw
        matrix = self._deviance_residuals(plain) if self.residuals == "deviance" else plain.matrix
        if problem.controls is not None:
            matrix = FeatureSubset(matrix, np.flatnonzero(problem.controls))
        mean_only = self._literal and self.residuals == "deviance"
        basis = design_basis(np.ones((problem.n_samples, 1))) if mean_only else plain.basis
        scores = residual_spectrum(matrix, basis).vectors[:, :n_factors]
        return FactorEstimate(scores if problem.whitening is None else problem.whitening.apply(scores))

    def _deviance_residuals(self, problem: AdjustmentProblem) -> FeatureMatrix:
        logs = problem.matrix
        if not isinstance(logs, LogCounts):
            raise InputError('RUVr(residuals="deviance") needs counts; for other data use residuals="log".')
        sizes = self._size_factors(problem, logs)
        offset = np.log(sizes)
        basis = problem.basis
        dispersion = self._dispersion(logs.base, basis.q, offset)
        setting = GLMSetting(GLM_FAMILIES["negative_binomial"], offset, dispersion)
        fit = fit_glm(logs.base, basis.q, setting)
        return DevianceResiduals(logs.base, basis.q, fit.coef, setting)

    def _size_factors(self, problem: AdjustmentProblem, logs: LogCounts) -> Array:
        given = problem.annotations.get("size_factors")
        sizes = filled_totals(library_sizes(logs.base)) if given is None else np.asarray(given, dtype=np.float64)
        if not (np.isfinite(sizes).all() and (sizes > 0).all()):
            raise InputError("size_factors must be positive numbers, one per sample.")
        return sizes

    def _dispersion(self, counts: FeatureMatrix, columns: Array, offset: Array) -> Array:
        if self.dispersion is None:
            return estimate_dispersions(counts, columns, offset).shrunken
        given = np.asarray(self.dispersion, dtype=np.float64)
        if given.shape != (counts.shape[1],) or not (given >= 0).all():
            raise InputError(f"dispersion must be {counts.shape[1]} numbers from 0 up, one per feature.")
        return given
