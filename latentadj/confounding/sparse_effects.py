"""Link and sparse true effects, estimated together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import norm

from latentadj.confounding.attenuation import loading_reliability
from latentadj.core.robust import (
    RobustFit,
    huber_cross_covariance,
    huber_regression,
    least_squares,
    median_absolute_deviation,
)
from latentadj.core.sparse_shift import ShiftProblem, refined, select_shift
from latentadj.results.factors import LinkEstimate

Array = NDArray[np.float64]

#: Thresholds that are tried, in robust standard deviations of the residuals.
THRESHOLDS = np.concatenate([np.arange(20.0, 6.0, -0.5), np.arange(6.0, 0.95, -0.1)])


class SparseEffects:
    """Regress effects on loadings with an effect of its own for a few features.

    Identified when few features have an effect.

    Parameters
    ----------
    penalty : {"hard", "soft", "ridge"}, default="hard"
        How effects are kept sparse; "ridge" shrinks all of them alike, which is least squares for the link.

    Notes
    -----
    Sun, Zhang and Owen (2012), Annals of Applied Statistics 6:1664, with the thresholding of She and Owen (2011) and
    its modified BIC. Effects and loadings are divided by the features' noise standard deviations, and the residuals
    by their robust scale, so that thresholds mean standard deviations. For the covariance hard thresholding is the
    M-estimate whose psi is the residual up to the threshold and zero beyond, soft thresholding Huber's.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> A = rng.normal(size=(400, 1))
    >>> B = 2 * A + 0.1 * rng.normal(size=(400, 1))
    >>> B[:20] += 5
    >>> link = SparseEffects().estimate(B, A, np.full(400, 0.01), np.eye(1), None)
    >>> link.omega.round(1), bool(link.sparse_effects[:20].all())
    (array([[2.]]), True)
    """

    needs_controls = False

    def __init__(self, *, penalty: str = "hard") -> None:
        self.penalty = penalty

    def estimate(
        self,
        effects: Array,
        loadings: Array,
        sigma2: Array,
        unscaled: Array,
        controls: NDArray[np.bool_] | None = None,
    ) -> LinkEstimate:
        """Estimate the link and the sparse effects, a primary column at a time; see `ConfoundingModel.estimate`."""
        used = sigma2 > 0
        noise = np.sqrt(sigma2[used])
        predictors = loadings[used] / noise[:, None]
        found = [self._column(column / noise, predictors) for column in effects[used].T]
        fits = [fit for fit, _ in found]
        shifts = np.zeros(effects.shape)
        shifts[used] = np.array([shift for _, shift in found]).reshape(-1, int(used.sum())).T * noise[:, None]
        omega = np.array([fit.coef for fit in fits]).reshape(len(fits), loadings.shape[1])
        covariance = huber_cross_covariance(fits, predictors)
        return LinkEstimate(omega, covariance, all(fit.converged for fit in fits), shifts)

    def _column(self, response: Array, predictors: Array) -> tuple[RobustFit, Array]:
        if predictors.shape[0] <= predictors.shape[1] + 1:
            return huber_regression(response, predictors), np.zeros_like(response)
        if self.penalty == "ridge":
            return _ridge(response, predictors)
        start = huber_regression(response, predictors)
        if start.scale == 0.0:
            return start, np.zeros_like(response)
        problem = ShiftProblem(response / start.scale, predictors, self.penalty, start.coef / start.scale)
        fit = refined(problem, select_shift(problem, THRESHOLDS))
        shift = fit.shift * start.scale
        residuals = response - predictors @ (fit.coef * start.scale)
        kept = residuals[shift == 0] if np.any(shift == 0) else residuals
        scale = median_absolute_deviation(kept)
        bound = fit.threshold * start.scale
        described = _hard if self.penalty == "hard" else _soft
        return described(fit.coef * start.scale, residuals, shift, scale, bound, fit.converged), shift

    def reliability(self, loadings: Array, sigma2: Array, controls: NDArray[np.bool_] | None = None) -> Array:
        """Reliability of the standardised loadings over all features; see `ConfoundingModel.reliability`."""
        used = sigma2 > 0
        return loading_reliability(loadings[used], sigma2[used], 1.0 / sigma2[used])


def _hard(coef: Array, residuals: Array, shift: Array, scale: float, bound: float, converged: bool) -> RobustFit:
    """Slope of the cut-off psi at the normal distribution: the share inside less the two jumps at the threshold."""
    influence = np.where(shift == 0, residuals, 0.0)
    edge = bound / scale if scale > 0 else np.inf
    inside = 2.0 * ndtr(edge) - 1.0
    jumps = 2.0 * edge * norm.pdf(edge) if np.isfinite(edge) else 0.0
    share = float(np.mean(shift == 0))
    slope = max(share * (1.0 - jumps / inside), 1e-3) if inside > 0 else 1e-3
    return RobustFit(coef, scale, influence, slope, converged, share * (1.0 - share))


def _soft(coef: Array, residuals: Array, shift: Array, scale: float, bound: float, converged: bool) -> RobustFit:
    share = float(np.mean(shift == 0))
    return RobustFit(coef, scale, np.clip(residuals, -bound, bound), share, converged, share * (1.0 - share))


def _ridge(response: Array, predictors: Array) -> tuple[RobustFit, Array]:
    """Least squares, and residuals shrunken by one less one over their standard deviation."""
    coef = least_squares(response, predictors)
    residuals = response - predictors @ coef
    size = float(residuals.std(ddof=1))
    shrunken = residuals * max(1.0 - 1.0 / size, 0.0) if size > 0 else residuals
    return RobustFit(coef, size, residuals, 1.0, True), shrunken
