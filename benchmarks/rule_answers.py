"""What every rule for the number of factors answers on a simulated study."""

from __future__ import annotations

import numpy as np

from latentadj.core.matrix import ArrayMatrix
from latentadj.num_factors import compare_rules
from latentadj.num_factors.names import rules_of
from latentadj.problem import AdjustmentProblem
from latentadj.simulation import SimulatedStudy

#: Names of the rules, the automatic one first.
RULES: tuple[str, ...] = tuple(dict.fromkeys(["parallel_analysis", *(rule.name for rule in rules_of("all"))]))


def rule_numbers(study: SimulatedStudy) -> dict[str, int | None]:
    """Return the answer of every rule; None where it cannot be applied."""
    problem = AdjustmentProblem(ArrayMatrix(study.X), study.design, study.truth.controls)
    found = compare_rules(problem, "all", np.random.default_rng(0))
    answers: dict[str, int | None] = dict.fromkeys(RULES)
    answers.update({answer.rule: answer.n_factors for answer in found.answers})
    return answers
