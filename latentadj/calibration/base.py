"""Stage 6, calibration: re-centring and re-scaling test statistics by their bulk or by negative controls."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from latentadj.results.statistics import TestStatistics


class Calibration(Protocol):
    """Replaces statistics and p-values.

    Estimates are left alone. Calibrations that say how large the variance of an estimate is also replace standard
    errors and degrees of freedom, so that confidence intervals agree with p-values; the others leave them.
    """

    def calibrate(self, tests: TestStatistics, controls: NDArray[np.bool_] | None = None) -> TestStatistics:
        """Return calibrated statistics.

        Parameters
        ----------
        tests : TestStatistics
        controls : ndarray of bool, shape (n_features,), optional
            Negative controls; methods that do not need them ignore them.

        Returns
        -------
        TestStatistics
            With `calibration` and `calibration_record` set.

        Raises
        ------
        ControlsError
            Controls are needed, and there are none or too few.
        """
        ...
