"""Adjustment for batches that are known."""

from latentadj.batch.base import KnownBatchTransformer
from latentadj.batch.combat import ComBat
from latentadj.batch.combat_seq import ComBatSeq
from latentadj.batch.notes import OneBatchWarning, SingleSampleBatchWarning, UnadjustedFeaturesWarning
from latentadj.batch.remove_batch_effect import remove_batch_effect
from latentadj.batch.remover import BatchEffectRemover

__all__ = [
    "BatchEffectRemover",
    "ComBat",
    "ComBatSeq",
    "KnownBatchTransformer",
    "OneBatchWarning",
    "SingleSampleBatchWarning",
    "UnadjustedFeaturesWarning",
    "remove_batch_effect",
]
