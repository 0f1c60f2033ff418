"""Natural cubic splines in one variable, fitted by least squares with few degrees of freedom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentadj.exceptions import InputError

__all__ = ["SplineFit", "fit_natural_spline", "natural_spline_basis", "natural_spline_knots"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SplineFit:
    """Least-squares fit of a natural cubic spline.

    Attributes
    ----------
    knots : ndarray, shape (k,)
        Increasing knots; the first and last are the boundary, outside which the curve is a straight line.
    coef : ndarray, shape (k,)
        Coefficients of the columns of :func:`natural_spline_basis`.
    fitted : ndarray, shape (n,)
        Values of the curve at the points it was fitted to, in the units of y.
    residual_variance : float
        Residual sum of squares over n minus the rank of the basis, in squared units of y; NaN when n equals
        the rank.
    """

    knots: FloatArray
    coef: FloatArray
    fitted: FloatArray
    residual_variance: float

    def predict(self, x: ArrayLike) -> FloatArray:
        """Evaluate the curve.

        Parameters
        ----------
        x : array_like, shape (m,)
            Points in the units of the knots; NaN gives NaN.

        Returns
        -------
        ndarray, shape (m,)
            Values in the units of y.

        Examples
        --------
        >>> fit = fit_natural_spline([0.0, 1.0, 2.0, 3.0], [1.0, 3.0, 5.0, 7.0], n_df=2)
        >>> fit.predict([10.0]).round(9)
        array([21.])
        """
        return natural_spline_basis(x, self.knots) @ self.coef


def natural_spline_knots(x: ArrayLike, n_df: int) -> FloatArray:
    """Boundary knots at the range of x and interior knots at equally spaced quantiles.

    Parameters
    ----------
    x : array_like, shape (n,)
        Finite points.
    n_df : int
        Dimension of the spline space, constant included; at least 2.

    Returns
    -------
    ndarray, shape (k,)
        Increasing knots, k = `n_df`, or fewer where ties in `x` make quantiles coincide.

    Raises
    ------
    InputError
        If `n_df` is below 2 or `x` has fewer than two different values.

    Notes
    -----
    A natural cubic spline with k knots, boundary included, spans a space of dimension k [1]_. Quantiles are
    linear interpolations of the order statistics.

    References
    ----------
    .. [1] Hastie, Tibshirani, Friedman (2009). The Elements of Statistical Learning, section 5.2.1.

    Examples
    --------
    >>> natural_spline_knots([0.0, 1.0, 2.0, 3.0, 10.0], n_df=3)
    array([ 0.,  2., 10.])
    """
    points = np.asarray(x, dtype=np.float64)
    if n_df < 2:
        raise InputError(f"n_df={n_df} was given; a natural spline needs at least 2 (a straight line).")
    knots = np.unique(np.quantile(points, np.linspace(0.0, 1.0, n_df))) if points.size else points
    if knots.size < 2:
        raise InputError(
            "x holds fewer than two different values, so no curve can be drawn through it. "
            "Leave the covariate out, or give one that varies."
        )
    return knots


def natural_spline_basis(x: ArrayLike, knots: ArrayLike) -> FloatArray:
    """Truncated-power basis of the natural cubic splines with the given knots.

    Parameters
    ----------
    x : array_like, shape (n,)
        Points at which the basis is evaluated; NaN gives a row of NaN.
    knots : array_like, shape (k,)
        Strictly increasing knots, at least two; the first and the last are the boundary.

    Returns
    -------
    ndarray, shape (n, k)
        Constant, linear term and k - 2 curved columns, on the scale where the boundary is [0, 1].

    Raises
    ------
    InputError
        If fewer than two knots are given or they do not increase strictly.

    Notes
    -----
    Equations 5.4 and 5.5 of [1]_. The space does not depend on the basis, so fitted values agree with those
    from a B-spline basis with the same knots.

    References
    ----------
    .. [1] Hastie, Tibshirani, Friedman (2009). The Elements of Statistical Learning, section 5.2.1.

    Examples
    --------
    >>> natural_spline_basis([0.0, 1.0, 4.0], [0.0, 2.0, 4.0]).shape
    (3, 3)
    >>> natural_spline_basis([-4.0, 8.0], [0.0, 4.0])
    array([[ 1., -1.],
           [ 1.,  2.]])
    """
    positions = np.asarray(knots, dtype=np.float64)
    if positions.size < 2 or not np.all(np.diff(positions) > 0):
        raise InputError(f"knots={positions.tolist()} were given; at least two increasing knots are needed.")
    low, width = positions[0], positions[-1] - positions[0]
    u = (np.asarray(x, dtype=np.float64) - low) / width
    t = (positions - low) / width
    last = _scaled_cubic(u, t[-2])
    curved = [_scaled_cubic(u, knot) - last for knot in t[:-2]]
    return np.stack([np.where(np.isnan(u), np.nan, 1.0), u, *curved], axis=1)


def fit_natural_spline(x: ArrayLike, y: ArrayLike, n_df: int) -> SplineFit:
    """Fit a natural cubic spline by least squares.

    Parameters
    ----------
    x, y : array_like, shape (n,)
        Finite points and values.
    n_df : int
        Dimension of the spline space, constant included; at least 2.

    Returns
    -------
    SplineFit
        Knots (k,), coefficients (k,), fitted values (n,) and the residual variance.

    Raises
    ------
    InputError
        If `x` and `y` differ in length, `n_df` is below 2 or `x` does not vary.

    Notes
    -----
    Solved by the singular value decomposition of the basis, so a basis that ties make rank deficient still
    has a fit and the right residual degrees of freedom. See :func:`natural_spline_basis` for the source.

    Examples
    --------
    >>> fit = fit_natural_spline([0.0, 1.0, 2.0, 3.0], [1.0, 3.0, 5.0, 7.0], n_df=2)
    >>> fit.fitted.round(9)
    array([1., 3., 5., 7.])
    """
    points, values = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if points.shape != values.shape or points.ndim != 1:
        raise InputError(f"x has shape {points.shape} and y {values.shape}; both must be (n,).")
    knots = natural_spline_knots(points, n_df)
    basis = natural_spline_basis(points, knots)
    solution, _, rank, _ = np.linalg.lstsq(basis, values, rcond=None)
    coef = np.asarray(solution, dtype=np.float64)
    fitted = basis @ coef
    df_residual = points.size - int(rank)
    residual = values - fitted
    variance = float(residual @ residual) / df_residual if df_residual > 0 else float("nan")
    return SplineFit(knots, coef, fitted, variance)


def _scaled_cubic(u: FloatArray, knot: float) -> FloatArray:
    """Difference quotient of truncated cubes that is quadratic beyond the boundary at 1 (equation 5.5)."""
    inner, outer = np.maximum(u - knot, 0.0), np.maximum(u - 1.0, 0.0)
    cubic: FloatArray = (inner * inner * inner - outer * outer * outer) / (1.0 - knot)
    return cubic
