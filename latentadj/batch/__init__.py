"""Adjustment for batches that are known."""

from latentadj.batch.base import KnownBatchTransformer
from latentadj.batch.combat import ComBat
from latentadj.batch.notes import OneBatchWarning, SingleSampleBatchWarning, UnadjustedFeaturesWarning

__all__ = [
    "ComBat",
    "KnownBatchTransformer",
    "OneBatchWarning",
    "SingleSampleBatchWarning",
    "UnadjustedFeaturesWarning",
]
