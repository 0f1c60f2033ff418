"""Stage 6, calibration: re-centring and re-scaling test statistics by their bulk."""

from __future__ import annotations

from typing import Protocol

from latentadj.results.statistics import TestStatistics


class Calibration(Protocol):
    """Replaces statistics and p-values; estimates and standard errors are left alone."""

    def calibrate(self, tests: TestStatistics) -> TestStatistics:
        """Return calibrated statistics."""
        ...
