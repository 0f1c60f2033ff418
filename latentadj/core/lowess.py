"""Robust local linear regression in one variable (lowess)."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentadj.exceptions import InputError

__all__ = ["lowess"]

FloatArray = NDArray[np.float64]

# Cleveland's constants: weights are exactly 1 below the first and 0 above the second fraction of their scale.
_FLAT_FRACTION = 0.001
_CUT_FRACTION = 0.999


@dataclass(frozen=True, slots=True)
class _Window:
    """Neighbourhood of one point: the point `x0`, its half width and the slice of sorted x it reaches."""

    x0: float
    half_width: float
    span: slice


def lowess(
    x: ArrayLike, y: ArrayLike, *, span: float = 2 / 3, n_iter: int = 3, delta: float | None = None
) -> FloatArray:
    """Smooth y on x by locally weighted lines, with robustness iterations.

    Parameters
    ----------
    x, y : array_like, shape (n,)
        Finite points, in any order, and values.
    span : float, default 2/3
        Fraction of the points in each neighbourhood, in (0, 1].
    n_iter : int, default 3
        Number of reweighted fits after the first one.
    delta : float, optional
        Points closer than this to the last fitted point, in units of x, are interpolated instead of fitted.
        The default is 1 % of the range of x, so at most about two hundred lines are fitted whatever n is.

    Returns
    -------
    ndarray, shape (n,)
        Smoothed values in the order of the input, in the units of y.

    Raises
    ------
    InputError
        If the arrays differ in length, hold non-finite values, or an option is out of its range.

    Notes
    -----
    The algorithm of [1]_, section 2, with tricube neighbourhood weights, bisquare robustness weights at six
    times the median absolute residual, and the interpolation between fitted points of [2]_. Iterations stop
    when that scale falls below 1e-7 of the mean absolute residual.

    References
    ----------
    .. [1] Cleveland (1979). Robust locally weighted regression and smoothing scatterplots. JASA 74, 829-836.
    .. [2] Cleveland (1981). LOWESS: a program for smoothing scatterplots. The American Statistician 35, 54.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(10.0)
    >>> y = 2 * x + 1
    >>> y[4] = 50.0
    >>> lowess(x, y, span=0.8).round(6)
    array([ 1.,  3.,  5.,  7.,  9., 11., 13., 15., 17., 19.])
    """
    points, values = _checked(x, y, span, n_iter)
    if points.size < 2:
        return values.copy()
    order = np.argsort(points, kind="stable")
    points, values = points[order], values[order]
    spacing = 0.01 * float(points[-1] - points[0]) if delta is None else float(delta)
    if not spacing >= 0:
        raise InputError(f"delta={delta} was given; it must be zero or positive, in units of x.")
    smooth = np.empty_like(values)
    smooth[order] = _smooth_sorted(points, values, span, n_iter, spacing)
    return smooth


def _checked(x: ArrayLike, y: ArrayLike, span: float, n_iter: int) -> tuple[FloatArray, FloatArray]:
    """Arrays of equal length with finite values, and options in range."""
    points, values = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if points.ndim != 1 or points.shape != values.shape:
        raise InputError(f"x has shape {points.shape} and y {values.shape}; both must be (n,).")
    if not (np.isfinite(points).all() and np.isfinite(values).all()):
        raise InputError("x or y holds NaN or infinite values. Drop those points before smoothing.")
    if not 0 < span <= 1:
        raise InputError(f"span={span} was given; it is a fraction of the points, above 0 and at most 1.")
    if n_iter < 0:
        raise InputError(f"n_iter={n_iter} was given; it must be 0 or more.")
    return points, values


def _smooth_sorted(x: FloatArray, y: FloatArray, span: float, n_iter: int, delta: float) -> FloatArray:
    """Lowess of y on increasing x: the fitted points depend on x only, so they are chosen once."""
    n_neighbours = max(2, min(x.size, int(span * x.size + 1e-7)))
    anchors = _anchor_indices(x, delta)
    windows = [_window(x, i, n_neighbours) for i in anchors]
    robustness = None
    for iteration in range(n_iter + 1):
        heights = [_local_line(x, y, w, robustness, y[i]) for i, w in zip(anchors, windows)]
        smooth = np.interp(x, x[anchors], heights)
        if iteration == n_iter:
            break
        residual = np.abs(y - smooth)
        scale = 6.0 * float(np.median(residual))
        if scale <= 1e-7 * float(residual.mean()):
            break
        robustness = _bisquare(residual, scale)
    return smooth


def _anchor_indices(x: FloatArray, delta: float) -> list[int]:
    """Indices of the points that get a line of their own: the last one within delta of the one before."""
    anchors, n = [0], x.size
    while True:
        last_tied = int(np.searchsorted(x, x[anchors[-1]], side="right")) - 1
        if last_tied >= n - 1:
            return anchors
        beyond = int(np.searchsorted(x, x[last_tied] + delta, side="right"))
        anchors.append(max(last_tied + 1, beyond - 1))


def _window(x: FloatArray, i: int, n_neighbours: int) -> _Window:
    """Neighbours of x[i]: the window moves right while its left end is further than the next point."""
    x0 = float(x[i])
    left = bisect_left(range(x.size - n_neighbours), True, key=lambda k: bool(x0 - x[k] <= x[k + n_neighbours] - x0))
    half_width = max(x0 - float(x[left]), float(x[left + n_neighbours - 1]) - x0)
    right = int(np.searchsorted(x, x0 + half_width, side="right"))
    return _Window(x0, half_width, slice(left, right))


def _local_line(x: FloatArray, y: FloatArray, window: _Window, robustness: FloatArray | None, fallback: float) -> float:
    """Height at x0 of the weighted line, of the weighted mean if x hardly varies, `fallback` if no weight."""
    near = x[window.span]
    weights = _tricube(np.abs(near - window.x0), window.half_width)
    if robustness is not None:
        weights *= robustness[window.span]
    total = float(weights.sum())
    if total <= 0:
        return float(fallback)
    weights /= total
    if window.half_width > 0:
        centre = float(weights @ near)
        offset = near - centre
        spread = float(weights @ (offset * offset))
        if np.sqrt(spread) > 0.001 * float(x[-1] - x[0]):
            weights *= (window.x0 - centre) / spread * offset + 1.0
    return float(weights @ y[window.span])


def _tricube(distance: FloatArray, half_width: float) -> FloatArray:
    """Tricube weights (1 - (d/h)^3)^3 of distances up to h; 1 everywhere within a window of zero width."""
    if half_width <= 0:
        return np.where(distance <= 0, 1.0, 0.0)
    ratio = distance / half_width
    core = 1.0 - ratio * ratio * ratio
    weights = core * core * core
    weights[ratio <= _FLAT_FRACTION] = 1.0
    weights[ratio > _CUT_FRACTION] = 0.0
    return weights


def _bisquare(residual: FloatArray, scale: float) -> FloatArray:
    """Bisquare weights (1 - (r/s)^2)^2 of absolute residuals."""
    ratio = residual / scale
    core = 1.0 - ratio * ratio
    weights = core * core
    weights[ratio <= _FLAT_FRACTION] = 1.0
    weights[ratio > _CUT_FRACTION] = 0.0
    return weights
