"""Warnings about weights and correlations of samples."""

from __future__ import annotations

from latentadj.exceptions import LatentAdjWarning


class BlockCorrelationWarning(LatentAdjWarning):
    """The correlation within blocks cannot be estimated, or is negative."""
