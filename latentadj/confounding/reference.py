"""Links as the R package cate computes them, for comparison only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latentadj.core.robust import HUBER_K, least_squares, weighted_least_squares
from latentadj.results.factors import LinkEstimate

Array = NDArray[np.float64]


class UnweightedHuber:
    """Robust regression whose re-weighting leaves the noise variances out of the weighted least squares.

    Notes
    -----
    The residual of feature j is measured in units of its own standard error, but the least-squares steps give
    all features the same weight: this minimises ``sum sigma_j^2 rho(r_j / s_j)`` instead of
    ``sum rho(r_j / s_j)``. Kept so that numbers can be compared; `RobustRegression` is the corrected form.
    """

    needs_controls = False

    def __init__(self, *, n: float, tol: float = 1e-4, max_iter: int = 100) -> None:
        self.n = n
        self.tol = tol
        self.max_iter = max_iter

    def estimate(
        self,
        effects: Array,
        loadings: Array,
        sigma2: Array,
        unscaled: Array,
        controls: NDArray[np.bool_] | None = None,
    ) -> LinkEstimate:
        """Estimate the link; see `ConfoundingModel.estimate`. Its covariance is left at zero."""
        p, k = effects.shape[1], loadings.shape[1]
        scale = np.sqrt(sigma2 / self.n)
        omega = np.array([self._column(column, loadings, scale) for column in effects.T]).reshape(p, k)
        return LinkEstimate(omega, np.zeros((p, k, p, k)))

    def _column(self, effects: Array, loadings: Array, scale: Array) -> Array:
        coef = least_squares(effects, loadings)
        residuals = effects - loadings @ coef
        for _ in range(self.max_iter):
            weights = np.minimum(1.0, HUBER_K * scale / np.maximum(np.abs(residuals), np.finfo(float).tiny))
            coef = weighted_least_squares(effects, loadings, weights)
            updated = effects - loadings @ coef
            change = np.sqrt(np.sum((residuals - updated) ** 2) / max(np.sum(residuals**2), 1e-20))
            residuals = updated
            if change <= self.tol:
                break
        return coef
