"""Warnings about how a computation is carried out."""

from __future__ import annotations

from latentadj.exceptions import LatentAdjWarning


class CheckpointWarning(LatentAdjWarning):
    """Finished parts of a computation cannot be kept; it goes on, but starts anew when it is killed."""


class MemoryWarning(LatentAdjWarning):
    """A computation is expected to need more memory than there is."""
