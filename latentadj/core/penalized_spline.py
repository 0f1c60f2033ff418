"""Cubic smoothing splines whose smoothing parameter is searched as ``stats::smooth.spline`` in R searches it.

The range and the stopping rule of the search are the reference's, and the coefficients are, as there, those
of the *last* trial, not of the best one. The parts that do not depend on the responses are in
`latentadj.core.spline_system`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from latentadj.core.minimum import last_trial
from latentadj.core.pvalues import FloatArray
from latentadj.core.spline_system import SplineSystem


@dataclass(frozen=True, slots=True)
class SmoothingSpline:
    """A fitted cubic spline as one polynomial per knot interval.

    Attributes
    ----------
    breaks : ndarray, shape (q,)
        Distinct knots on the scaled abscissae, from 0 to 1.
    coefficients : ndarray, shape (4, q - 1)
        Coefficients of u^0 .. u^3, u = x - left end.
    spar : float
        Smoothing parameter of the last trial, ``tau = 16^(6 spar - 2)``.
    df : float
        Sum of the leverages at `spar`.
    """

    breaks: FloatArray
    coefficients: FloatArray
    spar: float
    df: float


def _tau(spar: float) -> float:
    return float(16.0 ** (6.0 * spar - 2.0))


def _fit_last_trial(
    system: SplineSystem, scores: FloatArray, criterion: Callable[[float, FloatArray], float]
) -> SmoothingSpline:
    """Search spar by `criterion(tau, scale)`, scale = 1 / (c^2 + tau s^2), and return the spline of the last trial."""
    scale = np.empty_like(system.fit_weight)

    def rescale(spar: float) -> float:
        tau = _tau(spar)
        np.multiply(system.penalty_weight, tau, out=scale)
        np.add(scale, system.fit_weight, out=scale)
        np.reciprocal(scale, out=scale)
        return tau

    spar = last_trial(lambda spar: criterion(rescale(spar), scale))
    rescale(spar)
    df = float(system.leverage_weight @ scale)
    return SmoothingSpline(system.breaks, system.polynomials @ (scale * scores), spar, df)


def fit_by_gcv(system: SplineSystem, y: FloatArray) -> SmoothingSpline:
    """Fit a smoothing spline, lambda by generalised cross-validation.

    Parameters
    ----------
    system : SplineSystem
        System of n abscissae.
    y : ndarray, shape (n,)
        Responses, weights one.

    Returns
    -------
    SmoothingSpline

    Notes
    -----
    The residual sum of squares is the part outside the spline space, which no lambda changes, plus the shrunk
    part; the shortcut ``|y|^2 - ...`` would lose the digits that decide between nearly interpolating fits.

    References
    ----------
    Craven & Wahba (1979), Numer. Math. 31, 377-403.

    Examples
    --------
    >>> import numpy as np
    >>> from latentadj.core.spline_system import spline_system
    >>> x = np.linspace(0.0, 1.0, 30)
    >>> fit = fit_by_gcv(spline_system(x), x**2)
    >>> bool(np.abs(evaluate(fit, x) - x**2).max() < 1e-3)
    True
    """
    scores = system.rotation.T @ y
    outside = y - system.rotation @ scores
    fixed, n = float(outside @ outside), y.size
    roughness, leverage_weight, shrunk = system.penalty_weight * scores, system.leverage_weight, np.empty_like(scores)

    def criterion(tau: float, scale: FloatArray) -> float:
        np.multiply(roughness, scale, out=shrunk)
        lost = tau * tau * shrunk.dot(shrunk)
        return float((fixed + lost) / n / (1.0 - leverage_weight.dot(scale) / n) ** 2)

    return _fit_last_trial(system, scores, criterion)


def fit_by_df(system: SplineSystem, y: FloatArray, df: float) -> SmoothingSpline:
    """Fit a smoothing spline with a given number of effective degrees of freedom.

    Parameters
    ----------
    system : SplineSystem
        System of n abscissae.
    y : ndarray, shape (n,)
        Responses, weights one.
    df : float
        Wanted sum of the leverages, above 1 and at most n.

    Returns
    -------
    SmoothingSpline
        Its `df` differs from the wanted one by the tolerance of the search (1e-4 in spar).

    Examples
    --------
    >>> import numpy as np
    >>> from latentadj.core.spline_system import spline_system
    >>> x = np.linspace(0.0, 1.0, 19)
    >>> round(fit_by_df(spline_system(x), x**2, df=3.0).df, 2)
    3.0
    """
    scores = system.rotation.T @ y

    def criterion(tau: float, scale: FloatArray) -> float:
        return 3.0 + (df - float(system.leverage_weight.dot(scale))) ** 2

    return _fit_last_trial(system, scores, criterion)


def _horner(fit: SmoothingSpline, x: FloatArray, spread: Callable[[FloatArray], FloatArray]) -> FloatArray:
    """Evaluate the interval polynomials at `x`; `spread` takes a value per interval to one per point."""
    offset = x - spread(fit.breaks[:-1])
    result = spread(fit.coefficients[-1])
    for row in fit.coefficients[-2::-1]:
        result *= offset
        result += spread(row)
    return result


def evaluate(fit: SmoothingSpline, x: FloatArray) -> FloatArray:
    """Evaluate a spline.

    Parameters
    ----------
    fit : SmoothingSpline
        A fitted spline.
    x : ndarray, shape (m,)
        Points in [0, 1] on the scaled abscissae, in any order.

    Returns
    -------
    ndarray, shape (m,)

    Examples
    --------
    >>> import numpy as np
    >>> line = SmoothingSpline(np.array([0.0, 1.0]), np.array([[1.0], [2.0], [0.0], [0.0]]), 0.0, 2.0)
    >>> evaluate(line, np.array([0.5, 0.0]))
    array([2., 1.])
    """
    interval = np.searchsorted(fit.breaks[1:-1], x, side="right")
    return _horner(fit, x, lambda values: values[interval])


def evaluate_sorted(fit: SmoothingSpline, x_sorted: FloatArray) -> FloatArray:
    """Evaluate a spline at increasing points; faster than `evaluate`, which has to look up every point.

    Parameters
    ----------
    fit : SmoothingSpline
        A fitted spline.
    x_sorted : ndarray, shape (m,)
        Points in [0, 1] on the scaled abscissae, in increasing order.

    Returns
    -------
    ndarray, shape (m,)

    Examples
    --------
    >>> import numpy as np
    >>> line = SmoothingSpline(np.array([0.0, 1.0]), np.array([[1.0], [2.0], [0.0], [0.0]]), 0.0, 2.0)
    >>> evaluate_sorted(line, np.array([0.0, 0.5]))
    array([1., 2.])
    """
    first = np.searchsorted(x_sorted, fit.breaks[1:-1])
    counts = np.diff(first, prepend=0, append=x_sorted.size)
    return _horner(fit, x_sorted, lambda values: np.repeat(values, counts))
