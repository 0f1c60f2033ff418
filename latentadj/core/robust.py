"""Robust regression of effects on loadings, across features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, lstsq, solve

from latentadj.core.matrix import Array

#: Tuning constant of Huber's weights: 95 % efficiency at the normal distribution.
HUBER_K = 1.345
#: Tuning constant of Tukey's weights, for the same efficiency.
BISQUARE_C = 4.685
#: Makes the median absolute deviation consistent for the standard deviation of a normal sample.
MAD_SCALE = 1.4826022185056018
#: Ratio of pivots below which predictors are left to an SVD.
NEARLY_DEPENDENT = 1e-5
#: Rows of predictors that are weighted together.
MOMENT_ROWS = 1 << 15


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
        Mean slope of psi over the residuals; for Huber's psi the share of residuals inside its linear part.
    converged : bool
    slope_variance : float
        Variance of the slope over the residuals.
    """

    coef: Array
    scale: float
    influence: Array
    slope: float
    converged: bool
    slope_variance: float = 0.0


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss by its weights and the slope of its psi function, both of residuals in units of their scale.

    Attributes
    ----------
    weights : callable
        ``psi(u) / u`` of an array.
    slope : callable
        ``psi'(u)`` of an array.
    """

    weights: Callable[[Array], Array]
    slope: Callable[[Array], Array]


def huber_weights(residuals: Array) -> Array:
    """Huber's weights: 1 within 1.345, then falling like one over the residual."""
    out: Array = np.minimum(1.0, HUBER_K / np.maximum(np.abs(residuals), np.finfo(float).tiny))
    return out


def bisquare_weights(residuals: Array) -> Array:
    """Tukey's weights: ``(1 - (u / 4.685)^2)^2``, and 0 beyond."""
    out: Array = np.maximum(1.0 - (residuals / BISQUARE_C) ** 2, 0.0) ** 2
    return out


def _huber_slope(residuals: Array) -> Array:
    return (np.abs(residuals) <= HUBER_K).astype(np.float64)


def _bisquare_slope(residuals: Array) -> Array:
    share = np.minimum((residuals / BISQUARE_C) ** 2, 1.0)
    out: Array = (1.0 - share) * (1.0 - 5.0 * share)
    return out


HUBER = Loss(huber_weights, _huber_slope)
BISQUARE = Loss(bisquare_weights, _bisquare_slope)
LOSSES = {"huber": HUBER, "bisquare": BISQUARE}


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
    start = least_squares(response, predictors)
    return m_regression(response, predictors, HUBER, start, scale=scale, tol=tol, max_iter=max_iter)


def bisquare_regression(
    response: Array,
    predictors: Array,
    start: Array,
    scale: float,
    *,
    tol: float = 1e-10,
    max_iter: int = 500,
) -> RobustFit:
    """M-estimate with Tukey's redescending psi from a robust start, its residual scale held fixed.

    Parameters
    ----------
    response : ndarray of shape (m,)
    predictors : ndarray of shape (m, k)
    start : ndarray of shape (k,)
        Robust coefficients; the loss has many minima, and the one that is reached is the start's.
    scale : float
        Residual scale of the start.
    tol, max_iter
        As for `huber_regression`.

    Returns
    -------
    RobustFit

    Notes
    -----
    Yohai (1987), MM-estimation: the breakdown point is that of the start, and 4.685 gives 95 % efficiency at the
    normal distribution.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> A = rng.normal(size=(500, 1))
    >>> y = 2 * A[:, 0] + 0.1 * rng.normal(size=500)
    >>> y[:200] += 50
    >>> bisquare_regression(y, A, np.array([1.9]), 0.1).coef.round(1)
    array([2.])
    """
    return m_regression(response, predictors, BISQUARE, start, scale=scale, tol=tol, max_iter=max_iter)


def m_regression(
    response: Array,
    predictors: Array,
    loss: Loss,
    start: Array,
    *,
    scale: float | None,
    tol: float,
    max_iter: int,
) -> RobustFit:
    """Iteratively re-weighted least squares for any loss; see `huber_regression` and `bisquare_regression`."""
    m, k = predictors.shape
    if k == 0 or m <= k:
        return RobustFit(np.zeros(k), float(scale or 0.0), response.copy(), 1.0, k == 0)
    coef, converged = start, False
    residuals = response - predictors @ coef
    for _ in range(max_iter):
        spread = scale if scale is not None else median_absolute_deviation(residuals)
        if spread == 0.0:
            converged = True
            break
        step = weighted_step(residuals, predictors, loss.weights(residuals / spread))
        moved = predictors @ step
        coef, residuals = coef + step, residuals - moved
        if np.sqrt(np.mean(moved**2)) <= tol * spread:
            converged = True
            break
    residuals = response - predictors @ coef
    spread = scale if scale is not None else median_absolute_deviation(residuals)
    return _described(coef, residuals, float(spread), loss, converged)


def _described(coef: Array, residuals: Array, spread: float, loss: Loss, converged: bool) -> RobustFit:
    if spread == 0.0:
        return RobustFit(coef, 0.0, np.zeros_like(residuals), float(np.mean(residuals == 0)), converged)
    relative = residuals / spread
    slopes = loss.slope(relative)
    influence = loss.weights(relative) * residuals
    return RobustFit(coef, spread, influence, float(slopes.mean()), converged, float(slopes.var()))


def huber_cross_covariance(fits: list[RobustFit], predictors: Array) -> Array:
    """Covariance of several M-estimates that share their predictors.

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
    slope of psi, v its variance and ``K = 1 + k v / (m s^2)`` its small-sample factor; the off-diagonal blocks are
    the same formula for the joint estimating equations.
    """
    m, k = predictors.shape
    p = len(fits)
    if k == 0 or m <= k:
        return np.zeros((p, k, p, k))
    slopes = np.array([max(fit.slope, 1e-3) for fit in fits])
    corrections = 1.0 + k * np.array([fit.slope_variance for fit in fits]) / (m * slopes**2)
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


def weighted_step(residuals: Array, predictors: Array, weights: Array) -> Array:
    """Change of the coefficients ``(k,)`` that minimises a weighted sum of squares.

    Parameters
    ----------
    residuals : ndarray of shape (m,)
        From any coefficients.
    predictors : ndarray of shape (m, k)
    weights : ndarray of shape (m,)

    Returns
    -------
    ndarray of shape (k,)

    Notes
    -----
    Normal equations in the residuals, as in iterative refinement: their round-off is a share of the step, which
    goes to zero, and not of the coefficients. Predictors that are close to dependent go to an SVD instead.
    """
    moment, score = _weighted_moments(residuals, predictors, weights)
    try:
        factor = cho_factor(moment)
    except LinAlgError:
        return _by_svd(residuals, predictors, weights)
    diagonal = np.abs(np.diag(factor[0]))
    if diagonal.min() <= NEARLY_DEPENDENT * diagonal.max():
        return _by_svd(residuals, predictors, weights)
    out: Array = cho_solve(factor, score)
    return out


def _weighted_moments(residuals: Array, predictors: Array, weights: Array) -> tuple[Array, Array]:
    """``X' W X`` and ``X' W r``, some rows at a time: no weighted copy of millions of rows."""
    k = predictors.shape[1]
    moment, score = np.zeros((k, k)), np.zeros(k)
    for start in range(0, len(predictors), MOMENT_ROWS):
        rows = slice(start, start + MOMENT_ROWS)
        weighted = predictors[rows] * weights[rows, None]
        moment += weighted.T @ predictors[rows]
        score += weighted.T @ residuals[rows]
    return moment, score


def _by_svd(residuals: Array, predictors: Array, weights: Array) -> Array:
    root = np.sqrt(weights)
    return least_squares(residuals * root, predictors * root[:, None])
