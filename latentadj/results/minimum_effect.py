"""Tests that effects exceed a size of interest, as a tidy table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.core.treat import minimum_effect_tests
from latentadj.exceptions import InputError, MethodError
from latentadj.results.chosen_tests import chosen_tests
from latentadj.results.statistics import TestStatistics
from latentadj.results.table import tidy_table

Array = NDArray[np.float64]


def minimum_effect_table(
    result: Any, threshold: float, terms: Any, p_adjust: str, which: str, null: str
) -> pd.DataFrame:
    """Tidy table of the tests that effects exceed a threshold.

    Parameters
    ----------
    result : AdjustmentResult
    threshold : float
        On the scale of the measurements.
    terms, p_adjust, which, null
        As in `AdjustmentResult.treat`.

    Returns
    -------
    pandas.DataFrame
        As `AdjustmentResult.tidy`, ``statistic``, ``p_value`` and ``p_value_unadjusted`` those of the threshold.
    """
    chosen = chosen_tests(result, terms, which)
    tests, unadjusted = (beyond(tests, threshold, null) for tests in (chosen.tests, chosen.unadjusted))
    table: pd.DataFrame = tidy_table(result.feature_ids, chosen.fit, tests, unadjusted, result.n_samples, p_adjust)
    return table


def beyond(tests: TestStatistics, threshold: float, null: str = "worst") -> TestStatistics:
    """Replace tests against zero by tests against a threshold.

    Parameters
    ----------
    tests : TestStatistics
    threshold : float
    null : {"worst", "average"}, default="worst"

    Returns
    -------
    TestStatistics
        With other statistics and p-values; estimates and standard errors stay.

    Raises
    ------
    MethodError
        For p-values that are ranks among controls, which say nothing of a threshold.

    Notes
    -----
    Calibrations that replace the standard error need nothing else. One that takes statistics on the normal scale to
    ``(z - centre) / scale`` says that an estimate is off by ``centre`` errors and that its error is ``scale`` times as
    large, the error being the one that gives the same p-value with normal tails; the threshold is applied to the
    estimate without that offset. With a threshold of 0 the p-values are the calibrated ones.
    """
    estimate, error, df = _as_estimates(tests)
    found = minimum_effect_tests(estimate, error, df, threshold, null=null)
    return replace(tests, statistic=found.statistic, p_value=found.p_value)


def _as_estimates(tests: TestStatistics) -> tuple[Array, Array, float | Array]:
    """Estimates, errors and degrees of freedom whose ordinary tests are the tests given."""
    record = tests.calibration_record
    with np.errstate(invalid="ignore", divide="ignore"):
        plain = tests.estimate / tests.std_error
    if record is None or np.allclose(plain, tests.statistic, rtol=1e-12, atol=0, equal_nan=True):
        return tests.estimate, tests.std_error, tests.df
    if np.isnan(record.centre).any() and np.isfinite(tests.statistic).any():
        raise MethodError(
            f"calibration={record.method!r} gives p-values without saying how large the error of an estimate is, so "
            "that nothing can be tested but zero. Use which='uncalibrated', or calibration='control_variance'."
        )
    z = tests.statistic * record.scale + record.centre
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.where(tests.estimate == 0.0, tests.std_error, tests.estimate / z)
    return tests.estimate - record.centre * error, record.scale * error, np.inf


def resolved_threshold(lfc: float | None, fold_change: float | None) -> float:
    """Threshold on the scale of the measurements, from one of the two ways to say it.

    Raises
    ------
    InputError
        Neither or both are given, or out of range.

    Examples
    --------
    >>> resolved_threshold(None, 2.0)
    1.0
    """
    if (lfc is None) == (fold_change is None):
        raise InputError(
            "Say once what size of effect matters: lfc=0.5 in units of the measurements, or fold_change=1.4 for log2 "
            "measurements."
        )
    if fold_change is not None:
        if not (np.isfinite(fold_change) and fold_change >= 1.0):
            raise InputError(f"fold_change={fold_change!r}; it must be at least 1, e.g. 1.2.")
        return float(np.log2(fold_change))
    if lfc is None or not (np.isfinite(lfc) and lfc >= 0.0):
        raise InputError(f"lfc={lfc!r}; it must be a number of at least 0.")
    return float(lfc)
