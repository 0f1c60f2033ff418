"""Calibration by the variance of negative controls."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from latentadj.calibration.controls import usable_controls
from latentadj.core.control_scale import combined_df, effective_controls, mean_square, student_scale2
from latentadj.core.matrix import Array
from latentadj.exceptions import ControlsError, MethodError
from latentadj.results.statistics import CalibrationRecord, TestStatistics

#: Fewer controls than this leave the scale unknown within a factor of three.
FEWEST_CONTROLS = 5


class ControlVariance(BaseEstimator):  # type: ignore[misc]
    """Standard errors inflated so that negative controls look null.

    Parameters
    ----------
    likelihood : {"t", "normal"}, default="t"
        Controls' statistics are Student variables times a scale, or normal ones. The normal form is the mean of
        squares, which is too large by ``df / (df - 2)``.
    n_fitted : int, default=0
        Coefficients per tested column that were fitted to the same controls: the number of factors for RUV-4 and its
        relatives, which brings the controls' statistics closer to zero than those of other features. The scale is
        multiplied by ``n / (n - n_fitted)``.
    compat : {None, "ruv"}, default=None
        "ruv" is the mean of squares with the degrees of freedom left as they are, for parity.

    Notes
    -----
    Gagnon-Bartsch, Jacob and Speed (2013), who rescale variances by the controls' mean of squared effect over
    variance; Gerard and Stephens (2021) for the t-likelihood. The scale is itself an estimate. With n
    controls it has n degrees of freedom (``n df / (df + 3)`` for the t-likelihood), and tests use those of
    the product of two variances, ``a b / (a + b + 2)``. Standard errors and confidence intervals change too.

    Controls must be null and as noisy, in units of their own standard error, as other features.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 400))
    >>> design = la.Design.from_arrays(np.repeat([0, 1], 6))
    >>> res = la.adjust(X, design, method="none", controls=np.arange(100), calibration=ControlVariance())
    >>> res.tests.df > res.uncalibrated_tests.df, bool(0.8 < res.tests.calibration_record.scale[0] < 1.2)
    (False, True)
    """

    def __init__(self, *, likelihood: str = "t", n_fitted: int = 0, compat: str | None = None) -> None:
        self.likelihood = likelihood
        self.n_fitted = n_fitted
        self.compat = compat

    def calibrate(self, tests: TestStatistics, controls: NDArray[np.bool_] | None = None) -> TestStatistics:
        """Return calibrated statistics; see `Calibration.calibrate`.

        Raises
        ------
        ControlsError
            No controls, or fewer than five besides the `n_fitted` that were spent.
        MethodError
            For an unknown `likelihood` or `compat`.
        """
        self._check()
        usable = usable_controls(tests, controls, FEWEST_CONTROLS + self.n_fitted, "calibration='control_variance'")
        literal = self.compat == "ruv"
        likelihood = "normal" if literal else self.likelihood
        rows = usable.any(axis=1)
        statistic = np.where(usable, tests.statistic, np.nan)[rows]
        df = tests.df[rows] if isinstance(tests.df, np.ndarray) else tests.df
        scale2 = mean_square(statistic) if likelihood == "normal" else student_scale2(statistic, df)
        if np.any(scale2 == 0.0):
            raise ControlsError("Every negative control has a statistic of exactly zero; they cannot be real tests.")
        n_controls = int(usable.sum(axis=0).max(initial=0))
        scale2 = scale2 * n_controls / (n_controls - self.n_fitted) if n_controls else scale2
        total = tests.df if literal else self._total_df(tests.df, df, n_controls, likelihood)
        scale = np.sqrt(scale2)
        record = CalibrationRecord(
            "control_variance", np.zeros_like(scale), scale, np.full_like(scale, np.nan), f"{n_controls} controls"
        )
        return tests.with_std_error(tests.std_error * scale, total, record)

    def _total_df(
        self, df: float | Array, df_controls: float | Array, n_controls: int, likelihood: str
    ) -> float | Array:
        if n_controls == 0:
            return df
        return combined_df(df, effective_controls(n_controls - self.n_fitted, df_controls, likelihood))

    def _check(self) -> None:
        if self.likelihood not in ("t", "normal"):
            raise MethodError(f"likelihood={self.likelihood!r} is unknown; choose 't' or 'normal'.")
        if self.compat not in (None, "ruv"):
            raise MethodError(f"compat={self.compat!r} is unknown; choose None or 'ruv'.")
        if self.n_fitted < 0:
            raise MethodError(f"n_fitted={self.n_fitted!r}; a number of coefficients, 0 or more.")
