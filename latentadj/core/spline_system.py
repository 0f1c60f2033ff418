"""Basis and penalty of cubic smoothing splines, diagonalised once for given abscissae.

The spline minimises ``|y - B c|^2 + lambda c' S c`` with B the cubic B-spline basis on a reduced set of knots
and S the Gram matrix of second derivatives (O'Sullivan 1986). B and S are diagonalised together by a
generalised singular value decomposition (the Demmler-Reinsch basis); afterwards a trial value of lambda costs
a few operations on vectors as long as the coefficients. The number of knots and the constant .3330, where the
exact Gram matrix has 1/3, are those of ``stats::smooth.spline`` in R, whose answers are the reference.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, fields

import numpy as np
from scipy.interpolate import BSpline
from scipy.linalg import qr, solve_triangular

from latentadj.core.density import GRID_SIZE
from latentadj.core.pvalues import FloatArray

_DEGREE = 3
_THIRD = 0.3330  # the reference's rounded 1/3 in the integral of a squared linear function
_UNSEEN = 1e-10  # below this, a direction of unit length is zero at all data points
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
        U, orthonormal columns, r = q + 2; a column with c = 0 is not used.
    fit_weight, penalty_weight : ndarray, shape (r,)
        c^2 and s^2: how far a direction is seen by the data and by the penalty; they add to one.
    leverage_weight : ndarray, shape (r,)
        Share of each direction in the sum of leverages; c^2 but for the shift of the last point.
    polynomials : ndarray, shape (4, q - 1, r)
        From ``c / (c^2 + tau s^2) * U'y`` to the coefficients of u^0 .. u^3 on every knot interval, u
        measured from its left end.
    """

    breaks: FloatArray
    rotation: FloatArray
    fit_weight: FloatArray
    penalty_weight: FloatArray
    leverage_weight: FloatArray
    polynomials: FloatArray

    def __post_init__(self) -> None:
        """Make the arrays read-only: one system serves many fits."""
        for field in fields(self):
            getattr(self, field.name).setflags(write=False)


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

    Notes
    -----
    The directions are singular vectors of the penalty block: those of the data block are not determined to
    working precision, because its singular values crowd at one for smooth functions.

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
    _, penalised, directions = np.linalg.svd(q[x.size :], full_matrices=False)
    rotation = q[: x.size] @ directions.T
    seen = np.linalg.norm(rotation, axis=0)
    seen[seen < _UNSEEN] = 0.0
    np.divide(rotation, seen, out=rotation, where=seen > 0.0)
    to_coefs = solve_triangular(upper, directions.T)
    inside = BSpline.design_matrix(x[-1:] - _END_SHIFT, knots, _DEGREE).toarray()[0] @ to_coefs
    return SplineSystem(
        breaks=x[picked],
        rotation=rotation,
        fit_weight=seen**2,
        penalty_weight=penalised**2,
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
