"""Statistics on the scale of a normal null distribution that was read off their bulk."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from latentadj.core.empirical_null import NOT_FOUND, NullEstimate
from latentadj.core.matrix import Array
from latentadj.core.normal_scores import normal_scores
from latentadj.core.tails import t_two_sided_p
from latentadj.exceptions import InputError
from latentadj.results.statistics import CalibrationRecord, TestStatistics

#: Fewer statistics say nothing about the spread of their null distribution.
FEWEST_STATISTICS = 50


def recentred(
    tests: TestStatistics, estimate: Callable[[Array], NullEstimate], method: str, note: str
) -> TestStatistics:
    """Return statistics minus the centre, over the scale, of each test's own null distribution.

    Parameters
    ----------
    tests : TestStatistics
    estimate : callable
        From finite statistics on the normal scale ``(m,)`` to their null distribution.
    method, note : str
        For the record.

    Returns
    -------
    TestStatistics

    Raises
    ------
    InputError
        For fewer than 50 statistics.
    """
    z = normal_scores(tests.statistic, tests.df)
    nulls = [_null_of(column[np.isfinite(column)], estimate, method) for column in z.T]
    centre, scale, pi0 = (np.array([getattr(null, part) for null in nulls]) for part in ("centre", "scale", "pi0"))
    calibrated = (z - centre) / scale
    record = CalibrationRecord(method, centre, scale, pi0, note)
    return tests.with_calibrated(calibrated, np.asarray(t_two_sided_p(calibrated, np.inf)), record)


def _null_of(z: Array, estimate: Callable[[Array], NullEstimate], method: str) -> NullEstimate:
    if z.size == 0:
        return NOT_FOUND
    if z.size < FEWEST_STATISTICS:
        raise InputError(
            f"calibration={method!r} reads a null distribution off the bulk of at least {FEWEST_STATISTICS} "
            f"statistics; there are {z.size}. Leave calibration out, or use negative controls."
        )
    return estimate(z)
