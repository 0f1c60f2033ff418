"""What studies with a known truth can be drawn from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from latentadj.simulation.study import SimulatedStudy


class StudySource(Protocol):
    """Data, or a recipe, from which studies with a known truth are drawn."""

    @property
    def name(self) -> str:
        """Short name, unique within a comparison; the random numbers of its studies derive from it."""
        ...

    def draw(self, rng: np.random.Generator) -> SimulatedStudy:
        """Return one study, the same for the same state of `rng`."""
        ...

    def settings(self) -> dict[str, Any]:
        """Return what, with the name, decides the studies: options, and a digest of the data."""
        ...
