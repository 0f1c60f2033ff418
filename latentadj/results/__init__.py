"""What the stages and the fronts return: frozen dataclasses."""

from latentadj.results.adjustment import AdjustmentResult
from latentadj.results.confounding import ConfoundingTest, confounding_test
from latentadj.results.factors import (
    FactorEstimate,
    LinkEstimate,
    NumFactorsResult,
    RuleAnswer,
    Subtraction,
)
from latentadj.results.shrinkage import ShrunkenEffects, shrink
from latentadj.results.statistics import CalibrationRecord, JointTests, TestStatistics, test_contrasts, test_jointly
from latentadj.results.storage import load_result, save_result

__all__ = [
    "AdjustmentResult",
    "CalibrationRecord",
    "ConfoundingTest",
    "FactorEstimate",
    "JointTests",
    "LinkEstimate",
    "NumFactorsResult",
    "RuleAnswer",
    "ShrunkenEffects",
    "Subtraction",
    "TestStatistics",
    "confounding_test",
    "load_result",
    "save_result",
    "shrink",
    "test_contrasts",
    "test_jointly",
]
