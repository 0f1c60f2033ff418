"""Scaled F distribution of residual variances, fitted by the moments of their logarithms."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from latentadj.core.smoothing import SplineFit, fit_natural_spline
from latentadj.exceptions import InputError, NotConvergedWarning

__all__ = ["fit_f_distribution", "trigamma_inverse"]

FloatArray = NDArray[np.float64]

# Variances below this fraction of the median enter the fit at that value: one near-perfect fit would
# otherwise dominate the variance of the logarithms.
_FLOOR = 1e-5
_MAX_NEWTON_STEPS = 100


def trigamma_inverse(x: ArrayLike) -> FloatArray:
    """Solve trigamma(y) = x.

    Parameters
    ----------
    x : array_like
        Values of the trigamma function, any shape; dimensionless.

    Returns
    -------
    ndarray
        Solutions y > 0 in the shape of `x`: infinite at 0, 0 at infinity, NaN for negative values and NaN.

    Warns
    -----
    NotConvergedWarning
        If some value has not settled after 100 steps.

    Notes
    -----
    Newton's method on 1 / trigamma, which is convex and close to linear for large y. It starts at 0.5 + 1/x,
    which is at or above the solution, so that the steps decrease monotonically [1]_ (appendix).

    References
    ----------
    .. [1] Smyth (2004). Linear models and empirical Bayes methods for assessing differential expression in
       microarray experiments. Statistical Applications in Genetics and Molecular Biology 3, 3.

    Examples
    --------
    >>> from scipy.special import polygamma
    >>> trigamma_inverse(polygamma(1, [0.01, 2.5, 4e4])).round(9)
    array([1.0e-02, 2.5e+00, 4.0e+04])
    """
    values = np.asarray(x, dtype=np.float64)
    solution = np.select([values == 0, np.isposinf(values)], [np.inf, 0.0], np.nan)
    inside = (values > 0) & np.isfinite(values)
    if inside.any():
        solution[inside] = _newton_trigamma(values[inside])
    return solution


def _newton_trigamma(x: FloatArray) -> FloatArray:
    """Newton iteration for positive finite x."""
    y = 0.5 + 1.0 / x
    for _ in range(_MAX_NEWTON_STEPS):
        value = _trigamma(y)
        step = value * (1.0 - value / x) / special.polygamma(2, y)
        y += step
        if np.all(np.abs(step) <= 1e-10 * y):
            return y
    warnings.warn("trigamma_inverse did not settle in 100 steps.", NotConvergedWarning, stacklevel=3)
    return y


def fit_f_distribution(
    s2: ArrayLike, df1: ArrayLike, *, covariate: ArrayLike | None = None, legacy_infinite_prior: bool = False
) -> tuple[float | FloatArray, float]:
    """Fit s2 ~ s0^2 F(df1, df0) by matching the first two moments of log s2.

    Parameters
    ----------
    s2 : array_like, shape (p,)
        Residual variances in squared units of the measurements.
    df1 : float or array_like, shape (p,)
        Residual degrees of freedom of each variance.
    covariate : array_like, shape (p,), optional
        Average level of each feature. The location of log s2 then follows a natural spline in it, with 2, 3
        or 4 degrees of freedom (from 3, 6, 30 usable features), never more than it has different values.
    legacy_infinite_prior : bool, default False
        When the fit gives df0 = infinity without a covariate, take the bias-corrected geometric mean of the
        variances as s0^2, as old releases of limma did, instead of their arithmetic mean.

    Returns
    -------
    s2_prior : float or ndarray, shape (p,)
        s0^2, in the units of s2; an array if and only if a covariate is given. NaN without usable features.
    df_prior : float
        df0 in [0, inf]; 0 with fewer than two usable features.

    Raises
    ------
    InputError
        If shapes do not fit, a variance is negative or infinite, degrees of freedom are negative or NaN, or
        the covariate of a usable feature is not finite.

    Notes
    -----
    Equations 7-10 of [1]_, with the trend of [2]_. Usable are features with positive variance and positive
    finite degrees of freedom; variances below 1e-5 of the median enter at that value. Features of zero
    variance say nothing about the spread of the others, and are left out.

    References
    ----------
    .. [1] Smyth (2004). Linear models and empirical Bayes methods for assessing differential expression in
       microarray experiments. Statistical Applications in Genetics and Molecular Biology 3, 3.
    .. [2] Law, Chen, Shi, Smyth (2014). voom: precision weights unlock linear model analysis tools for
       RNA-seq read counts. Genome Biology 15, R29.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> s2 = 2.0 * rng.f(10, 8, size=20000)
    >>> s2_prior, df_prior = fit_f_distribution(s2, 10)
    >>> bool(abs(s2_prior - 2) < 0.05 and abs(df_prior - 8) < 0.5)
    True
    """
    variances, df, level = check_variances(s2, df1, covariate)
    usable = usable_features(variances, df)
    x = variances if usable.all() else variances[usable]
    df_used = df if df.ndim == 0 else df[usable]
    if x.size < 2:
        return _unmoderated(x, level)
    x = _floored(x)
    e = np.log(x)
    e += _log_bias(0.5 * df_used)
    trend = None if level is None else _trend(e, level[usable])
    mean, variance = _location(e, usable, level, trend)
    df_prior = _matched_df(variance - float(np.mean(_trigamma(0.5 * df_used))))
    if np.isfinite(df_prior):
        return _as_prior(np.exp(mean - float(_log_bias(0.5 * df_prior)))), df_prior
    if trend is None and not legacy_infinite_prior:
        return _constant(float(np.mean(x)), level), df_prior
    return _as_prior(np.exp(mean)), df_prior


def check_variances(
    s2: ArrayLike, df1: ArrayLike, covariate: ArrayLike | None
) -> tuple[FloatArray, FloatArray, FloatArray | None]:
    """Bring variances, degrees of freedom and covariate to float arrays that fit together.

    Parameters
    ----------
    s2, df1, covariate
        As in :func:`fit_f_distribution`.

    Returns
    -------
    s2 : ndarray, shape (p,)
    df1 : ndarray, shape () or (p,)
    covariate : ndarray, shape (p,), or None

    Raises
    ------
    InputError
        If shapes do not fit, a variance is negative or infinite, degrees of freedom are negative or NaN, or
        the covariate of a usable feature is not finite.

    Notes
    -----
    NaN variances are legal: they stand for features that could not be fitted.

    Examples
    --------
    >>> check_variances([1, 2], 3, None)
    (array([1., 2.]), array(3.), None)
    """
    variances, df = np.asarray(s2, dtype=np.float64), np.asarray(df1, dtype=np.float64)
    if variances.ndim != 1:
        raise InputError(f"s2 has shape {variances.shape}; one variance per feature, shape (p,), is needed.")
    if df.ndim != 0 and df.shape != variances.shape:
        raise InputError(
            f"The degrees of freedom have shape {df.shape} but there are {variances.size} variances. "
            "Give one number for all features, or one per feature."
        )
    _check_range(variances, df)
    level = None if covariate is None else np.asarray(covariate, dtype=np.float64)
    if level is not None:
        _check_covariate(level, variances, df)
    return variances, df, level


def usable_features(s2: FloatArray, df1: FloatArray) -> NDArray[np.bool_]:
    """Mark the features whose variance informs the prior.

    Parameters
    ----------
    s2 : ndarray, shape (p,)
        Variances.
    df1 : ndarray, shape () or (p,)
        Degrees of freedom.

    Returns
    -------
    ndarray of bool, shape (p,)
        True where the variance is positive and its degrees of freedom are positive and finite.

    Notes
    -----
    The rule is the one of :func:`fit_f_distribution`.

    Examples
    --------
    >>> import numpy as np
    >>> usable_features(np.array([1.0, 0.0, np.nan]), np.array(3.0))
    array([ True, False, False])
    """
    return (s2 > 0) & (df1 > 0) & np.isfinite(df1)


def _check_range(s2: FloatArray, df1: FloatArray) -> None:
    """Variances are NaN or in [0, inf), degrees of freedom in [0, inf]."""
    n_bad = int(np.count_nonzero((s2 < 0) | np.isinf(s2)))
    if n_bad:
        raise InputError(
            f"{n_bad} of {s2.size} variances are negative or infinite. Residual variances are zero or "
            "positive; use NaN for features that could not be fitted."
        )
    if not np.all(df1 >= 0):
        raise InputError("Residual degrees of freedom must be zero or positive (inf for a known variance).")


def _check_covariate(level: FloatArray, s2: FloatArray, df1: FloatArray) -> None:
    """The covariate has one finite value per usable feature."""
    if level.shape != s2.shape:
        raise InputError(
            f"covariate has shape {level.shape} but there are {s2.size} variances. Give one average level "
            "per feature, or leave the covariate out."
        )
    n_bad = int(np.count_nonzero(usable_features(s2, df1) & ~np.isfinite(level)))
    if n_bad:
        raise InputError(
            f"The covariate is NaN or infinite for {n_bad} features that have a variance. Give a finite "
            "average level for each, set their variance to NaN, or leave the covariate out."
        )


def _floored(x: FloatArray) -> FloatArray:
    """Raise variances to the floor; the median, which costs a sort, is at most twice the mean."""
    if x.min() >= 2.0 * _FLOOR * x.mean():
        return x
    return np.maximum(x, _FLOOR * np.median(x))


def _unmoderated(x: FloatArray, level: FloatArray | None) -> tuple[float | FloatArray, float]:
    """Nothing to borrow from: no prior degrees of freedom, and the single variance, if any, as location."""
    return _constant(float(x[0]) if x.size else float("nan"), level), 0.0


def _location(
    e: FloatArray, usable: NDArray[np.bool_], level: FloatArray | None, trend: SplineFit | None
) -> tuple[float | FloatArray, float]:
    """Mean, or trend at every feature, of the unbiased log variances and the variance around it."""
    if level is not None and trend is not None:
        return (trend.fitted if usable.all() else trend.predict(level)), trend.residual_variance
    return _constant(float(np.mean(e)), level), float(np.var(e, ddof=1))


def _constant(value: float, level: FloatArray | None) -> float | FloatArray:
    """The value, once per feature where there is a covariate."""
    return value if level is None else np.full(level.shape, value)


def _trend(e: FloatArray, level: FloatArray) -> SplineFit | None:
    """Spline of log variance on level; None if the data allow only a constant."""
    n_df = min(1 + (e.size >= 3) + (e.size >= 6) + (e.size >= 30), _n_distinct(level, enough=4))
    return fit_natural_spline(level, e, n_df) if n_df >= 2 else None


def _n_distinct(values: FloatArray, enough: int) -> int:
    """Number of different values; a lower bound of at least `enough` where the first few show that many."""
    n_first = np.unique(values[:1000]).size
    return n_first if n_first >= enough else np.unique(values).size


def _matched_df(excess: float) -> float:
    """Prior degrees of freedom whose log variance is the excess over sampling variance: trigamma(df0/2)."""
    return 2.0 * float(trigamma_inverse(excess)) if excess > 0 else float("inf")


def _log_bias(half_df: ArrayLike) -> FloatArray:
    """Minus the mean of the log of a mean square with unit expectation: log(d/2) - digamma(d/2)."""
    half = np.asarray(half_df, dtype=np.float64)
    return np.log(half) - special.digamma(half)


def _trigamma(x: float | FloatArray) -> FloatArray:
    """Trigamma function as a Hurwitz zeta value, zeta(2, x)."""
    return np.asarray(special.zeta(2.0, x), dtype=np.float64)


def _as_prior(value: float | FloatArray) -> float | FloatArray:
    """Plain float for a common prior, array for a trend."""
    return float(value) if np.ndim(value) == 0 else np.asarray(value, dtype=np.float64)
