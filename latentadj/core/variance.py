"""Empirical Bayes moderation of residual variances: a prior from all features, a posterior for each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentadj.core.f_distribution import check_variances, fit_f_distribution, trigamma_inverse
from latentadj.core.robust_f_distribution import RobustFFit, fit_f_distribution_robustly

__all__ = [
    "RobustFFit",
    "VariancePrior",
    "fit_f_distribution",
    "fit_f_distribution_robustly",
    "squeeze_variances",
    "trigamma_inverse",
]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class VariancePrior:
    """Prior of the residual variances and what it makes of each of them.

    Attributes
    ----------
    df_prior : float or ndarray, shape (p,)
        Prior degrees of freedom d0 in [0, inf]; an array if and only if the fit is robust.
    s2_prior : float or ndarray, shape (p,)
        Prior variance s0^2 in squared units of the measurements; an array if and only if there is a trend.
        NaN when nothing is moderated.
    s2_post : ndarray, shape (p,)
        Moderated variances. NaN for constant features (zero variance) and for NaN variances that claim
        degrees of freedom.
    df_total : float or ndarray, shape (p,)
        Degrees of freedom of the moderated t: d0 + residual, at most the sum of the residual ones over
        features of positive variance. An
        array if `df_prior` or the residual degrees of freedom are one.
    """

    df_prior: float | FloatArray
    s2_prior: float | FloatArray
    s2_post: FloatArray
    df_total: float | FloatArray


def squeeze_variances(
    s2: ArrayLike,
    df_resid: ArrayLike,
    *,
    covariate: ArrayLike | None = None,
    robust: bool = False,
    winsor_tail: tuple[float, float] = (0.05, 0.1),
    legacy_infinite_prior: bool = False,
) -> VariancePrior:
    """Shrink residual variances towards a common value or a trend.

    Parameters
    ----------
    s2 : array_like, shape (p,)
        Residual variances in squared units of the measurements; NaN where a feature could not be fitted.
    df_resid : float or array_like, shape (p,)
        Residual degrees of freedom. ``inf`` marks a known variance, which is kept as it is; 0 marks one
        that could not be estimated, which becomes the prior one.
    covariate : array_like, shape (p,), optional
        Average level of each feature; the prior variance then follows a smooth trend in it.
    robust : bool, default False
        Guard the prior against features of outlying variance, which get fewer prior degrees of freedom.
    winsor_tail : tuple of float, default (0.05, 0.1)
        Fractions of the log variances pulled in at the lower and upper end by the robust fit.
    legacy_infinite_prior : bool, default False
        See :func:`fit_f_distribution`.

    Returns
    -------
    VariancePrior
        Prior degrees of freedom and variance, posterior variances (p,), total degrees of freedom.

    Raises
    ------
    InputError
        If shapes do not fit, a variance is negative or infinite, degrees of freedom are negative or NaN, the
        covariate of a usable feature is not finite, or `winsor_tail` is not two fractions below a half.

    Notes
    -----
    The posterior variance (d0 s0^2 + d s^2) / (d0 + d) of equation 3 in [1]_, and the robust prior of [2]_.
    Features of zero variance neither inform the prior nor receive a posterior: their statistic would be 0/0.
    With fewer than two usable features d0 is 0 and the variances stay as they are.

    References
    ----------
    .. [1] Smyth (2004). Linear models and empirical Bayes methods for assessing differential expression in
       microarray experiments. Statistical Applications in Genetics and Molecular Biology 3, 3.
    .. [2] Phipson, Lee, Majewski, Alexander, Smyth (2016). Robust hyperparameter estimation protects against
       hypervariable genes and improves power to detect differential expression. Annals of Applied Statistics
       10, 946-963.

    Examples
    --------
    >>> prior = squeeze_variances([0.1, 0.9, 1.0, 1.1, 8.0], 4)
    >>> prior.s2_post.round(3)
    array([0.287, 0.829, 0.897, 0.965, 5.637])
    >>> round(prior.df_prior, 3), round(prior.df_total, 3)
    (1.907, 5.907)
    """
    variances, df, level = check_variances(s2, df_resid, covariate)
    df_prior: float | FloatArray
    if robust:
        fit = fit_f_distribution_robustly(
            variances,
            df,
            covariate=level,
            winsor_tail=winsor_tail,
            legacy_infinite_prior=legacy_infinite_prior,
        )
        s2_prior, df_prior = fit.s2_prior, fit.df_prior_feature
    else:
        s2_prior, df_prior = fit_f_distribution(
            variances, df, covariate=level, legacy_infinite_prior=legacy_infinite_prior
        )
    s2_post = _posterior(variances, df, s2_prior, df_prior)
    return VariancePrior(df_prior, s2_prior, s2_post, _total_df(variances, df, df_prior))


def _posterior(
    s2: FloatArray, df: FloatArray, s2_prior: float | FloatArray, df_prior: float | FloatArray
) -> FloatArray:
    """Average of prior and sample variance weighted by their degrees of freedom, limits included."""
    if df.ndim == 0 and np.isfinite(df) and np.ndim(df_prior) == 0 and np.isfinite(df_prior):
        return _common_posterior(s2, float(df), s2_prior, float(df_prior))
    with np.errstate(invalid="ignore"):
        weight = np.asarray(df_prior / (df + df_prior))
    weight = np.where(np.isinf(df_prior), 1.0, weight)
    weight = np.where(np.isinf(df), 0.0, weight)
    prior_part = np.where(weight > 0, weight * s2_prior, 0.0)
    sample_part = np.where(weight < 1, (1.0 - weight) * s2, 0.0)
    unknown = np.isnan(weight) | (~(s2 > 0) & (df > 0))
    return np.where(unknown, np.nan, prior_part + sample_part)


def _common_posterior(s2: FloatArray, df: float, s2_prior: float | FloatArray, df_prior: float) -> FloatArray:
    """The same where all features have the same degrees of freedom, and the prior has finitely many."""
    weight = df_prior / (df + df_prior) if df + df_prior > 0 else np.nan
    out = (1.0 - weight) * s2 if weight < 1 else np.zeros_like(s2)
    if weight != 0:
        out += weight * s2_prior
    if df > 0:
        out[~(s2 > 0)] = np.nan
    return out


def _total_df(s2: FloatArray, df: FloatArray, df_prior: float | FloatArray) -> float | FloatArray:
    """Prior plus residual degrees of freedom, capped by what all features with a variance together have."""
    varies = s2 > 0
    pooled = float(df) * np.count_nonzero(varies) if df.ndim == 0 else float(df[varies].sum())
    total = np.minimum(df + df_prior, pooled)
    return float(total) if total.ndim == 0 else total
