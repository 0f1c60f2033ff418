"""Stage 2, the number of latent factors: a rule per file, and the choice among them."""

from latentadj.num_factors.bai_ng import BaiNg
from latentadj.num_factors.base import NumFactorsRule
from latentadj.num_factors.bi_cross_validation import BiCrossValidation
from latentadj.num_factors.compare_rules import compare_rules
from latentadj.num_factors.control_ratio import ControlRatio
from latentadj.num_factors.deterministic_parallel import DeterministicParallelAnalysis
from latentadj.num_factors.eigenvalue_difference import EigenvalueDifference
from latentadj.num_factors.eigenvalue_ratio import EigenvalueRatio
from latentadj.num_factors.elbow import Elbow
from latentadj.num_factors.feature_folds import FeatureFoldCrossValidation
from latentadj.num_factors.gavish_donoho import GavishDonoho
from latentadj.num_factors.leek import Leek
from latentadj.num_factors.limit import factor_limit
from latentadj.num_factors.names import rule_from_name
from latentadj.num_factors.parallel import ParallelAnalysis
from latentadj.num_factors.random_matrix import RandomMatrixDimension
from latentadj.num_factors.select import choose_number
from latentadj.num_factors.stability import Stability

__all__ = [
    "BaiNg",
    "BiCrossValidation",
    "ControlRatio",
    "DeterministicParallelAnalysis",
    "EigenvalueDifference",
    "EigenvalueRatio",
    "Elbow",
    "FeatureFoldCrossValidation",
    "GavishDonoho",
    "Leek",
    "NumFactorsRule",
    "ParallelAnalysis",
    "RandomMatrixDimension",
    "Stability",
    "choose_number",
    "compare_rules",
    "factor_limit",
    "rule_from_name",
]
