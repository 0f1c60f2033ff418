"""Cubic smoothing splines on a reduced set of knots, with the smoothing parameter searched as R searches it.

The spline minimises ``|y - B c|^2 + lambda c' S c`` with B the cubic B-spline basis and S the Gram matrix of second
derivatives (O'Sullivan 1986). For fixed abscissae, B and S are diagonalised together once (a generalised singular
value decomposition, the Demmler-Reinsch basis); afterwards a trial value of lambda costs a few operations on vectors
of the number of coefficients. Four details follow ``stats::smooth.spline``, whose answers are the reference: the
number of knots, the constant .3330 where the exact Gram matrix has 1/3, the range and stopping rule of the search,
and that the coefficients are those of the *last* trial, not of the best one.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import BSpline
from scipy.linalg import qr, solve_triangular

from latentadj.core.density import GRID_SIZE
from latentadj.core.minimum import last_trial
from latentadj.core.pvalues import FloatArray

_DEGREE = 3
_THIRD = 0.3330  # the reference's rounded 1/3 in the integral of a squared linear function
_END_SHIFT = 1e-11  # its leverage of the last point is taken this far inside the range


@dataclass(frozen=True, slots=True)
class SplineSystem:
    """Everything about a smoothing spline that does not depend on the responses.

    With ``tau = lambda / ratio``, the fit is ``U diag(c^2 / (c^2 + tau s^2)) U'y``.

    Attributes
    ----------
    breaks : ndarray, shape (q,)
        Distinct knots, on the abscissae scaled to [0, 1].
    rotation : ndarray, shape (n, r)
        U, orthonormal; r = min(n, q + 2).
    fit_weight, penalty_weight : ndarray, shape (r,)
        c^2 and s^2: how far a direction is seen by the data and by the penalty; they add to one.
    leverage_weight : ndarray, shape (r,)
        Share of each direction in the sum of leverages; c^2 but for the shift of the last point.
    polynomials : ndarray, shape (4, q - 1, r)
        From ``c / (c^2 + tau s^2) * U'y`` to the coefficients of u^0 .. u^3 on every knot interval, u measured from
        its left end.
    """

    breaks: FloatArray
    rotation: FloatArray
    fit_weight: FloatArray
    penalty_weight: FloatArray
    leverage_weight: FloatArray
    polynomials: FloatArray


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


def n_inner_knots(n: int) -> int:
    """Return how many knots serve n distinct abscissae: all below 50, growing slowly afterwards.

    Parameters
    ----------
    n : int
        Number of distinct abscissae.

    Returns
    -------
    int

    Notes
    -----
    Geometric interpolation through (50, 50), (200, 100), (800, 140), (3200, 200), the rule of
    ``stats::smooth.spline``.

    Examples
    --------
    >>> n_inner_knots(19), n_inner_knots(512)
    (19, 119)
    """
    if n < 50:
        return n
    if n >= 3200:
        return int(200 + (n - 3200) ** 0.2)
    return int(2.0 ** np.interp(n, [50, 200, 800, 3200], np.log2([50, 100, 140, 200])))


def _penalty_root(knots: FloatArray, n_coefs: int) -> FloatArray:
    """Return C with C'C = S, two rows per knot interval (the second derivative is linear within one)."""
    breaks = knots[_DEGREE : n_coefs + 1]
    curvature = BSpline(knots, np.eye(n_coefs), _DEGREE).derivative(2)(breaks)
    start, rise = curvature[:-1], np.diff(curvature, axis=0)
    width = np.sqrt(np.diff(breaks))[:, None]
    return np.vstack([width * (start + 0.5 * rise), width * math.sqrt(_THIRD - 0.25) * rise])


def _trace_ratio(basis: FloatArray, penalty_root: FloatArray) -> float:
    """Trace of B'B over trace of S, both without two entries at the left and three at the right."""
    inner = slice(2, basis.shape[1] - 3)
    return float(np.sum(basis[:, inner] ** 2) / np.sum(penalty_root[:, inner] ** 2))


def _polynomial_maps(knots: FloatArray, coefs: FloatArray) -> FloatArray:
    """Taylor coefficients at the left end of every knot interval, for each column of spline coefficients."""
    breaks = knots[_DEGREE : coefs.shape[0] + 1]
    spline = BSpline(knots, coefs, _DEGREE)
    return np.stack([spline(breaks[:-1], nu=k) / math.factorial(k) for k in range(_DEGREE + 1)])


def spline_system(x: FloatArray) -> SplineSystem:
    """Diagonalise basis and penalty for the given abscissae.

    Parameters
    ----------
    x : ndarray, shape (n,)
        Strictly increasing from 0 to 1, n >= 4.

    Returns
    -------
    SplineSystem

    References
    ----------
    Demmler & Reinsch (1975), Numer. Math. 24, 375-382; O'Sullivan (1986), Statist. Sci. 1, 502-518.

    Examples
    --------
    >>> import numpy as np
    >>> spline_system(np.linspace(0.0, 1.0, 19)).breaks.size
    19
    """
    picked = np.linspace(0, x.size - 1, n_inner_knots(x.size)).astype(np.intp)
    knots = np.concatenate([[x[0]] * _DEGREE, x[picked], [x[-1]] * _DEGREE])
    basis = BSpline.design_matrix(x, knots, _DEGREE).toarray()
    root = _penalty_root(knots, basis.shape[1])
    root *= math.sqrt(_trace_ratio(basis, root))
    q, upper = qr(np.vstack([basis, root]), mode="economic")
    rotation, seen, directions = np.linalg.svd(q[: x.size], full_matrices=False)
    to_coefs = solve_triangular(upper, directions.T)
    penalty_weight = np.sum((q[x.size :] @ directions.T) ** 2, axis=0)
    inside = BSpline.design_matrix(x[-1:] - _END_SHIFT, knots, _DEGREE).toarray()[0] @ to_coefs
    return SplineSystem(
        breaks=x[picked],
        rotation=rotation,
        fit_weight=seen**2,
        penalty_weight=penalty_weight,
        leverage_weight=seen**2 + inside**2 - (basis[-1] @ to_coefs) ** 2,
        polynomials=_polynomial_maps(knots, to_coefs * seen),
    )


@functools.cache
def grid_system() -> SplineSystem:
    """Return the system of the 512-point density grid, which is the same for all data once scaled to [0, 1].

    Returns
    -------
    SplineSystem
        Computed at the first call and kept.

    Examples
    --------
    >>> grid_system().polynomials.shape
    (4, 118, 121)
    """
    return spline_system(np.arange(GRID_SIZE) / (GRID_SIZE - 1.0))


def _tau(spar: float) -> float:
    return float(16.0 ** (6.0 * spar - 2.0))


def _fit_last_trial(
    system: SplineSystem, scores: FloatArray, criterion: Callable[[FloatArray, FloatArray], float]
) -> SmoothingSpline:
    """Search spar by `criterion(shrunk, leverages)` and return the spline of the last trial."""

    def trial(spar: float) -> float:
        loss = _tau(spar) * system.penalty_weight
        scale = 1.0 / (system.fit_weight + loss)
        return criterion(loss * scale, system.leverage_weight * scale)

    spar = last_trial(trial)
    scale = 1.0 / (system.fit_weight + _tau(spar) * system.penalty_weight)
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
    The residual sum of squares is the part outside the spline space, which no lambda changes, plus the shrunk part;
    the shortcut ``|y|^2 - ...`` would lose the digits that decide between nearly interpolating fits.

    References
    ----------
    Craven & Wahba (1979), Numer. Math. 31, 377-403.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(0.0, 1.0, 30)
    >>> fit = fit_by_gcv(spline_system(x), x**2)
    >>> bool(np.abs(evaluate(fit, x) - x**2).max() < 1e-3)
    True
    """
    scores = system.rotation.T @ y
    outside = y - system.rotation @ scores
    fixed, n = float(outside @ outside), y.size

    def criterion(lost: FloatArray, leverages: FloatArray) -> float:
        shrunk = lost * scores
        return float((fixed + shrunk @ shrunk) / n / (1.0 - leverages.sum() / n) ** 2)

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
    >>> x = np.linspace(0.0, 1.0, 19)
    >>> round(fit_by_df(spline_system(x), x**2, df=3.0).df, 2)
    3.0
    """
    scores = system.rotation.T @ y

    def criterion(lost: FloatArray, leverages: FloatArray) -> float:
        return 3.0 + (df - float(leverages.sum())) ** 2

    return _fit_last_trial(system, scores, criterion)


def _horner(fit: SmoothingSpline, x: FloatArray, spread: Callable[[FloatArray], FloatArray]) -> FloatArray:
    """Evaluate the interval polynomials at `x`; `spread` takes a value per interval to one per point."""
    offset = x - spread(fit.breaks[:-1])
    result = spread(fit.coefficients[_DEGREE])
    for row in fit.coefficients[_DEGREE - 1 :: -1]:
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
