"""Calibration by the effects of features with a similar residual variance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from latentadj.core.control_scale import mean_square
from latentadj.core.isotonic_variance import isotonic_variances
from latentadj.core.matrix import Array
from latentadj.exceptions import InputError, MethodError
from latentadj.results.statistics import CalibrationRecord, TestStatistics

#: The rounded constant of ruv for bins of ten.
RUV_CONSTANT = 0.689


class EffectVariance(BaseEstimator):  # type: ignore[misc]
    """Variances of effects from the effects themselves, non-decreasing in the residual variance.

    Parameters
    ----------
    bin_size : int, default=10
        The largest effect of every so many neighbours is set aside as possibly not null.
    compat : {None, "ruv"}, default=None
        "ruv" rounds the constant of a bin of ten to 0.689, and where all residual variances are equal takes
        the mean of squares of all features with Student tails.

    Notes
    -----
    The ``evar`` of Gagnon-Bartsch, Jacob and Speed (2013), see `latentadj.core.isotonic_variance`. It is a
    calibration and not a choice of residual variance: it looks at the estimates, each tested column has its own, and
    the residual variance only orders the features. Tails are normal. Most effects have to be null: true ones that
    are not set aside inflate the variance of their neighbours. With 5 % strong effects the level at 0.05 is 0.02 to
    0.035, with 20 % below 0.01.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 400))
    >>> design = la.Design.from_arrays(np.repeat([0, 1], 6))
    >>> la.adjust(X, design, method="none", calibration="evar").tests.df
    inf
    """

    def __init__(self, *, bin_size: int = 10, compat: str | None = None) -> None:
        self.bin_size = bin_size
        self.compat = compat

    def calibrate(self, tests: TestStatistics, controls: NDArray[np.bool_] | None = None) -> TestStatistics:
        """Return calibrated statistics; see `Calibration.calibrate`.

        Raises
        ------
        MethodError
            For a `bin_size` below 2 or an unknown `compat`.
        InputError
            For fewer features than fit into one bin.
        """
        self._check()
        variance = np.full_like(tests.estimate, np.nan)
        for i in range(variance.shape[1]):
            usable = np.isfinite(tests.statistic[:, i])
            if usable.any():
                chosen = tests.estimate[usable, i], tests.prior.s2_post[usable]
                variance[usable, i] = self._variances(*chosen)
        pooled = self.compat == "ruv" and _all_equal(tests.prior.s2_post)
        ratio = np.sqrt(mean_square(np.sqrt(variance) / tests.std_error))
        record = CalibrationRecord("evar", np.zeros_like(ratio), ratio, np.full_like(ratio, np.nan), "effect sizes")
        return tests.with_std_error(np.sqrt(variance), tests.df if pooled else np.inf, record)

    def _variances(self, effects: Array, sigma2: Array) -> Array:
        if effects.size < self.bin_size:
            raise InputError(
                f"calibration='evar' compares at least {self.bin_size} features; {effects.size} can be tested. "
                "Leave calibration out."
            )
        if self.compat == "ruv" and _all_equal(sigma2):
            return np.full(effects.size, np.mean(effects**2))
        constant = RUV_CONSTANT if self.compat == "ruv" and self.bin_size == 10 else None
        return isotonic_variances(effects, sigma2, bin_size=self.bin_size, constant=constant)

    def _check(self) -> None:
        if self.bin_size < 2:
            raise MethodError(f"bin_size={self.bin_size!r}; a bin has at least 2 features.")
        if self.compat not in (None, "ruv"):
            raise MethodError(f"compat={self.compat!r} is unknown; choose None or 'ruv'.")


def _all_equal(sigma2: Array) -> bool:
    present = sigma2[np.isfinite(sigma2)]
    return bool(present.size and np.all(present == present[0]))
