"""Robust regression of effects on loadings, across features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import lstsq, solve

from latentadj.core.matrix import Array

#: Tuning constant of Huber's weights: 95 % efficiency at the normal distribution.
HUBER_K = 1.345
#: Makes the median absolute deviation consistent for the standard deviation of a normal sample.
MAD_SCALE = 1.4826022185056018


@dataclass(frozen=True, slots=True)
class RobustFit:
    """A robust linear fit.

    Attributes
    ----------
    coef : ndarray of shape (k,)
    scale : float
        Residual scale.
    influence : ndarray of shape (m,)
        Bounded residuals psi(r / scale) * scale.
    slope : float
        Share of residuals inside the linear part of psi.
    converged : bool
    """

    coef: Array
    scale: float
    influence: Array
    slope: float
    converged: bool


def median_absolute_deviation(residuals: Array) -> float:
    """Median of absolute values about zero, scaled to the standard deviation of a normal sample."""
    return float(np.median(np.abs(residuals)) * MAD_SCALE)


def huber_regression(
    response: Array,
    predictors: Array,
    *,
    scale: float | None = None,
    tol: float = 1e-10,
    max_iter: int = 200,
) -> RobustFit:
    """M-estimate of a linear relation without intercept, by iteratively re-weighted least squares.

    Parameters
    ----------
    response : ndarray of shape (m,)
    predictors : ndarray of shape (m, k)
    scale : float, optional
        Known residual scale; re-estimated by the median absolute deviation at every step without it.
    tol : float, default=1e-10
        Largest change of a fitted value's root mean square, relative to the scale.
    max_iter : int, default=200

    Returns
    -------
    RobustFit

    Notes
    -----
    Huber (1964); psi is linear within 1.345 scales and constant beyond.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> A = rng.normal(size=(500, 2))
    >>> y = A @ [1.0, -2.0] + 0.1 * rng.normal(size=500)
    >>> y[:25] += 50
    >>> huber_regression(y, A).coef.round(1)
    array([ 1., -2.])
    """
    m, k = predictors.shape
    if k == 0 or m <= k:
        return RobustFit(np.zeros(k), float(scale or 0.0), response.copy(), 1.0, k == 0)
    coef = least_squares(response, predictors)
    converged = False
    for _ in range(max_iter):
        residuals = response - predictors @ coef
        spread = scale if scale is not None else median_absolute_deviation(residuals)
        if spread == 0.0:
            converged = True
            break
        bound = HUBER_K * spread
        huber = np.minimum(1.0, bound / np.maximum(np.abs(residuals), np.finfo(float).tiny))
        updated = weighted_least_squares(response, predictors, huber)
        change = np.sqrt(np.mean((predictors @ (updated - coef)) ** 2))
        coef = updated
        if change <= tol * spread:
            converged = True
            break
    residuals = response - predictors @ coef
    spread = scale if scale is not None else median_absolute_deviation(residuals)
    bound = HUBER_K * spread
    slope = float(np.mean(np.abs(residuals) <= bound))
    return RobustFit(coef, float(spread), np.clip(residuals, -bound, bound), slope, converged)


def huber_cross_covariance(fits: list[RobustFit], predictors: Array) -> Array:
    """Covariance of several Huber fits that share their predictors.

    Parameters
    ----------
    fits : list of RobustFit, length p
    predictors : ndarray of shape (m, k)

    Returns
    -------
    ndarray of shape (p, k, p, k)
        Entry ``[i, :, l, :]`` is the covariance between the coefficients of fits i and l.

    Notes
    -----
    Huber (1981), section 7.6: ``K_i K_l [sum psi_i psi_l / (m - k)] / (s_i s_l) (A' A)^-1`` with s the mean
    slope of psi and ``K = 1 + k (1 - s) / (m s)`` its small-sample factor; the off-diagonal blocks are the same
    formula for the joint estimating equations.
    """
    m, k = predictors.shape
    p = len(fits)
    if k == 0 or m <= k:
        return np.zeros((p, k, p, k))
    slopes = np.array([max(fit.slope, 1e-3) for fit in fits])
    corrections = 1.0 + k * (1.0 - slopes) / (m * slopes)
    influence = np.column_stack([fit.influence for fit in fits])
    between = influence.T @ influence / (m - k) * np.outer(corrections / slopes, corrections / slopes)
    precision = solve(predictors.T @ predictors, np.eye(k), assume_a="sym")
    out: Array = np.einsum("il,kj->iklj", between, precision)
    return out


def least_squares(response: Array, predictors: Array) -> Array:
    """Least-squares coefficients ``(k,)`` or ``(k, p)`` of responses ``(m,)`` or ``(m, p)``; no intercept."""
    if predictors.shape[1] == 0:
        return np.zeros((0,) + response.shape[1:])
    out: Array = lstsq(predictors, response)[0]
    return out


def weighted_least_squares(response: Array, predictors: Array, weights: Array) -> Array:
    """Coefficients ``(k,)`` that minimise the weighted sum of squares; no intercept."""
    root = np.sqrt(weights)
    return least_squares(response * root, predictors * root[:, None])
