"""Test statistics of all features."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from latentadj.core.regression import RegressionFit
from latentadj.core.tails import f_upper_p, t_isf, t_two_sided_p
from latentadj.core.variance import VariancePrior

Array = NDArray[np.float64]


@dataclass(frozen=True)
class JointTests:
    """F tests of several columns at once.

    Attributes
    ----------
    names : tuple of str, length J
        Formula terms.
    statistic, p_value : ndarray of shape (n_features, J)
    df1 : ndarray of shape (J,)
    df2 : float or ndarray of shape (n_features,)
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
    df : float or ndarray of shape (n_features,)
        Degrees of freedom of the t statistics; infinite for normal tails.
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
        return self.std_error * (quantile[:, None] if quantile.ndim else quantile)

    def with_calibrated(self, statistic: Array, p_value: Array, record: CalibrationRecord) -> TestStatistics:
        """Return a copy with other statistics and p-values; estimates and standard errors stay."""
        return replace(self, statistic=statistic, p_value=p_value, calibration=record.method, calibration_record=record)

    def with_std_error(self, std_error: Array, df: float | Array, record: CalibrationRecord) -> TestStatistics:
        """Return a copy with other standard errors and degrees of freedom, and the tests that follow from them."""
        with np.errstate(invalid="ignore", divide="ignore"):
            statistic = self.estimate / std_error
        spread = df[:, None] if isinstance(df, np.ndarray) else df
        p_value = np.asarray(t_two_sided_p(statistic, spread))
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
            calibration_record=None if record is None else record.select(positions),
        )


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
    ``l' (a_j' V a_j) l``.
    """
    estimate = fit.estimate(contrasts)
    with np.errstate(invalid="ignore", divide="ignore"):
        std_error = np.sqrt(fit.contrast_variance(contrasts, prior.s2_post))
        std_error[fit.constant] = np.nan
        statistic = estimate / std_error
    df = prior.df_total
    spread = df[:, None] if isinstance(df, np.ndarray) else df
    p_value = np.asarray(t_two_sided_p(statistic, spread))
    return TestStatistics(names, contrasts, estimate, std_error, statistic, p_value, df, prior)


test_contrasts.__test__ = False  # type: ignore[attr-defined]


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
    """
    columns = [_joint_statistic(fit, prior, contrasts) for contrasts in groups.values()]
    m = fit.coef.shape[0]
    df1 = np.array([float(c.shape[1]) for c in groups.values()])
    statistic = np.column_stack(columns) if columns else np.empty((m, 0))
    p_value = np.empty_like(statistic)
    for i, numerator_df in enumerate(df1):
        p_value[:, i] = f_upper_p(statistic[:, i], float(numerator_df), prior.df_total)
    return JointTests(tuple(groups), statistic, p_value, df1, prior.df_total)


test_jointly.__test__ = False  # type: ignore[attr-defined]


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
        solved = np.linalg.solve(covariance, estimate[:, :, None])[:, :, 0]
        statistic: Array = np.einsum("mi,mi->m", solved, estimate) / c
        return np.where(np.isfinite(s2), statistic, np.nan)
