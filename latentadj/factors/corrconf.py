"""Factors of correlated samples."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.confounding import ConfoundingModel
from latentadj.core.factor_analysis import FactorModel, weighted_components
from latentadj.core.kernels import GramKernel
from latentadj.core.matrix import Array, FeatureMatrix
from latentadj.core.passes import run_pass
from latentadj.core.variance_components import SampleCovariance, sample_covariance
from latentadj.core.whitening import Whitening
from latentadj.data.annotations import resolve_covariances
from latentadj.design import Design
from latentadj.exceptions import MethodError, NotConvergedWarning
from latentadj.factors.bcconf import checked_link_method, link_of
from latentadj.factors.bcconf_reference import reference_estimate
from latentadj.factors.info import MethodInfo
from latentadj.factors.linked import LinkedFactorEstimator, residual_squares
from latentadj.factors.rotation import linked_factors, moderated_noise
from latentadj.num_factors import NumFactorsRule
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import FactorEstimate, NumFactorsResult

#: Times the number of factors and the covariance are estimated in turns, at most.
MAX_NUMBER_ROUNDS = 5


class CorrConf(LinkedFactorEstimator):
    """Residual factors, an attenuation-corrected link, and noise that is correlated between samples.

    Parameters
    ----------
    n_factors : {"auto"} or int or NumFactorsRule, default="auto"
        "auto" applies the rule to whitened samples, in turns with the covariance.
    covariances : list of array-like, optional
        Known matrices whose weighted sum is the covariance of a feature's noise: ``(n_samples, n_samples)`` arrays
        or data frames indexed by sample ID (kinship, say), or labels of groups that share noise (a column of the
        sample table by name, or a label per sample). The identity is always added.
    method : {"ols", "theory", "huber", "iterative"}, default="ols"
        The link, as for `BCconf`.
    compat : {None, "corrconf"}, default=None
        "corrconf" gives the factors of the R package: plain components and unmoderated noise variances.
    model : PrimaryModel or None, default=None
    random_state : default=0

    Notes
    -----
    McKennan and Nicolae (2020). ``Var(e_j) = delta_j V`` with ``V = sum_b tau_b B_b``: V and the factors are estimated
    in turns on the sample Gram matrix of the residuals, each feature scaled to equal variance; then samples are
    mapped by ``V^-1/2``, and everything else is done as for independent samples, the refit included.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y, family = np.tile([0, 1], 20), np.repeat(np.arange(20), 2)
    >>> z = rng.normal(size=40) + y
    >>> shared = rng.normal(size=(20, 400))[family]
    >>> X = np.outer(z, rng.normal(size=400)) + shared + rng.normal(size=(40, 400))
    >>> corrconf = CorrConf(n_factors=1, covariances=[family]).fit(X, y)
    >>> corrconf.estimate_.details["covariance_shares"].round(1)
    array([0.5, 0.5])
    """

    method_info: ClassVar[MethodInfo] = MethodInfo(
        name="corrconf",
        title="CorrConf",
        reference="McKennan and Nicolae (2020), Journal of the American Statistical Association 117:225",
        identified_by="true effects do not follow the loadings, and the noise has a covariance of the given form",
        identification="orthogonality",
        summary="BCconf for correlated samples: whitened by a covariance that is estimated along with the factors.",
        cautions=(
            "One covariance of the samples is shared by all features up to their variance; features whose "
            "correlations differ get the average.",
            "A hidden factor that is constant within groups and a covariance that the same groups share are hard to "
            "tell apart.",
            "Effects that follow the loadings are taken for confounding: type-I error 0.07 when 10 % of the features "
            "have such effects.",
        ),
    )

    def __init__(
        self,
        n_factors: int | str | NumFactorsRule = "auto",
        *,
        covariances: Any = None,
        method: str = "ols",
        compat: str | None = None,
        model: Any = None,
        random_state: Any = 0,
    ) -> None:
        super().__init__(n_factors, model=model, random_state=random_state)
        self.covariances = covariances
        self.method = method
        self.compat = compat

    def make_problem(
        self,
        matrix: FeatureMatrix,
        design: Design,
        feature_names: NDArray[Any] | None,
        *,
        sample_data: pd.DataFrame | None = None,
        sample_ids: Sequence[str] | None = None,
    ) -> AdjustmentProblem:
        """Bind data and design, with the covariance matrices in the order of the samples."""
        problem = super().make_problem(matrix, design, feature_names, sample_data=sample_data, sample_ids=sample_ids)
        found = resolve_covariances("covariances", self.covariances, matrix.shape[0], sample_data, sample_ids)
        return replace(problem, annotations={**problem.annotations, "covariances": found})

    def _choose_number(self, problem: AdjustmentProblem, rng: np.random.Generator) -> NumFactorsResult:
        number = super()._choose_number(problem, rng)
        if _is_independent(problem) or number.chosen_by == "user":
            return number
        seen = set()
        for _ in range(MAX_NUMBER_ROUNDS):
            if number.n_factors in seen:
                break
            seen.add(number.n_factors)
            whitening = Whitening.from_covariance(_covariance(problem, number.n_factors).covariance)
            number = super()._choose_number(problem.whitened(whitening), rng)
        return number

    def _estimate_factors(self, problem: AdjustmentProblem, n_factors: int, rng: np.random.Generator) -> FactorEstimate:
        if self.compat not in (None, "corrconf"):
            raise MethodError(f"compat={self.compat!r} is unknown; CorrConf knows None and 'corrconf'.")
        checked_link_method(self.method, "CorrConf", testing=self.compat is None)
        if _is_independent(problem):
            return self._linked(problem, n_factors)
        found = _covariance(problem, n_factors)
        if not found.converged:
            warnings.warn(
                f"CorrConf's covariance and factors had not settled after {found.n_iter} rounds: a factor and one of "
                "the covariances may stand for the same. Try fewer factors or fewer covariances.",
                NotConvergedWarning,
                stacklevel=2,
            )
        whitening = Whitening.from_covariance(found.covariance)
        estimate = self._linked(problem.whitened(whitening), n_factors).before(whitening)
        details = {**estimate.details, "covariance_shares": found.shares, "sample_covariance": found.covariance}
        return replace(estimate, details=details, converged=estimate.converged and found.converged)

    def _linked(self, problem: AdjustmentProblem, n_factors: int) -> FactorEstimate:
        if self.compat == "corrconf":
            return reference_estimate(problem, n_factors, self.method)
        return linked_factors(problem, self._factor_model(problem, n_factors), self._link(problem))

    def _link(self, problem: AdjustmentProblem) -> ConfoundingModel:
        return link_of(self.method, problem.df_resid)

    def _factor_model(self, problem: AdjustmentProblem, k: int) -> FactorModel:
        start, rss = super()._factor_model(problem, k), residual_squares(problem)
        return weighted_components(problem.matrix, problem.basis.complement(), problem.basis_to_remove, start, rss)


def _is_independent(problem: AdjustmentProblem) -> bool:
    """Whether no covariance was given that says more than independence."""
    n = problem.n_samples
    return all(np.array_equal(m, m[0, 0] * np.eye(n)) for m in problem.annotations.get("covariances", ()))


def _covariance(problem: AdjustmentProblem, k: int) -> SampleCovariance:
    """Estimate the samples' covariance, with every feature scaled by its moderated noise variance, twice."""
    components = np.concatenate([problem.annotations["covariances"], np.eye(problem.n_samples)[None]])
    unit = problem.unit_weights
    found = sample_covariance(_scaled_gram(problem, unit), components, problem.basis.q, k)
    whitened = problem.whitened(Whitening.from_covariance(found.covariance))
    weights = _noise_weights(whitened, k)
    return sample_covariance(_scaled_gram(problem, weights), components, problem.basis.q, k)


def _scaled_gram(problem: AdjustmentProblem, weights: Array) -> Array:
    (gram,) = run_pass(problem.matrix, GramKernel(problem.n_samples, basis=problem.basis.q, weights=weights))
    out: Array = gram / max(int(np.sum(weights > 0)), 1)
    return out


def _noise_weights(problem: AdjustmentProblem, k: int) -> Array:
    directions = problem.unit_spectrum.vectors[:, :k]
    loadings = problem.project(directions)
    left = np.maximum(residual_squares(problem) - np.einsum("mk,mk->m", loadings, loadings), 0.0)
    model = FactorModel(directions, loadings, left / max(problem.df_resid - k, 1), True, 1)
    noise = moderated_noise(problem, model)
    return np.divide(1.0, np.sqrt(noise), out=np.zeros_like(noise), where=noise > 0)
