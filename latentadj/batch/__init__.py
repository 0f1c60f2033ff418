"""Adjusters: known batches, effects that depend on the features, differences between replicates."""

from latentadj.batch.base import KnownBatchTransformer
from latentadj.batch.checks import TargetLeakageWarning
from latentadj.batch.combat import ComBat
from latentadj.batch.combat_seq import ComBatSeq
from latentadj.batch.feature_basis import FewFeaturesWarning
from latentadj.batch.notes import OneBatchWarning, SingleSampleBatchWarning, UnadjustedFeaturesWarning
from latentadj.batch.remove_batch_effect import remove_batch_effect
from latentadj.batch.remover import BatchEffectRemover
from latentadj.batch.replicate_remover import ReplicateRemover
from latentadj.batch.supervised import SupervisedNormalizer

__all__ = [
    "BatchEffectRemover",
    "ComBat",
    "ComBatSeq",
    "FewFeaturesWarning",
    "KnownBatchTransformer",
    "OneBatchWarning",
    "ReplicateRemover",
    "SingleSampleBatchWarning",
    "SupervisedNormalizer",
    "TargetLeakageWarning",
    "UnadjustedFeaturesWarning",
    "remove_batch_effect",
]
