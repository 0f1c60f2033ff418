"""Tests against a smallest effect of interest instead of against zero."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln

from latentadj.core.matrix import Array
from latentadj.core.tails import t_two_sided_p
from latentadj.exceptions import InputError

__all__ = ["MinimumEffectTests", "minimum_effect_tests"]

#: Intervals of fewer standard errors are averaged over by quadrature; there the closed form would cancel.
SHORT = 4.0
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(32)
#: Above, the first moment of a t density is written so that it vanishes far out.
_LIGHT_TAILS = 1.5


@dataclass(frozen=True, slots=True)
class MinimumEffectTests:
    """Tests that effects exceed a size.

    Attributes
    ----------
    statistic : ndarray of shape (n_features, T)
        Distance of the estimate from the interval of small effects in standard errors, with the sign of the
        effect; 0 inside.
    p_value : ndarray of shape (n_features, T)
    """

    statistic: Array
    p_value: Array


def minimum_effect_tests(
    estimate: ArrayLike, std_error: ArrayLike, df: ArrayLike, threshold: ArrayLike, *, null: str = "worst"
) -> MinimumEffectTests:
    r"""Test that effects are larger than a threshold.

    Parameters
    ----------
    estimate, std_error : array_like, shape (n_features, T)
        Effects and their (moderated) standard errors.
    df : float or array_like, shape (n_features,) or (n_features, T)
        Degrees of freedom of the standard errors; ``inf`` for normal tails.
    threshold : float or array_like, shape (T,)
        Smallest effect of interest, at least 0, in units of the measurements. With 0 the p-values are those of the
        ordinary test.
    null : {"worst", "average"}, default "worst"
        "worst" takes the effect at the end of the interval, which bounds the error rate for every effect inside;
        "average" takes all effects within the interval as equally likely.

    Returns
    -------
    MinimumEffectTests
        NaN where estimate, standard error or degrees of freedom are.

    Raises
    ------
    InputError
        If shapes do not fit, a threshold is negative or not finite, or `null` is unknown.

    Notes
    -----
    For :math:`H_0: |\beta| \le \tau` McCarthy and Smyth (2009, Bioinformatics 25: 765-771) add the tails beyond the
    estimate when the effect is at either end,
    :math:`p = P(T > (|\hat\beta| - \tau)/s) + P(T > (|\hat\beta| + \tau)/s)`. With "average" the same sum is averaged
    over effects uniform in :math:`[-\tau, \tau]`: more power, but no bound for effects at the end.

    Examples
    --------
    >>> tests = minimum_effect_tests([[1.0], [0.1]], [[0.2], [0.2]], 10, 0.3)
    >>> tests.statistic.ravel().round(3), tests.p_value.ravel().round(4)
    (array([3.5, 0. ]), array([0.0029, 0.8662]))
    """
    size, error, limit, spread = _checked(estimate, std_error, df, threshold)
    beyond = np.abs(size) - limit
    with np.errstate(invalid="ignore", divide="ignore"):
        near, far = beyond / error, (np.abs(size) + limit) / error
    statistic = np.where(beyond > 0, np.sign(size) * near, 0.0)
    statistic[np.isnan(near)] = np.nan
    if null == "worst":
        return MinimumEffectTests(statistic, _upper_tail(near, spread) + _upper_tail(far, spread))
    if null != "average":
        raise InputError(f"null={null!r} is unknown; choose 'worst' (error bound for every null effect) or 'average'.")
    return MinimumEffectTests(statistic, np.minimum(2.0 * _mean_tail(near, far, spread), 1.0))


def _checked(
    estimate: ArrayLike, std_error: ArrayLike, df: ArrayLike, threshold: ArrayLike
) -> tuple[Array, Array, Array, Array]:
    """Arrays of the shape of the tests, degrees of freedom as a column or one number."""
    size, error = np.asarray(estimate, dtype=np.float64), np.asarray(std_error, dtype=np.float64)
    limit, nu = np.asarray(threshold, dtype=np.float64), np.asarray(df, dtype=np.float64)
    if size.ndim != 2 or error.shape != size.shape:
        raise InputError(
            f"estimate has shape {size.shape} and std_error {error.shape}; both must be (n_features, T). "
            "Give one contrast as a column."
        )
    if limit.shape not in ((), (size.shape[1],)) or nu.shape not in ((), (size.shape[0],), size.shape):
        raise InputError(
            f"threshold of shape {limit.shape} and df of shape {nu.shape} do not fit {size.shape[0]} features and "
            f"{size.shape[1]} tests; give one threshold or one per test, and one df, one per feature or one each."
        )
    if not (np.isfinite(limit) & (limit >= 0)).all():
        raise InputError(f"threshold is {threshold!r}; it must be finite and not negative, e.g. log2(1.2).")
    spread = nu if nu.ndim == 2 else nu.reshape(-1, 1)
    return size, error, np.broadcast_to(limit, size.shape), np.broadcast_to(spread, size.shape)


def _upper_tail(t: Array, df: Array) -> Array:
    """P(T > t)."""
    common = df.flat[0] if df.size and (df == df.flat[0]).all() else df
    half = 0.5 * t_two_sided_p(t, common)
    out: Array = np.where(t < 0, 1.0 - half, half)
    return out


def _mean_tail(low: Array, high: Array, df: Array) -> Array:
    """Mean of P(T > t) over t from `low` to `high`."""
    width = high - low
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        mean = np.array((_tail_integral(high, df) - _tail_integral(low, df)) / width)
    short = ~(width >= SHORT)
    if short.any():
        centre, half = (low[short] + high[short]) / 2.0, width[short] / 2.0
        points = centre[:, None] + half[:, None] * _NODES
        tails = _upper_tail(points, np.broadcast_to(df[short][:, None], points.shape))
        mean[short] = tails @ _WEIGHTS / 2.0
    return mean


def _tail_integral(t: Array, df: Array) -> Array:
    """An antiderivative of P(T > t): ``t P(T > t)`` plus one of ``t f(t)``."""
    out: Array = t * _upper_tail(t, df) + _first_moment(t, df)
    return out


def _first_moment(t: Array, df: Array) -> Array:
    """An antiderivative of ``t f(t)``, f the t density; it vanishes far out where that converges fast."""
    nu = np.where(np.isfinite(df), df, 1.0)
    log_scale = gammaln((nu + 1.0) / 2.0) - gammaln(nu / 2.0) - 0.5 * np.log(nu * np.pi)
    log_kernel = np.log1p(t * t / nu)
    power = (1.0 - nu) / 2.0
    light = -np.exp(log_scale + power * log_kernel) * nu / np.where(nu > _LIGHT_TAILS, nu - 1.0, 1.0)
    safe = np.where(power == 0.0, 1.0, power)
    grown = np.where(power == 0.0, log_kernel, np.expm1(safe * log_kernel) / safe)
    heavy = np.exp(log_scale) * nu / 2.0 * grown
    normal = -np.exp(-0.5 * t * t) / np.sqrt(2.0 * np.pi)
    out: Array = np.where(np.isinf(df), normal, np.where(nu > _LIGHT_TAILS, light, heavy))
    return out
