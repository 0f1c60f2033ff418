"""Link by robust regression of all features' naive effects on their loadings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latentadj.confounding.attenuation import loading_reliability
from latentadj.core.robust import RobustFit, bisquare_regression, huber_cross_covariance, huber_regression
from latentadj.results.factors import LinkEstimate

Array = NDArray[np.float64]


class RobustRegression:
    """Huber regression across features: true effects are the outliers.

    Identified when most features have no effect, or when effects do not follow the loadings.

    Parameters
    ----------
    loss : {"huber", "bisquare"}, default="huber"
        Tukey's bisquare leaves large effects out altogether, where Huber's loss bounds their pull. It starts from
        Huber's fit and keeps its scale.

    Notes
    -----
    Wang, Zhao, Hastie and Owen (2017), section 3.2. Effects and loadings are divided by the features' noise
    standard deviation, and the residual scale is re-estimated by the median absolute deviation, so that many
    small effects widen the fit's errors instead of biasing them.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> A = rng.normal(size=(400, 1))
    >>> B = 2 * A + 0.1 * rng.normal(size=(400, 1))
    >>> B[:20] += 5
    >>> RobustRegression().estimate(B, A, np.full(400, 0.01), np.eye(1), None).omega.round(1)
    array([[2.]])
    """

    needs_controls = False

    def __init__(self, *, loss: str = "huber") -> None:
        self.loss = loss

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
        fits = [self._fit(column[used] / noise, predictors) for column in effects.T]
        k = loadings.shape[1]
        omega = np.array([fit.coef for fit in fits]).reshape(len(fits), k)
        covariance = huber_cross_covariance(fits, predictors)
        return LinkEstimate(omega, covariance, all(fit.converged for fit in fits))

    def _fit(self, response: Array, predictors: Array) -> RobustFit:
        fit = huber_regression(response, predictors)
        if self.loss == "huber" or fit.scale == 0.0:
            return fit
        return bisquare_regression(response, predictors, fit.coef, fit.scale)

    def reliability(self, loadings: Array, sigma2: Array, controls: NDArray[np.bool_] | None = None) -> Array:
        """Reliability of the standardised loadings over all features; see `ConfoundingModel.reliability`."""
        used = sigma2 > 0
        return loading_reliability(loadings[used], sigma2[used], 1.0 / sigma2[used])
