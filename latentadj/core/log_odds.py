"""Log-odds that a feature has a true effect, from moderated t statistics: the "B" of empirical Bayes tables."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentadj.core.tails import t_isf, t_two_sided_log_p, t_two_sided_p
from latentadj.exceptions import InputError

__all__ = ["log_odds"]

FloatArray = NDArray[np.float64]

_UNDERFLOW = 1e-290  # p-values below are handled by their logarithm
_BISECTIONS = 64  # halvings that bring a bracket down to the spacing of doubles


def log_odds(
    t: ArrayLike,
    stdev_unscaled: ArrayLike,
    df: ArrayLike,
    s2_prior: ArrayLike,
    *,
    proportion: float = 0.01,
    limits: tuple[float, float] = (0.1, 4.0),
) -> FloatArray:
    r"""Log-odds that an effect is not zero, given its moderated t statistic.

    Parameters
    ----------
    t : array_like, shape (n_features, T)
        Moderated t statistics; NaN where a feature was not tested.
    stdev_unscaled : array_like, shape (T,) or (n_features, T)
        Standard errors for unit residual variance.
    df : float or array_like, shape (n_features,)
        Total degrees of freedom of the statistics; ``inf`` for normal tails.
    s2_prior : float or array_like, shape (n_features,)
        Prior residual variance in squared units of the measurements. NaN when variances are not moderated:
        `limits` then count in residual standard deviations, which does not depend on units either.
    proportion : float, default 0.01
        Assumed share of features with an effect, between 0 and 1.
    limits : tuple of float, default (0.1, 4.0)
        Smallest and largest standard deviation of the true effects, in units of the measurements.

    Returns
    -------
    ndarray, shape (n_features, T)
        Natural logarithms of posterior odds; NaN where `t`, its degrees of freedom or its deviation are.

    Raises
    ------
    InputError
        If shapes do not fit, `proportion` is not between 0 and 1, or `limits` are not in order.

    Notes
    -----
    Posterior odds (section 5) and the variance of effects (section 6.3) of [1]_. With u the unscaled
    deviation, v0 the variance of true effects over the residual variance, and :math:`r = 1 + v_0 / u^2`,

    .. math:: B = \log\frac{\pi}{1-\pi} - \frac{\log r}{2}
              - \frac{1+d}{2} \log\Bigl(1 - (1 - 1/r)\frac{t^2}{t^2 + d}\Bigr),

    where d are the total degrees of freedom and the last term tends to :math:`(1 - 1/r)\,t^2/2` as d grows. One
    v0 per column is the mean of what the :math:`\lceil \pi m / 2 \rceil` largest of m statistics say: the i-th
    largest is taken as the quantile at its rank of the mixture of null and scaled t. Statistics of different
    degrees of freedom are first brought to the largest ones at equal p-value. `limits`, divided by the median
    of `s2_prior`, bound every single v0. B orders features by evidence; its zero depends on `proportion`, which
    is not estimated.

    References
    ----------
    .. [1] Smyth (2004). Linear models and empirical Bayes methods for assessing differential expression in
       microarray experiments. Statistical Applications in Genetics and Molecular Biology 3, 3.

    Examples
    --------
    >>> t = np.r_[np.linspace(-2, 2, 99), 8.0][:, None]
    >>> log_odds(t, [0.5], 20, 1.0)[[0, 49, 99], 0].round(2)
    array([-4.8 , -6.68,  7.88])
    """
    statistics, unscaled, freedom = _checked(t, stdev_unscaled, df)
    _check_options(proportion, limits)
    bounds = np.square(limits) / _typical_variance(s2_prior)
    out = np.empty_like(statistics)
    for j in range(statistics.shape[1]):
        column, u2 = statistics[:, j], unscaled[:, j] ** 2
        v0 = _effect_variance(column, u2, freedom, proportion, bounds)
        out[:, j] = _posterior_odds(column, u2, freedom, v0)
    odds: FloatArray = out + np.log(proportion) - np.log1p(-proportion)
    return odds


def _posterior_odds(t: FloatArray, u2: FloatArray, df: FloatArray, v0: float) -> FloatArray:
    """Log Bayes factor of an effect of variance v0 against none, per feature."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        shrink = v0 / (u2 + v0)
        share = 1.0 / (1.0 + df / t**2)
        # Both forms are the same number; each is used where its logarithm does not cancel.
        small = np.log1p(-np.minimum(shrink * share, 0.5))
        large = np.log(share * u2 / (u2 + v0) + 1.0 / (1.0 + t**2 / df))
        finite = -0.5 * (1.0 + df) * np.where(shrink * share < 0.5, small, large)
        kernel = np.where(np.isposinf(df), 0.5 * shrink * t**2, finite)
        out: FloatArray = kernel - 0.5 * np.log1p(v0 / u2)
    return np.where(np.isnan(t) | np.isnan(df), np.nan, out)


def _effect_variance(t: FloatArray, u2: FloatArray, df: FloatArray, proportion: float, bounds: FloatArray) -> float:
    """Mean variance of true effects, in units of the residual variance, over the largest statistics."""
    known = np.isfinite(u2) & ~np.isnan(t) & ~np.isnan(df)
    m = int(np.count_nonzero(known))
    if m == 0:
        return np.nan
    n_top = int(np.ceil(proportion / 2.0 * m))
    share = max(n_top / m, proportion)
    common = float(df[known].max())
    size = _at_common_df(np.abs(t[known]), df[known], common)
    top = np.argsort(-size, kind="stable")[:n_top]
    p_null = t_two_sided_p(size[top], common)
    rank = (np.arange(1, n_top + 1) - 0.5) / m
    p_effect = (rank - (1.0 - share) * p_null) / share
    quantile = np.asarray(t_isf(np.clip(p_effect, 0.0, 1.0) / 2.0, common))
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        implied = u2[known][top] * (np.square(size[top] / quantile) - 1.0)
    v0 = np.where(p_effect > p_null, implied, 0.0)
    return float(np.clip(v0, *bounds).mean())


def _at_common_df(size: FloatArray, df: FloatArray, common: float) -> FloatArray:
    """Absolute statistics with the same two-sided p-values at `common` degrees of freedom, ``>= df``."""
    lower = df < common
    if not lower.any():
        return size
    p_value = t_two_sided_p(size[lower], df[lower])
    out = size.copy()
    out[lower] = t_isf(p_value / 2.0, common)
    tiny = np.flatnonzero(lower)[(p_value < _UNDERFLOW) & np.isfinite(size[lower])]
    out[tiny] = _from_log_p(t_two_sided_log_p(size[tiny], df[tiny]), size[tiny], common)
    return out


def _from_log_p(log_p: FloatArray, above: FloatArray, df: float) -> FloatArray:
    """Solve for statistics of given log p-values by bisection of ``[0, above]``."""
    low, high = np.zeros_like(above), above.copy()
    for _ in range(_BISECTIONS if above.size else 0):
        middle = 0.5 * (low + high)
        beyond = t_two_sided_log_p(middle, df) < log_p
        low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
    return 0.5 * (low + high)


def _typical_variance(s2_prior: ArrayLike) -> float:
    """Median prior variance; 1 without one, so that limits count in residual standard deviations."""
    values = np.asarray(s2_prior, dtype=np.float64)
    usable = values[np.isfinite(values) & (values > 0)]
    return float(np.median(usable)) if usable.size else 1.0


def _checked(t: ArrayLike, stdev_unscaled: ArrayLike, df: ArrayLike) -> tuple[FloatArray, ...]:
    """Return statistics (m, T), deviations (m, T) and degrees of freedom (m,) as doubles."""
    statistics = np.asarray(t, dtype=np.float64)
    unscaled, freedom = np.asarray(stdev_unscaled, dtype=np.float64), np.asarray(df, dtype=np.float64)
    shape = statistics.shape
    fits = len(shape) == 2 and unscaled.shape in {shape, shape[1:]} and freedom.shape in {(), shape[:1]}
    if not fits:
        raise InputError(
            f"t has the shape {shape}, stdev_unscaled {unscaled.shape} and df {freedom.shape}; they must be "
            "(n_features, T), (T,) or (n_features, T), and one number or (n_features,). Give a single "
            "contrast as t[:, None]."
        )
    return statistics, np.broadcast_to(unscaled, shape), np.broadcast_to(freedom, shape[:1])


def _check_options(proportion: float, limits: tuple[float, float]) -> None:
    if not 0.0 < proportion < 1.0:
        raise InputError(f"proportion is {proportion!r}; it must lie between 0 and 1 (0.01 is the usual value).")
    if len(limits) != 2 or not 0.0 <= limits[0] <= limits[1]:
        raise InputError(f"limits are {limits!r}; give the smallest and the largest deviation, such as (0.1, 4).")
