"""Public checks for methods and rules that other packages bring."""

from latentadj.testing.error import ContractError
from latentadj.testing.estimator import check_latent_factor_estimator
from latentadj.testing.promise import Promise
from latentadj.testing.promises import PROMISES
from latentadj.testing.rule import RULE_PROMISES, check_num_factors_rule
from latentadj.testing.study import MadeUpStudy, made_up_study
from latentadj.testing.subject import Subject

__all__ = [
    "PROMISES",
    "RULE_PROMISES",
    "ContractError",
    "MadeUpStudy",
    "Promise",
    "Subject",
    "check_latent_factor_estimator",
    "check_num_factors_rule",
    "made_up_study",
]
