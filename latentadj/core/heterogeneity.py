"""Do estimates that share a value scatter more than their errors say, and do effects follow loadings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.special import chdtrc, chdtri, fdtrc

from latentadj.core.robust import huber_cross_covariance, huber_regression, least_squares

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Heterogeneity:
    """Cochran's test of estimates around a known or fitted value.

    Attributes
    ----------
    q : float
        Sum of the squared deviations in units of their errors.
    df : float
    p_value : float
    """

    q: float
    df: float
    p_value: float

    @property
    def ratio(self) -> float:
        """``q / df``, 1 under homogeneity (H squared of Higgins and Thompson 2002)."""
        return self.q / self.df if self.df > 0 else float("nan")


def heterogeneity(p: Array, n_fitted: int) -> Heterogeneity:
    """Test from p-values that t statistics scatter as their distribution says.

    Parameters
    ----------
    p : ndarray of shape (m,)
        Two-sided p-values of the deviations; each is turned into a squared normal score, so that few degrees of
        freedom count rightly.
    n_fitted : int
        Parameters that were fitted to the same deviations.

    Returns
    -------
    Heterogeneity
        NaN with no more p-values than parameters.

    Notes
    -----
    Cochran (1954), Biometrics 10:101: ``Q = sum z_j^2`` against chi-square with ``m - n_fitted`` degrees of freedom.

    Examples
    --------
    >>> from scipy.stats import norm
    >>> result = heterogeneity(2 * norm.sf([0.1, 1.0, 3.0]), 1)
    >>> round(result.q, 2), result.df
    (10.01, 2.0)
    """
    df = float(p.size - n_fitted)
    if df < 1:
        return Heterogeneity(float("nan"), df, float("nan"))
    q = float(np.sum(chdtri(1.0, np.clip(p, np.finfo(np.float64).tiny, 1.0))))
    return Heterogeneity(q, df, float(chdtrc(df, q)))


def weakest_share(part: Array, whole: Array) -> float:
    """How strongly some features feel the factors, in the direction where they feel them least.

    Parameters
    ----------
    part, whole : ndarray of shape (c, k) and (m, k)
        Standardised loadings of some features and of all.

    Returns
    -------
    float
        Smallest ratio of mean squared loadings over all directions of the factor space; 1 where both sets are
        alike, 0 where the part misses a factor.

    Examples
    --------
    >>> loadings = np.eye(2)[[0, 1] * 10]
    >>> round(weakest_share(loadings[::2], loadings), 12), round(weakest_share(loadings[:4], loadings), 12)
    (0.0, 1.0)
    """
    if part.shape[0] == 0 or whole.shape[1] == 0:
        return float("nan")
    try:
        ratios = eigh(part.T @ part / len(part), whole.T @ whole / len(whole), eigvals_only=True)
    except np.linalg.LinAlgError:
        return float("nan")
    return max(float(ratios[0]), 0.0)


@dataclass(frozen=True, slots=True)
class LoadingTrend:
    """Regression of effects on loadings, without intercept.

    Attributes
    ----------
    r2 : float
        Share of the squared effects that the loadings explain.
    p_value : float
    shift : float
        Root mean square of the fitted part.
    """

    r2: float
    p_value: float
    shift: float


def loading_trend(effects: Array, loadings: Array) -> LoadingTrend:
    """F test of a least-squares trend of effects along loadings.

    Parameters
    ----------
    effects : ndarray of shape (m,)
    loadings : ndarray of shape (m, k)

    Returns
    -------
    LoadingTrend
        NaN with fewer than ``3 k`` or 10 effects.

    Examples
    --------
    >>> A = np.random.default_rng(0).normal(size=(50, 2))
    >>> round(loading_trend(A @ [1.0, 0.0], A).r2, 6)
    1.0
    """
    m, k = loadings.shape
    total = float(effects @ effects)
    if m < max(3 * k, 10) or k == 0 or total == 0:
        return LoadingTrend(float("nan"), float("nan"), float("nan"))
    fitted = loadings @ least_squares(effects, loadings)
    r2 = min(float(fitted @ fitted) / total, 1.0)
    p = 0.0 if r2 == 1.0 else float(fdtrc(k, m - k, r2 / (1.0 - r2) * (m - k) / k))
    return LoadingTrend(r2, p, float(np.sqrt(np.mean(fitted**2))))


def bulk_trend(effects: Array, loadings: Array) -> LoadingTrend:
    """Wald test of a robust trend: of the bulk of the effects, whatever a minority of large ones does.

    Parameters
    ----------
    effects : ndarray of shape (m,)
        In units of their standard errors.
    loadings : ndarray of shape (m, k)
        In the same units.

    Returns
    -------
    LoadingTrend
        `r2` is that of the fitted part in the squared effects.

    Notes
    -----
    Huber's M-estimate; least squares through the same points may have no trend at all.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> A = rng.normal(size=(1000, 1))
    >>> noise = rng.normal(size=1000)
    >>> bulk_trend(noise, A).p_value > 0.001, bulk_trend(0.5 * A[:, 0] + noise, A).p_value < 1e-9
    (True, True)
    """
    m, k = loadings.shape
    if m < max(3 * k, 10) or k == 0:
        return LoadingTrend(float("nan"), float("nan"), float("nan"))
    fit = huber_regression(effects, loadings)
    covariance = huber_cross_covariance([fit], loadings)[0, :, 0, :]
    wald = float(fit.coef @ least_squares(fit.coef, covariance))
    fitted = loadings @ fit.coef
    total = float(effects @ effects)
    r2 = min(float(fitted @ fitted) / total, 1.0) if total > 0 else float("nan")
    return LoadingTrend(r2, float(chdtrc(k, max(wald, 0.0))), float(np.sqrt(np.mean(fitted**2))))
