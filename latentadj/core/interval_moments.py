r"""Student and normal variables between two bounds: probability, mean and second moment.

A uniform prior on ``[a, b]`` seen through an error ``s T`` has the marginal density
``P((x - b)/s < T < (x - a)/s) / (b - a)`` and a posterior that is T truncated to that interval. Intervals are
reflected so that their centre is not negative; narrow ones are integrated by Gauss-Legendre quadrature of the density,
others are differences of upper tails, in logs. Either way no digits are lost far out in a tail or for an interval much
narrower than the error.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from latentadj.core.matrix import Array
from latentadj.core.tails import t_two_sided_log_p

#: Intervals over which the log density moves by less than about this are integrated by quadrature ...
NARROW = 2.0
#: ... if they are no wider than `NARROW` over this.
NARROW_CENTRE = 4.0
#: Degrees of freedom up to which the second moment comes from quadrature: it has no closed form at 2.
FEW_DF = 2.5
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
_MANY_NODES, _MANY_WEIGHTS = np.polynomial.legendre.leggauss(96)
_LOG_ROOT_TWO_PI = 0.5 * np.log(2.0 * np.pi)


def log_density(t: Array, df: Array) -> Array:
    """Log density of Student's t, normal where the degrees of freedom are infinite.

    Parameters
    ----------
    t : ndarray
    df : ndarray
        Positive; broadcasts with `t`.

    Returns
    -------
    ndarray

    Examples
    --------
    >>> log_density(np.array([0.0, 2.0]), np.array(np.inf)).round(4)
    array([-0.9189, -2.9189])
    """
    t, df = np.asarray(t, dtype=np.float64), np.asarray(df, dtype=np.float64)
    normal = np.isinf(df)
    if normal.all():
        return np.asarray(-0.5 * t * t - _LOG_ROOT_TWO_PI)
    nu = np.where(normal, 1.0, df)
    constant = -0.5 * np.log(nu) - special.betaln(0.5 * nu, 0.5)
    student = constant - 0.5 * (nu + 1.0) * np.log1p(t * t / nu)
    return np.asarray(np.where(normal, -0.5 * t * t - _LOG_ROOT_TWO_PI, student))


def density_slopes(t: Array, df: Array) -> tuple[Array, Array]:
    """First two derivatives of the density of Student's t, relative to the density.

    Parameters
    ----------
    t : ndarray
    df : ndarray

    Returns
    -------
    first, second : ndarray
        ``f'(t) / f(t)`` and ``f''(t) / f(t)``.

    Examples
    --------
    >>> density_slopes(np.array(2.0), np.array(np.inf))
    (array(-2.), array(3.))
    """
    t, df = np.asarray(t, dtype=np.float64), np.asarray(df, dtype=np.float64)
    inverse = 1.0 / df
    spread = 1.0 + t * t * inverse
    weight = (1.0 + inverse) / spread
    first = -weight * t
    second = first * first - weight * (2.0 / spread - 1.0)
    return np.asarray(first), np.asarray(second)


def log_interval_mass(lower: Array, upper: Array, df: Array) -> Array:
    """Log probability that T lies between two bounds.

    Parameters
    ----------
    lower, upper : ndarray
        Bounds, ``lower < upper``.
    df : ndarray
        Degrees of freedom, positive; infinite is the normal distribution.

    Returns
    -------
    ndarray
        In the broadcast shape.

    Examples
    --------
    >>> np.exp(log_interval_mass(np.array([-1.96]), np.array([1.96]), np.array(np.inf))).round(4)
    array([0.95])
    >>> log_interval_mass(np.array([50.0]), np.array([51.0]), np.array(np.inf)).round(2)
    array([-1254.83])
    """
    lo, hi, nu, _ = _reflected(lower, upper, df)
    narrow = _is_narrow(lo, hi)
    out = np.empty(lo.shape)
    if not narrow.all():
        out[~narrow] = _tail_difference(lo[~narrow], hi[~narrow], nu[~narrow])
    if narrow.any():
        out[narrow] = _quadrature(lo[narrow], hi[narrow], nu[narrow])[0]
    return out


def interval_moments(lower: Array, upper: Array, df: Array) -> tuple[Array, Array]:
    """Mean and variance of T given that it lies between two bounds.

    Parameters
    ----------
    lower, upper : ndarray
        Finite bounds, ``lower < upper``.
    df : ndarray
        Degrees of freedom, positive; infinite is the normal distribution.

    Returns
    -------
    mean, variance : ndarray
        In the broadcast shape.

    Notes
    -----
    With ``q(t) = 1 + t^2 / nu``, ``t f(t)`` is the derivative of ``-nu / (nu - 1) q f``, and ``q f`` is, up to the
    factor ``(nu - 1) / (nu - 2)``, the density of a t with ``nu - 2`` degrees of freedom in other units.

    Examples
    --------
    >>> mean, variance = interval_moments(np.array([0.0]), np.array([100.0]), np.array(np.inf))
    >>> mean.round(4), variance.round(4)
    (array([0.7979]), array([0.3634]))
    """
    lo, hi, nu, flipped = _reflected(lower, upper, df)
    narrow = _is_narrow(lo, hi)
    mean, variance = np.empty(lo.shape), np.empty(lo.shape)
    if not narrow.all():
        mean[~narrow], variance[~narrow] = _wide_moments(lo[~narrow], hi[~narrow], nu[~narrow])
    if narrow.any():
        _, mean[narrow], variance[narrow] = _quadrature(lo[narrow], hi[narrow], nu[narrow])
    return np.where(flipped, -mean, mean), variance


def _reflected(lower: Array, upper: Array, df: Array) -> tuple[Array, Array, Array, NDArray[np.bool_]]:
    below, above, nu = np.broadcast_arrays(lower, upper, df)
    flipped = np.asarray(below + above < 0)
    return np.where(flipped, -above, below), np.where(flipped, -below, above), nu, flipped


def _is_narrow(lo: Array, hi: Array) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):
        return np.asarray((hi - lo) * np.maximum(NARROW_CENTRE, 0.5 * (lo + hi)) <= NARROW)


def _log_upper_tail(t: Array, nu: Array) -> Array:
    """Log of P(T > t) for t >= 0."""
    if np.isinf(nu).all():
        return np.asarray(special.log_ndtr(-t))
    common = nu.flat[0] if nu.size and np.all(nu == nu.flat[0]) else nu
    return np.asarray(t_two_sided_log_p(t, common) - np.log(2.0))


def _tail_difference(lo: Array, hi: Array, nu: Array) -> Array:
    below, above = _log_upper_tail(np.abs(lo), nu), _log_upper_tail(hi, nu)
    around_zero = np.log1p(-np.exp(below) - np.exp(above))
    with np.errstate(divide="ignore"):
        beyond = below + np.log(-np.expm1(np.minimum(above - below, 0.0)))
    return np.asarray(np.where(lo < 0, around_zero, beyond))


def _quadrature(lo: Array, hi: Array, nu: Array) -> tuple[Array, Array, Array]:
    half, centre = 0.5 * (hi - lo), 0.5 * (hi + lo)
    values = log_density(centre[:, None] + half[:, None] * _NODES, nu[:, None])
    top = values.max(axis=1)
    weights = np.exp(values - top[:, None]) * _WEIGHTS
    mass = weights.sum(axis=1)
    offset = weights @ _NODES / mass
    variance = half**2 * np.maximum(weights @ _NODES**2 / mass - offset**2, 0.0)
    return top + np.log(mass * half), centre + half * offset, variance


def _wide_moments(lo: Array, hi: Array, nu: Array) -> tuple[Array, Array]:
    log_mass = _tail_difference(lo, hi, nu)
    normal, few = np.isinf(nu), nu <= FEW_DF
    mean, second = np.empty(lo.shape), np.empty(lo.shape)
    for chosen, moments in ((normal, _normal_moments), (few, _few_df_moments), (~normal & ~few, _student_moments)):
        if chosen.any():
            mean[chosen], second[chosen] = moments(lo[chosen], hi[chosen], nu[chosen], log_mass[chosen])
    mean = np.clip(mean, lo, hi)
    return mean, np.clip(second - mean**2, 0.0, 0.25 * (hi - lo) ** 2)


def _normal_moments(lo: Array, hi: Array, nu: Array, log_mass: Array) -> tuple[Array, Array]:
    at_lo, at_hi = (np.exp(log_density(t, nu) - log_mass) for t in (lo, hi))
    mean = -at_lo * np.expm1(0.5 * (lo * lo - hi * hi))
    return mean, 1.0 + lo * at_lo - hi * at_hi


def _student_mean(lo: Array, hi: Array, nu: Array, log_mass: Array) -> Array:
    from_lo, to_hi = np.log1p(lo * lo / nu), np.log1p(hi * hi / nu)
    scale = np.exp(log_density(lo, nu) + from_lo - log_mass)
    length = to_hi - from_lo
    return np.asarray(0.5 * nu * scale * length * special.exprel(0.5 * (1.0 - nu) * length))


def _student_moments(lo: Array, hi: Array, nu: Array, log_mass: Array) -> tuple[Array, Array]:
    unit = np.sqrt((nu - 2.0) / nu)
    fewer = _tail_difference(lo * unit, hi * unit, nu - 2.0)
    second = nu * ((nu - 1.0) / (nu - 2.0) * np.exp(fewer - log_mass) - 1.0)
    return _student_mean(lo, hi, nu, log_mass), second


def _few_df_moments(lo: Array, hi: Array, nu: Array, log_mass: Array) -> tuple[Array, Array]:
    """Second moment by quadrature in asinh(t), in which polynomial tails become exponential ones."""
    start, end = np.arcsinh(lo), np.arcsinh(hi)
    angle = (0.5 * (start + end))[:, None] + (0.5 * (end - start))[:, None] * _MANY_NODES
    t = np.sinh(angle)
    values = t * t * np.cosh(angle) * np.exp(log_density(t, nu[:, None]) - log_mass[:, None])
    return _student_mean(lo, hi, nu, log_mass), values @ _MANY_WEIGHTS * 0.5 * (end - start)
