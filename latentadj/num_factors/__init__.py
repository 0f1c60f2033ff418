"""Stage 2, the number of latent factors: a rule per file, and the choice among them."""

from latentadj.num_factors.base import NumFactorsRule
from latentadj.num_factors.eigenvalue_difference import EigenvalueDifference
from latentadj.num_factors.gavish_donoho import GavishDonoho
from latentadj.num_factors.leek import Leek
from latentadj.num_factors.parallel import ParallelAnalysis
from latentadj.num_factors.select import choose_number, factor_limit, rule_from_name

__all__ = [
    "EigenvalueDifference",
    "GavishDonoho",
    "Leek",
    "NumFactorsRule",
    "ParallelAnalysis",
    "choose_number",
    "factor_limit",
    "rule_from_name",
]
