"""Links as the R packages cate and BCconf compute them, for comparison only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latentadj.core.robust import HUBER, LOSSES, least_squares, m_regression, weighted_step
from latentadj.core.trimmed import trimmed_regression
from latentadj.results.factors import LinkEstimate

Array = NDArray[np.float64]


class _Uncorrected:
    """What the links below share: no controls, no correction for errors in the loadings."""

    needs_controls = False

    def reliability(self, loadings: Array, sigma2: Array, controls: NDArray[np.bool_] | None) -> Array:
        """Return the identity: the packages take the loadings as known."""
        return np.eye(loadings.shape[1])


class UnweightedRobust(_Uncorrected):
    """Robust regression whose re-weighting leaves the noise variances out of the weighted least squares.

    Parameters
    ----------
    n : float
        Number of samples, by which the package scales.
    loss : {"huber", "bisquare"}, default="huber"
    tol : float, default=1e-4
        Relative change of the residuals at which the package stops.
    max_iter : int, default=100

    Notes
    -----
    The residual of feature j is measured in units of its own standard error, but the least-squares steps give
    all features the same weight: this minimises ``sum sigma_j^2 rho(r_j / s_j)`` instead of
    ``sum rho(r_j / s_j)``. Kept so that numbers can be compared; `RobustRegression` is the corrected form.
    """

    def __init__(self, *, n: float, loss: str = "huber", tol: float = 1e-4, max_iter: int = 100) -> None:
        self.n = n
        self.loss = loss
        self.tol = tol
        self.max_iter = max_iter

    def estimate(
        self,
        effects: Array,
        loadings: Array,
        sigma2: Array,
        unscaled: Array,
        controls: NDArray[np.bool_] | None,
    ) -> LinkEstimate:
        """Estimate the link; see `ConfoundingModel.estimate`. Its covariance is left at zero."""
        scale = np.sqrt(sigma2 / self.n)
        omega = np.array([self._column(column, loadings, scale) for column in effects.T])
        return _without_error(omega, effects, loadings)

    def _column(self, effects: Array, loadings: Array, scale: Array) -> Array:
        coef = least_squares(effects, loadings)
        residuals = effects - loadings @ coef
        weights_of = LOSSES[self.loss].weights
        for _ in range(self.max_iter):
            units = np.divide(residuals, scale, out=np.zeros_like(residuals), where=scale > 0)
            step = weighted_step(residuals, loadings, weights_of(units))
            coef, updated = coef + step, residuals - loadings @ step
            change = np.sqrt(np.sum((residuals - updated) ** 2) / max(np.sum(residuals**2), 1e-20))
            residuals = updated
            if change <= self.tol:
                break
        return coef


class UnweightedTrimmed(_Uncorrected):
    """Least trimmed squares of the effects as they are, without weights and without a second step.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of the random starts.
    n_starts : int, default=500

    Notes
    -----
    The package takes the best of its random subsets, improved little or not at all; this takes the best after
    concentration, so that its objective is at most as large, and its numbers are near, not equal.
    """

    def __init__(self, rng: np.random.Generator, *, n_starts: int = 500) -> None:
        self.rng = rng
        self.n_starts = n_starts

    def estimate(
        self,
        effects: Array,
        loadings: Array,
        sigma2: Array,
        unscaled: Array,
        controls: NDArray[np.bool_] | None,
    ) -> LinkEstimate:
        """Estimate the link; see `ConfoundingModel.estimate`. Its covariance is left at zero."""
        omega = [trimmed_regression(c, loadings, n_starts=self.n_starts, rng=self.rng).coef for c in effects.T]
        return _without_error(np.array(omega), effects, loadings)


class UnitHuber(_Uncorrected):
    """Huber regression of standardised effects on standardised loadings whose residual scale is taken as one.

    Notes
    -----
    The residuals of effects over noise standard deviations are not of unit size but of that of ``(X' X)^-1``, so
    that the tuning constant is not the one it is meant to be. McKennan's package BCconf.
    """

    def estimate(
        self,
        effects: Array,
        loadings: Array,
        sigma2: Array,
        unscaled: Array,
        controls: NDArray[np.bool_] | None,
    ) -> LinkEstimate:
        """Estimate the link; see `ConfoundingModel.estimate`. Its covariance is left at zero."""
        used = sigma2 > 0
        noise = np.sqrt(sigma2[used])
        predictors = loadings[used] / noise[:, None]
        omega = []
        for column in effects[used].T / noise:
            start = least_squares(column, predictors)
            omega.append(m_regression(column, predictors, HUBER, start, scale=1.0, tol=1e-12, max_iter=1000).coef)
        return _without_error(np.array(omega), effects, loadings)


def _without_error(omega: Array, effects: Array, loadings: Array) -> LinkEstimate:
    p, k = effects.shape[1], loadings.shape[1]
    return LinkEstimate(omega.reshape(p, k), np.zeros((p, k, p, k)))
