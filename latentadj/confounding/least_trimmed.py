"""Link by high-breakdown regression of all features' naive effects on their loadings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latentadj.confounding.attenuation import loading_reliability
from latentadj.core.robust import RobustFit, bisquare_regression, huber_cross_covariance
from latentadj.core.trimmed import trimmed_regression
from latentadj.results.factors import LinkEstimate

Array = NDArray[np.float64]


class LeastTrimmedSquares:
    """Least trimmed squares across features, followed by an efficient step.

    Identified when more than half of the features have no effect, however large and one-sided the effects of the
    others and however they follow the loadings.

    Parameters
    ----------
    rng : numpy.random.Generator, optional
        Source of the random starts.
    n_starts : int, default=500
        Random starts; with 0 only the three starts that are not random are used, and the answer does not depend on
        the order of the features.

    Notes
    -----
    Wang, Zhao, Hastie and Owen (2017), section 3.2, name least trimmed squares as an alternative to Huber's loss. By
    itself it has 7 % efficiency; so its coefficients and scale start Tukey's bisquare regression (Yohai 1987),
    which keeps the breakdown point and has 95 %. Effects and loadings are divided by the features' noise standard
    deviations.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> A = rng.normal(size=(400, 1))
    >>> B = 2 * A + 0.1 * rng.normal(size=(400, 1))
    >>> B[:160] += 3 * A[:160]
    >>> LeastTrimmedSquares(rng).estimate(B, A, np.full(400, 0.01), np.eye(1), None).omega.round(1)
    array([[2.]])
    """

    needs_controls = False

    def __init__(self, rng: np.random.Generator | None = None, *, n_starts: int = 500) -> None:
        self.rng = rng
        self.n_starts = n_starts

    def estimate(
        self,
        effects: Array,
        loadings: Array,
        sigma2: Array,
        unscaled: Array,
        controls: NDArray[np.bool_] | None = None,
    ) -> LinkEstimate:
        """Estimate the link; see `ConfoundingModel.estimate`."""
        used = sigma2 > 0
        noise = np.sqrt(sigma2[used])
        predictors = loadings[used] / noise[:, None]
        fits = [self._fit(column / noise, predictors) for column in effects[used].T]
        k = loadings.shape[1]
        omega = np.array([fit.coef for fit in fits]).reshape(len(fits), k)
        return LinkEstimate(omega, huber_cross_covariance(fits, predictors), all(fit.converged for fit in fits))

    def _fit(self, response: Array, predictors: Array) -> RobustFit:
        start = trimmed_regression(response, predictors, n_starts=self.n_starts, rng=self.rng)
        return bisquare_regression(response, predictors, start.coef, start.scale)

    def reliability(self, loadings: Array, sigma2: Array, controls: NDArray[np.bool_] | None = None) -> Array:
        """Reliability of the standardised loadings over all features; see `ConfoundingModel.reliability`."""
        used = sigma2 > 0
        return loading_reliability(loadings[used], sigma2[used], 1.0 / sigma2[used])
