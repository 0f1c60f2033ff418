"""Calibration by the ranks of p-values among those of negative controls."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from sklearn.base import BaseEstimator

from latentadj.calibration.controls import usable_controls
from latentadj.core.matrix import Array
from latentadj.core.tails import t_two_sided_log_p
from latentadj.exceptions import ControlsWarning
from latentadj.results.statistics import CalibrationRecord, TestStatistics, over_tests

#: Fewer controls cannot give a p-value of 0.05.
FEWEST_CONTROLS = 19
#: With fewer, the smallest p-value is above 0.005 and hardly survives any adjustment for many tests.
FEW_CONTROLS = 199


class ControlECDF(BaseEstimator):  # type: ignore[misc]
    """P-values as ranks among the p-values of negative controls.

    Notes
    -----
    Gerard and Stephens (2021) re-base p-values on the empirical distribution of the controls'. Here with the
    correction that makes them valid: ``(1 + number of controls with p at most p_j) / (n + 1)``, and for a control,
    which is not compared with itself, n - 1 in place of n. If controls and nulls are exchangeable the level holds
    exactly, whatever the shape of the null distribution. No p-value is below ``1 / (n + 1)``: many controls are needed
    before anything survives an adjustment for many tests. Statistics are the normal scores of the new p-values.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 600))
    >>> design = la.Design.from_arrays(np.repeat([0, 1], 6))
    >>> res = la.adjust(X, design, method="none", controls=np.arange(249), calibration=ControlECDF())
    >>> round(float(res.tests.p_value.min()), 3)
    0.004
    """

    def calibrate(self, tests: TestStatistics, controls: NDArray[np.bool_] | None = None) -> TestStatistics:
        """Return calibrated statistics; see `Calibration.calibrate`.

        Raises
        ------
        ControlsError
            No controls, or fewer than 19.
        """
        usable = usable_controls(tests, controls, FEWEST_CONTROLS, "calibration='control_ecdf'")
        log_p = np.asarray(t_two_sided_log_p(tests.statistic, over_tests(tests.df)))
        p_value = np.full_like(log_p, np.nan)
        for i in range(log_p.shape[1]):
            p_value[:, i] = _rank_p_values(log_p[:, i], usable[:, i])
        n_controls = int(usable.sum(axis=0).max(initial=0))
        if 0 < n_controls < FEW_CONTROLS:
            warnings.warn(
                f"With {n_controls} controls no p-value is below {1 / (n_controls + 1):.3g}, which hardly survives an "
                "adjustment for many tests.",
                ControlsWarning,
                stacklevel=2,
            )
        missing = np.full(log_p.shape[1], np.nan)
        record = CalibrationRecord("control_ecdf", missing, missing, missing, f"{n_controls} controls")
        statistic = -np.sign(tests.statistic) * ndtri(p_value / 2.0)
        return tests.with_calibrated(statistic, p_value, record)


def _rank_p_values(log_p: Array, controls: NDArray[np.bool_]) -> Array:
    """Ranks among controls, over their number plus one; a control is left out of its own comparison."""
    reference = np.sort(log_p[controls])
    n_below = np.searchsorted(reference, log_p, side="right").astype(np.float64)
    p = np.where(controls, n_below / max(reference.size, 1), (1.0 + n_below) / (reference.size + 1.0))
    return np.where(np.isfinite(log_p) | np.isneginf(log_p), p, np.nan)
