"""Calibration by bias and inflation of a three-component mixture."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from latentadj.calibration.null_distribution import recentred
from latentadj.core.bacon import bias_and_inflation
from latentadj.core.empirical_null import NullEstimate
from latentadj.core.matrix import Array
from latentadj.exceptions import InputError, NotConvergedWarning
from latentadj.results.statistics import TestStatistics


class BaconCalibration(BaseEstimator):  # type: ignore[misc]
    """Bias and inflation of the null component of three normal distributions.

    Notes
    -----
    van Iterson, van Zwet and Heijmans (2017). Statistics on the normal scale are a mixture of nulls with a common bias
    (mean) and inflation (standard deviation) and of effects on either side; they become ``(z - bias) / inflation`` with
    normal tails. The posterior's maximum is found by EM, so the answer is the same every time; what differs from
    the original sampler is said at `latentadj.core.bacon.bias_and_inflation`. Effects that are weak, or as frequent
    as the nulls, cannot be told from inflation.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 2000))
    >>> design = la.Design.from_arrays(np.repeat([0, 1], 6))
    >>> res = la.adjust(X, design, method="none", calibration="bacon")
    >>> round(float(res.tests.calibration_record.scale[0]), 1)
    1.0
    """

    def calibrate(self, tests: TestStatistics, controls: NDArray[np.bool_] | None = None) -> TestStatistics:
        """Return calibrated statistics; see `Calibration.calibrate`.

        Raises
        ------
        InputError
            For fewer than 50 statistics, or statistics of which half are the same.
        """
        return recentred(tests, _estimate, "bacon", "EM")


def _estimate(z: Array) -> NullEstimate:
    null, converged = bias_and_inflation(z)
    if not null.found:
        raise InputError("More than half of the statistics are equal, so they have no spread. Leave calibration out.")
    if not converged:
        warnings.warn("The mixture behind bias and inflation did not settle.", NotConvergedWarning, stacklevel=2)
    return null
