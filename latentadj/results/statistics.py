"""Test statistics of all features."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from latentadj.core.regression import RegressionFit
from latentadj.core.tails import f_upper_p, t_isf, t_two_sided_p
from latentadj.core.variance import VariancePrior

Array = NDArray[np.float64]


#: Covariances whose smallest eigenvalue is below this share of the largest are singular.
SINGULAR = 1e-12


@dataclass(frozen=True)
class JointTests:
    """F tests of several columns at once.

    Attributes
    ----------
    names : tuple of str, length J
        Formula terms.
    statistic, p_value : ndarray of shape (n_features, J)
    df1 : ndarray of shape (J,)
    df2 : float or ndarray of shape (n_features,) or (n_features, J)
    """

    names: tuple[str, ...]
    statistic: Array
    p_value: Array
    df1: Array
    df2: float | Array


@dataclass(frozen=True)
class CalibrationRecord:
    """What a calibration estimated, per test.

    Attributes
    ----------
    method : str
        Short name.
    centre, scale : ndarray of shape (T,)
        Mean and standard deviation of the null distribution that was found, on the normal scale; NaN where the
        method does not describe it by two numbers. For variance inflation the centre is 0.
    pi0 : ndarray of shape (T,)
        Share of nulls; NaN where it was not estimated.
    note : str
        How it was estimated, for a report.
    """

    method: str
    centre: Array
    scale: Array
    pi0: Array
    note: str = ""

    def select(self, positions: list[int]) -> CalibrationRecord:
        """Return the record of some of the tests."""
        return replace(self, centre=self.centre[positions], scale=self.scale[positions], pi0=self.pi0[positions])


@dataclass(frozen=True)
class TestStatistics:
    """Tests of some contrasts for all features.

    Attributes
    ----------
    names : tuple of str, length T
    contrasts : ndarray of shape (d, T)
        Contrast weights over the design columns.
    estimate, std_error, statistic, p_value : ndarray of shape (n_features, T)
    df : float or ndarray of shape (n_features,) or (n_features, T)
        Degrees of freedom of the t statistics; infinite for normal tails. Of two dimensions only where they differ
        between tests, as those of sandwich errors do.
    prior : VariancePrior
        Variances behind the standard errors.
    calibration : str or None
        How `statistic` and `p_value` were calibrated, if at all.
    calibration_record : CalibrationRecord or None
        What the calibration estimated.
    """

    __test__ = False

    names: tuple[str, ...]
    contrasts: Array
    estimate: Array
    std_error: Array
    statistic: Array
    p_value: Array
    df: float | Array
    prior: VariancePrior
    calibration: str | None = None
    calibration_record: CalibrationRecord | None = None

    def half_width(self, level: float = 0.95) -> Array:
        """Half the width of confidence intervals, ``(n_features, T)``."""
        quantile = np.asarray(t_isf((1.0 - level) / 2.0, self.df))
        return self.std_error * over_tests(quantile)

    def df_of(self, test: int) -> float | Array:
        """Degrees of freedom of one of the tests, a number or ``(n_features,)``."""
        return self.df[:, test] if isinstance(self.df, np.ndarray) and self.df.ndim == 2 else self.df

    def with_calibrated(self, statistic: Array, p_value: Array, record: CalibrationRecord) -> TestStatistics:
        """Return a copy with other statistics and p-values; estimates and standard errors stay."""
        return replace(self, statistic=statistic, p_value=p_value, calibration=record.method, calibration_record=record)

    def with_std_error(self, std_error: Array, df: float | Array, record: CalibrationRecord) -> TestStatistics:
        """Return a copy with other standard errors and degrees of freedom, and the tests that follow from them."""
        with np.errstate(invalid="ignore", divide="ignore"):
            statistic = self.estimate / std_error
        p_value = np.asarray(t_two_sided_p(statistic, over_tests(df)))
        return replace(self, std_error=std_error, df=df).with_calibrated(statistic, p_value, record)

    def select(self, positions: list[int]) -> TestStatistics:
        """Return a copy with some of the tests; the same object when all are kept in order."""
        if positions == list(range(len(self.names))):
            return self
        record = self.calibration_record
        return replace(
            self,
            names=tuple(self.names[i] for i in positions),
            contrasts=self.contrasts[:, positions],
            estimate=self.estimate[:, positions],
            std_error=self.std_error[:, positions],
            statistic=self.statistic[:, positions],
            p_value=self.p_value[:, positions],
            df=self.df[:, positions] if isinstance(self.df, np.ndarray) and self.df.ndim == 2 else self.df,
            calibration_record=None if record is None else record.select(positions),
        )


def over_tests(values: float | Array) -> float | Array:
    """Return what is common, one per feature, or one per feature and test, in a form that broadcasts over tests.

    Parameters
    ----------
    values : float or ndarray of shape (), (n_features,) or (n_features, T)

    Returns
    -------
    float or ndarray of shape (), (n_features, 1) or (n_features, T)

    Examples
    --------
    >>> over_tests(np.ones(3)).shape, over_tests(4.0)
    ((3, 1), 4.0)
    """
    return values[:, None] if isinstance(values, np.ndarray) and values.ndim == 1 else values


def test_contrasts(
    fit: RegressionFit, prior: VariancePrior, contrasts: Array, names: tuple[str, ...]
) -> TestStatistics:
    """Student tests of contrasts, given the residual variances to use.

    Parameters
    ----------
    fit : RegressionFit
    prior : VariancePrior
    contrasts : ndarray of shape (d, T)
    names : tuple of str, length T

    Returns
    -------
    TestStatistics
        NaN for features that do not vary and contrasts that cannot be estimated.

    Notes
    -----
    The variance of a contrast l is ``s_j^2 l' C l`` plus, where the fit carries a link uncertainty,
    ``l' (a_j' V a_j) l``. Degrees of freedom are those of the variances, except where the fit's own covariances
    were estimated: see `error_df`.
    """
    estimate = fit.estimate(contrasts)
    with np.errstate(invalid="ignore", divide="ignore"):
        std_error = np.sqrt(fit.contrast_variance(contrasts, prior.s2_post))
        std_error[fit.constant] = np.nan
        df = prior.df_total
        if fit.degrees is not None:
            own = fit.degrees.contrast_df(contrasts)
            std_error[np.broadcast_to(np.isnan(own), std_error.shape)] = np.nan
            df = _for_all_tests([error_df(fit, prior, nu) for nu in np.moveaxis(own, -1, 0)], len(estimate))
        statistic = estimate / std_error
    p_value = np.asarray(t_two_sided_p(statistic, over_tests(df)))
    return TestStatistics(names, contrasts, estimate, std_error, statistic, p_value, df, prior)


test_contrasts.__test__ = False  # type: ignore[attr-defined]


def error_df(fit: RegressionFit, prior: VariancePrior, own: float | Array, n_contrasts: int = 1) -> float | Array:
    """Degrees of freedom of estimated covariances, once the residual variances in them are replaced by a prior's.

    Parameters
    ----------
    fit : RegressionFit
    prior : VariancePrior
    own : float or ndarray of shape (n_features,)
        Degrees of freedom of the covariance of the contrasts as it was estimated.
    n_contrasts : int, default=1

    Returns
    -------
    float or ndarray of shape (n_features,)
        `own` where nothing is moderated.

    Notes
    -----
    A covariance is the residual variance ``s2`` times a form R. With normal noise of equal variance R does not depend
    on ``s2`` (Basu), so that second moments multiply: ``1 + (q + 1) / nu`` for the estimate (q contrasts),
    ``1 + 2 / f`` for ``s2``, and with moderated variances ``1 + 2 / f`` is exchanged for ``1 + 2 / (f + f0)``.
    """
    gain = (1.0 + 2.0 / np.asarray(prior.df_total)) / (1.0 + 2.0 / np.asarray(fit.df_resid))
    excess = gain * (1.0 + (n_contrasts + 1.0) / own) - 1.0
    with np.errstate(divide="ignore"):
        df = (n_contrasts + 1.0) / np.maximum(excess, 0.0)
    return float(df) if df.ndim == 0 else np.asarray(df)


def _for_all_tests(df: list[float | Array], n_features: int) -> float | Array:
    """One number or one per feature where all tests have the same degrees of freedom, else ``(n_features, T)``."""
    if not df:
        return np.inf
    if all(np.array_equal(df[0], other, equal_nan=True) for other in df[1:]):
        return df[0]
    return np.column_stack([np.broadcast_to(one, (n_features,)) for one in df])


def test_jointly(fit: RegressionFit, prior: VariancePrior, groups: dict[str, Array]) -> JointTests:
    """F tests that all contrasts of a group are zero.

    Parameters
    ----------
    fit : RegressionFit
    prior : VariancePrior
    groups : dict of str to ndarray of shape (d, c)
        Linearly independent contrasts of each group.

    Returns
    -------
    JointTests

    Notes
    -----
    Where the fit's covariances were estimated themselves, Hotelling's statistic with estimated degrees of freedom
    (Pustejovsky and Tipton 2018, section 3.2).
    """
    m = fit.coef.shape[0]
    df1 = np.array([float(c.shape[1]) for c in groups.values()])
    statistic, p_value = np.empty((m, len(df1))), np.empty((m, len(df1)))
    df2 = []
    for i, contrasts in enumerate(groups.values()):
        factor, df = _hotelling(fit, prior, contrasts)
        statistic[:, i] = factor * _joint_statistic(fit, prior, contrasts)
        p_value[:, i] = f_upper_p(statistic[:, i], float(df1[i]), df)
        df2.append(df)
    shared = _for_all_tests(df2, m) if df2 else prior.df_total
    return JointTests(tuple(groups), statistic, p_value, df1, shared)


test_jointly.__test__ = False  # type: ignore[attr-defined]


def _hotelling(fit: RegressionFit, prior: VariancePrior, contrasts: Array) -> tuple[float | Array, float | Array]:
    """Factor of the mean square that makes it an F statistic, and the F's denominator degrees of freedom.

    Both are plain for a residual variance times a known matrix. An estimated covariance is as a Wishart matrix of nu
    degrees of freedom, whose Hotelling statistic of q contrasts is ``q nu / (nu - q + 1)`` times F with ``nu - q + 1``.
    """
    if fit.degrees is None:
        return 1.0, prior.df_total
    q = contrasts.shape[1]
    nu = np.asarray(error_df(fit, prior, fit.degrees.joint_df(contrasts), q))
    left = np.where(nu > q - 1, nu - q + 1.0, np.nan)
    factor = np.where(np.isinf(nu), 1.0, left / np.where(np.isinf(nu), 1.0, nu))
    return (float(factor), float(left)) if nu.ndim == 0 else (factor, left)


def _joint_statistic(fit: RegressionFit, prior: VariancePrior, contrasts: Array) -> Array:
    estimate = fit.estimate(contrasts)
    c = contrasts.shape[1]
    common = fit.unscaled_covariance(contrasts)
    s2 = np.where(fit.constant, np.nan, prior.s2_post)
    with np.errstate(invalid="ignore", divide="ignore"):
        if fit.link is None and common.ndim == 2:
            whitened = np.linalg.solve(np.linalg.cholesky(common), estimate.T)
            out: Array = np.einsum("im,im->m", whitened, whitened) / (c * s2)
            return out
        safe = np.where(np.isfinite(s2) & (s2 > 0), s2, 1.0)
        covariance = safe[:, None, None] * common
        if fit.link is not None:
            covariance = covariance + fit.link.contrast_covariance(contrasts)
        regular = _is_regular(covariance)
        solved = np.linalg.solve(np.where(regular[:, None, None], covariance, np.eye(c)), estimate[:, :, None])[:, :, 0]
        statistic: Array = np.einsum("mi,mi->m", solved, estimate) / c
        return np.where(np.isfinite(s2) & regular, statistic, np.nan)


def _is_regular(covariance: Array) -> np.ndarray:
    """Tell which of the matrices ``(n_features, c, c)`` can be inverted; sandwiches of few clusters cannot."""
    usable = np.asarray(np.isfinite(covariance).all(axis=(1, 2)))
    values = np.linalg.eigvalsh(np.where(usable[:, None, None], covariance, np.eye(covariance.shape[1])))
    return np.asarray(usable & (values[:, 0] > SINGULAR * values[:, -1]))
