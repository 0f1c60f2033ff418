"""Stage 1b, sample weights: what a rule for them is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from latentadj.core.whitening import Whitening
from latentadj.problem import AdjustmentProblem


@runtime_checkable
class SampleWeights(Protocol):
    """Finds the map of the samples after which their noise has equal variance."""

    def whitening(
        self, problem: AdjustmentProblem, rng: np.random.Generator, sample_ids: Sequence[str] | None = None
    ) -> Whitening:
        """Return the map for the samples of `problem`."""
        ...
