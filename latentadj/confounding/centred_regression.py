"""Link by least squares of all features' naive effects on their loadings, with a common mean effect."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import pinvh

from latentadj.confounding.attenuation import loading_reliability
from latentadj.results.factors import LinkEstimate

Array = NDArray[np.float64]


class CentredRegression:
    """Least-squares regression across features with an intercept.

    Identified when true effects do not follow the loadings: they may be many, and have a common mean, but must be
    uncorrelated with the loadings across features.

    Parameters
    ----------
    weighted : bool, default=True
        Weight every feature by the inverse of its noise variance; otherwise all features count equally, as in the
        paper.

    Notes
    -----
    Lee, Sun, Wright and Zou (2017), step 2 of their algorithm: naive effects and loadings are centred over the
    features, so that a mean effect that all features share does not enter the link. Features with noise variance 0
    are left out. The covariance is the sandwich of White (1980), because what is left of a feature's effect after
    the regression is its own true effect, whose spread is unknown, and not only noise.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> A = 1 + rng.normal(size=(500, 1))
    >>> B = 3 + 2 * A + 0.1 * rng.normal(size=(500, 1))
    >>> CentredRegression().estimate(B, A, np.full(500, 0.01), np.eye(1)).omega.round(1)
    array([[2.]])
    """

    needs_controls = False

    def __init__(self, *, weighted: bool = True) -> None:
        self.weighted = weighted

    def estimate(
        self,
        effects: Array,
        loadings: Array,
        sigma2: Array,
        unscaled: Array,
        controls: NDArray[np.bool_] | None = None,
    ) -> LinkEstimate:
        """Estimate the link; see `ConfoundingModel.estimate`."""
        used, weights = self._weights(sigma2)
        predictors = _centred(loadings[used], weights)
        response = _centred(effects[used], weights)
        bread = np.asarray(pinvh((predictors * weights[:, None]).T @ predictors), dtype=np.float64)
        coef = bread @ (predictors * weights[:, None]).T @ response
        left = (response - predictors @ coef) * weights[:, None]
        return LinkEstimate(coef.T, _sandwich(bread, predictors, left))

    def reliability(self, loadings: Array, sigma2: Array, controls: NDArray[np.bool_] | None = None) -> Array:
        """Reliability of the centred loadings over all features; see `ConfoundingModel.reliability`."""
        used, weights = self._weights(sigma2)
        return loading_reliability(_centred(loadings[used], weights), sigma2[used], weights)

    def _weights(self, sigma2: Array) -> tuple[NDArray[np.bool_], Array]:
        used = sigma2 > 0
        return used, 1.0 / sigma2[used] if self.weighted else np.ones(int(used.sum()))


def _centred(columns: Array, weights: Array) -> Array:
    total = weights.sum()
    return columns - weights @ columns / total if total > 0 else columns


def _sandwich(bread: Array, predictors: Array, left: Array) -> Array:
    """Covariance ``(p, k, p, k)`` from weighted residuals ``(m, p)``, corrected for the coefficients spent."""
    (m, k), p = predictors.shape, left.shape[1]
    correction = m / max(m - k - 1, 1)
    out = np.zeros((p, k, p, k))
    for i in range(p):
        for l in range(i, p):
            meat = (predictors * (left[:, i] * left[:, l])[:, None]).T @ predictors
            out[i, :, l, :] = correction * bread @ meat @ bread
            out[l, :, i, :] = out[i, :, l, :].T
    return out
