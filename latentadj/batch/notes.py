"""Warnings about known batches."""

from __future__ import annotations

from latentadj.exceptions import LatentAdjWarning


class SingleSampleBatchWarning(LatentAdjWarning):
    """Some batches hold one sample, whose spread cannot be known; only means are adjusted."""


class OneBatchWarning(LatentAdjWarning):
    """There is one batch only, so that nothing is adjusted."""


class UnadjustedFeaturesWarning(LatentAdjWarning):
    """Some features do not vary within a batch, or lack values there; they are returned as they are."""
