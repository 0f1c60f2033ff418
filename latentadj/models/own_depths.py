"""Counts of one sample at a time on a log scale."""

from __future__ import annotations

from dataclasses import dataclass

from latentadj.core.counts import LogCounts, library_sizes
from latentadj.core.matrix import FeatureMatrix
from latentadj.core.size_factors import filled_totals
from latentadj.core.voom import PRIOR


@dataclass(frozen=True)
class OwnDepths:
    """Log2 counts per million by each sample's own total, which does not depend on the samples it comes with.

    Examples
    --------
    >>> import numpy as np
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> OwnDepths().linear_scale(ArrayMatrix(np.array([[1.0, 3.0]]))).read(slice(0, 2)).round(2)
    array([[18.19, 19.42]])
    """

    def linear_scale(self, Y: FeatureMatrix) -> LogCounts:
        """Return the log counts, as a lazy view."""
        return LogCounts(Y, filled_totals(library_sizes(Y)), PRIOR)
