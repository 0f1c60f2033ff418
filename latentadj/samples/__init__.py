"""What the features say of the samples: how noisy each is, and how much alike those of one block are."""

from __future__ import annotations

from latentadj.samples.array_weights import array_weights
from latentadj.samples.duplicate_correlation import DuplicateCorrelation, duplicate_correlation

__all__ = [
    "DuplicateCorrelation",
    "array_weights",
    "duplicate_correlation",
]
