"""Scaled F distribution of residual variances, fitted so that outlying variances do not matter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special
from scipy.optimize import brentq

from latentadj.core.f_distribution import check_variances, fit_f_distribution, usable_features
from latentadj.core.lowess import lowess
from latentadj.core.tails import f_upper_log_p, f_upper_p
from latentadj.exceptions import InputError

__all__ = ["RobustFFit", "fit_f_distribution_robustly"]

FloatArray = NDArray[np.float64]

_FLOOR = 1e-12  # smallest variance, as a fraction of the median
_SPAN = 0.4  # neighbourhood of the trend, as a fraction of the features
_TINY = 1e-300  # smallest tail probability carried over from one F distribution to another
# Log ratios that agree to this many decimals are tied. A lowess curve through few features gives several of
# them the same ratio but for round-off, which must not rank them.
_TIE_DIGITS = 10
_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(128)


@dataclass(frozen=True, slots=True)
class RobustFFit:
    """Robust fit of s2 ~ s0^2 F(df1, df0) with fewer prior degrees of freedom for outlying features.

    Attributes
    ----------
    s2_prior : float or ndarray, shape (p,)
        s0^2 in the units of s2; an array if and only if a covariate was given.
    df_prior : float
        Prior degrees of freedom of the bulk of the features, in [0, inf].
    df_prior_feature : ndarray, shape (p,)
        Prior degrees of freedom of each feature: `df_prior`, less for outliers, never decreasing from larger
        to smaller variance ratios.
    """

    s2_prior: float | FloatArray
    df_prior: float
    df_prior_feature: FloatArray


@dataclass(frozen=True, slots=True)
class _Bulk:
    """Fit to the bulk: log prior variance per usable feature or in common, and prior degrees of freedom."""

    log_s2_prior: float | FloatArray
    df_prior: float


def fit_f_distribution_robustly(
    s2: ArrayLike,
    df1: ArrayLike,
    *,
    covariate: ArrayLike | None = None,
    winsor_tail: tuple[float, float] = (0.05, 0.1),
    legacy_infinite_prior: bool = False,
) -> RobustFFit:
    """Fit s2 ~ s0^2 F(df1, df0) by the Winsorised moments of log s2, and mark outliers.

    Parameters
    ----------
    s2 : array_like, shape (p,)
        Residual variances in squared units of the measurements.
    df1 : float or array_like, shape (p,)
        Residual degrees of freedom of each variance.
    covariate : array_like, shape (p,), optional
        Average level of each feature; the location of log s2 then follows a lowess curve in it.
    winsor_tail : tuple of float, default (0.05, 0.1)
        Fractions pulled in at the lower and upper end, each in [0, 0.5).
    legacy_infinite_prior : bool, default False
        See :func:`fit_f_distribution`.

    Returns
    -------
    RobustFFit
        Prior variance, prior degrees of freedom of the bulk and of each feature (p,).

    Raises
    ------
    InputError
        As :func:`fit_f_distribution`, or if `winsor_tail` is not two fractions below a half.

    Notes
    -----
    The method of [1]_:

    1. Variances with fewer degrees of freedom are carried to the quantile that they would have with the
       largest. Tail probabilities below 1e-300 count as 1e-300 here.
    2. A trimmed mean (by the upper fraction) or a lowess curve is taken from log s2, and the residuals are
       Winsorised.
    3. df0 is where the variance of a Winsorised log F(df1, df0), by Gauss-Legendre quadrature in x / (1 + x),
       equals theirs.
    4. A feature whose upper tail probability p is below its empirical one r is an outlier with probability
       1 - p / r. Its degrees of freedom are the average of df0 and of those that make the largest ratio a
       median one, made monotone in the ratio.

    The fit of :func:`fit_f_distribution` is returned when there are too few features to Winsorise one in
    either tail, and when it has df0 = infinity although the Winsorised moments have not.

    References
    ----------
    .. [1] Phipson, Lee, Majewski, Alexander, Smyth (2016). Robust hyperparameter estimation protects against
       hypervariable genes and improves power to detect differential expression. Annals of Applied Statistics
       10, 946-963.

    Examples
    --------
    >>> import numpy as np
    >>> s2 = np.random.default_rng(0).f(6, 20, size=2000)
    >>> s2[0] = 500.0
    >>> fit = fit_f_distribution_robustly(s2, 6)
    >>> bool(abs(fit.df_prior - 20) < 6), bool(fit.df_prior_feature[0] < 1)
    (True, True)
    """
    variances, df, level = check_variances(s2, df1, covariate)
    tails = _checked_tails(winsor_tail)
    usable = usable_features(variances, df)
    x = variances[usable]
    df_used = df if df.ndim == 0 else df[usable]
    level_used = None if level is None else level[usable]
    plain = fit_f_distribution(x, df_used, covariate=level_used, legacy_infinite_prior=legacy_infinite_prior)
    s2_prior, df_prior, df_used_prior = _fit_usable(x, df_used, level_used, tails, plain)
    df_feature = np.full(variances.shape, df_prior)
    df_feature[usable] = df_used_prior
    return RobustFFit(_spread(s2_prior, usable, level), df_prior, df_feature)


def _fit_usable(
    x: FloatArray,
    df1: FloatArray,
    level: FloatArray | None,
    tails: tuple[float, float],
    plain: tuple[float | FloatArray, float],
) -> tuple[float | FloatArray, float, float | FloatArray]:
    """Prior variance, degrees of freedom of the bulk and of each of n usable features."""
    s2_plain, df_plain = plain
    if x.size < 2 or max(tails) < 1.0 / x.size:
        return s2_plain, df_plain, df_plain
    x = np.maximum(x, _FLOOR * np.median(x))
    x, df_max = _equalise_df(x, df1, s2_plain, df_plain)
    bulk = _fit_bulk(np.log(x), df_max, level, tails, df_plain)
    if bulk is None:
        return s2_plain, df_plain, df_plain
    s2_prior = np.exp(bulk.log_s2_prior)
    return s2_prior, bulk.df_prior, _outlier_df(x / s2_prior, df_max, bulk.df_prior)


def _checked_tails(winsor_tail: tuple[float, float]) -> tuple[float, float]:
    """Two fractions below a half."""
    tails = tuple(float(t) for t in winsor_tail)
    if len(tails) != 2 or not all(0 <= t < 0.5 for t in tails):
        raise InputError(
            f"winsor_tail={winsor_tail} was given; it is two fractions, lower and upper, each at least 0 and "
            "below 0.5. The default is (0.05, 0.1)."
        )
    return tails[0], tails[1]


def _equalise_df(x: FloatArray, df1: FloatArray, scale: float | FloatArray, df2: float) -> tuple[FloatArray, float]:
    """Carry variances with fewer degrees of freedom to the same quantile at the largest."""
    df_max = float(df1.max())
    fewer = df1 < df_max
    if df1.ndim == 0 or not fewer.any():
        return x, df_max
    s = scale[fewer] if isinstance(scale, np.ndarray) else scale
    equal = x.copy()
    equal[fewer] = s * _carry_quantile(x[fewer] / s, df1[fewer], df_max, df2)
    return equal, df_max


def _carry_quantile(ratio: FloatArray, df_from: FloatArray, df_to: float, df2: float) -> FloatArray:
    """Values of F(df_to, df2) with the smaller tail probability of values of F(df_from, df2)."""
    upper = _f_tail(ratio, df_from, df2, upper=True)
    lower = _f_tail(ratio, df_from, df2, upper=False)
    above = upper < lower
    carried = np.empty_like(ratio)
    carried[above] = _f_quantile(np.maximum(upper[above], _TINY), df_to, df2, upper=True)
    carried[~above] = _f_quantile(np.maximum(lower[~above], _TINY), df_to, df2, upper=False)
    return carried


def _fit_bulk(
    z: FloatArray, df1: float, level: FloatArray | None, tails: tuple[float, float], plain_df: float
) -> _Bulk | None:
    """Match Winsorised moments of log variances z; None if the plain fit, with df0 = infinity, has to do."""
    trend = _trimmed_mean(z, tails[1]) if level is None else lowess(level, z, span=_SPAN)
    mean, variance = _winsorised_moments(z - trend, tails)
    df2 = _matched_df(variance, df1, tails, plain_df)
    if df2 is None:
        return None
    return _Bulk(trend + mean - _log_f_moments(df1, df2, tails)[0], df2)


def _trimmed_mean(z: FloatArray, fraction: float) -> float:
    """Mean without the given fraction at each end."""
    n_cut = int(z.size * fraction)
    return float(np.mean(np.sort(z)[n_cut : z.size - n_cut]))


def _winsorised_moments(residual: FloatArray, tails: tuple[float, float]) -> tuple[float, float]:
    """Mean and variance after pulling both tails in to their quantiles."""
    low, high = np.quantile(residual, [tails[0], 1.0 - tails[1]])
    pulled = np.clip(residual, low, high)
    return float(pulled.mean()), float(pulled.var(ddof=1))


def _matched_df(variance: float, df1: float, tails: tuple[float, float], plain_df: float) -> float | None:
    """Prior degrees of freedom from the Winsorised variance, searched from the plain estimate upwards.

    Solved in u = df0 / (1 + df0), so that the whole half-line is a finite interval.
    """

    def excess(df2: float) -> float:
        return float(np.log(variance / _log_f_moments(df1, df2, tails)[1]))

    if not variance > 0 or excess(np.inf) <= 0:
        return float("inf")
    if np.isinf(plain_df):
        return None
    if excess(plain_df) >= 0:
        return plain_df
    u = brentq(lambda v: excess(v / (1.0 - v) if v < 1.0 else np.inf), plain_df / (1.0 + plain_df), 1.0, xtol=1e-14)
    return float(u / (1.0 - u))


def _log_f_moments(df1: float, df2: float, tails: tuple[float, float]) -> tuple[float, float]:
    """Mean and variance of a Winsorised log F(df1, df2) variable."""
    low, high = tails
    ends = np.array([_f_quantile(low, df1, df2, upper=False), _f_quantile(high, df1, df2, upper=True)])
    u_low, u_high = np.where(np.isinf(ends), 1.0, ends / (1.0 + ends))
    half = 0.5 * (u_high - u_low)
    u = u_low + half * (1.0 + _NODES)
    f = u / (1.0 - u)
    mass = half * _NODE_WEIGHTS * np.exp(_f_log_density(f, df1, df2)) / (1.0 - u) ** 2
    atoms = np.array(tails)
    z = np.concatenate([np.log(f), np.log(ends[atoms > 0])])
    mass = np.concatenate([mass, atoms[atoms > 0]])
    mean = float(mass @ z)
    return mean, float(mass @ (z - mean) ** 2)


def _outlier_df(ratio: FloatArray, df1: float, df2: float) -> FloatArray:
    """Prior degrees of freedom per feature from its variance ratio and the bulk's degrees of freedom."""
    n = ratio.size
    key = np.round(np.log(ratio), _TIE_DIGITS)
    ordered = np.sort(key)
    rank = 0.5 * (np.searchsorted(ordered, key, "left") + np.searchsorted(ordered, key, "right") + 1)
    regular = np.minimum(f_upper_p(ratio, df1, df2) * n / (n - rank + 0.5), 1.0)
    if not (regular < 1).any():
        return np.full(n, df2)
    order = np.argsort(-key, kind="stable")
    if np.isinf(df2):
        shrunk = np.where(regular < 1, regular * n * df1, np.inf)
        return _unsorted(np.maximum.accumulate(shrunk[order]), order)
    shrunk = df2 * regular + _extreme_df(float(ratio.max()), df1, df2) * (1.0 - regular)
    return _unsorted(_monotone(shrunk[order]), order)


def _extreme_df(ratio: float, df1: float, df2: float) -> float:
    """Degrees of freedom at which the largest ratio is about a median one: two steps of log(1/2) / log p."""
    df_extreme = df2
    for _ in range(2):
        df_extreme *= np.log(0.5) / float(f_upper_log_p(ratio, df1, df_extreme))
    return df_extreme


def _monotone(values: FloatArray) -> FloatArray:
    """Never decreasing: the start becomes its smallest running mean, the rest a running maximum."""
    running_mean = np.cumsum(values) / np.arange(1, values.size + 1)
    smallest = int(np.argmin(running_mean))
    start = np.full(smallest + 1, running_mean[smallest])
    return np.maximum.accumulate(np.concatenate([start, values[smallest + 1 :]]))


def _unsorted(values: FloatArray, order: NDArray[np.intp]) -> FloatArray:
    """Put sorted values back at the places they came from."""
    out = np.empty_like(values)
    out[order] = values
    return out


def _spread(s2_prior: float | FloatArray, usable: NDArray[np.bool_], level: FloatArray | None) -> float | FloatArray:
    """Prior variance at every feature; away from usable ones by interpolation on the log scale."""
    if level is None or not isinstance(s2_prior, np.ndarray):
        return float(s2_prior)
    everywhere = np.full(level.shape, np.nan)
    if usable.any():
        points, first = np.unique(level[usable], return_index=True)
        everywhere = np.exp(np.interp(level, points, np.log(s2_prior[first])))
        everywhere[usable] = s2_prior
    return everywhere


def _f_tail(x: FloatArray, df1: FloatArray, df2: float, *, upper: bool) -> FloatArray:
    """Tail probability of F(df1, df2) with df1 per value; gamma tails if df2 is infinite."""
    a, b = 0.5 * df1, 0.5 * df2
    if np.isinf(df2):
        return np.asarray(special.gammaincc(a, a * x) if upper else special.gammainc(a, a * x), np.float64)
    odds = df1 * x / df2
    tail = special.betainc(b, a, 1.0 / (1.0 + odds)) if upper else special.betainc(a, b, odds / (1.0 + odds))
    return np.asarray(tail, np.float64)


def _f_quantile(p: float | FloatArray, df1: float, df2: float, *, upper: bool) -> FloatArray:
    """Quantile of F(df1, df2) at a tail probability; both v and 1 - v are solved for, so no digits cancel."""
    a, b = 0.5 * df1, 0.5 * df2
    if np.isinf(df2):
        return np.asarray(special.gammainccinv(a, p) if upper else special.gammaincinv(a, p), np.float64) / a
    v = special.betainccinv(a, b, p) if upper else special.betaincinv(a, b, p)
    w = special.betaincinv(b, a, p) if upper else special.betainccinv(b, a, p)
    with np.errstate(divide="ignore"):
        return np.asarray(v, np.float64) * df2 / (np.asarray(w, np.float64) * df1)


def _f_log_density(x: FloatArray, df1: float, df2: float) -> FloatArray:
    """Log density of F(df1, df2)."""
    a, b = 0.5 * df1, 0.5 * df2
    if np.isinf(df2):
        return a * np.log(a * x) - np.log(x) - special.gammaln(a) - a * x
    return a * np.log(df1 * x / df2) - np.log(x) - (a + b) * np.log1p(df1 * x / df2) - special.betaln(a, b)
