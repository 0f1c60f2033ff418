"""The shell of methods that factor the residuals and then link the factors to the primary variables."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from latentadj.confounding import ConfoundingModel
from latentadj.core.factor_analysis import FactorModel, principal_components
from latentadj.core.matrix import Array
from latentadj.core.spectrum import ResidualSpectrum
from latentadj.factors.base import LatentFactorEstimator
from latentadj.factors.rotation import linked_factors
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import FactorEstimate


class LinkedFactorEstimator(LatentFactorEstimator):
    """Base class of methods that are a factor model of the residuals and a confounding model.

    A new method of this kind sets `method_info` and writes `_link`; `_spectrum` and `_factor_model` say otherwise
    where the factors are not the principal components of residuals scaled to unit variance.

    Notes
    -----
    Method notes, identity 1: with ``Z = U + X omega'`` for orthonormal residual directions U and least-squares
    loadings, refitting every feature equals subtracting ``loadings omega'`` from its naive effects, so that such
    methods differ in U and omega only.
    """

    @abstractmethod
    def _link(self, problem: AdjustmentProblem) -> ConfoundingModel:
        """Return the confounding model."""

    @property
    def _with_error(self) -> bool:
        """Whether the errors of loadings and link are minded; False where a reference does not."""
        return True

    def _spectrum(self, problem: AdjustmentProblem) -> ResidualSpectrum:
        """Spectrum that the components are taken from."""
        return problem.unit_spectrum

    def _allowed(self, problem: AdjustmentProblem, n_factors: int) -> int:
        """Return the number of factors that the method can carry."""
        return n_factors

    def _factor_model(self, problem: AdjustmentProblem, k: int) -> FactorModel:
        """Orthonormal residual directions with their loadings and noise variances."""
        return principal_components(
            problem.matrix, self._spectrum(problem), residual_squares(problem), k, divisor=max(problem.df_resid - k, 1)
        )

    def _estimate_factors(self, problem: AdjustmentProblem, n_factors: int, rng: np.random.Generator) -> FactorEstimate:
        n_factors = self._allowed(problem, n_factors)
        if n_factors == 0:
            return FactorEstimate(np.empty((problem.n_samples, 0)))
        model = self._factor_model(problem, n_factors)
        return linked_factors(problem, model, self._link(problem), with_error=self._with_error)


def residual_squares(problem: AdjustmentProblem) -> Array:
    """Residual sums of squares ``(n_features,)``, exactly 0 for features that do not vary."""
    return np.where(problem.constant, 0.0, problem.sums.rss)
