"""Several rules on one problem, independent of each other."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np

from latentadj.exceptions import LatentAdjError
from latentadj.num_factors.base import NumFactorsRule
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import RuleAnswer


def evaluate_rules(
    problem: AdjustmentProblem, rules: Sequence[NumFactorsRule], limit: int, rng: np.random.Generator
) -> tuple[tuple[RuleAnswer, ...], tuple[tuple[str, str], ...]]:
    """Apply several rules, each with a random stream of its own.

    Parameters
    ----------
    problem : AdjustmentProblem
    rules : sequence of NumFactorsRule
    limit : int
    rng : numpy.random.Generator
        One number is drawn from it, whatever the rules.

    Returns
    -------
    answers : tuple of RuleAnswer
    not_applied : tuple of (str, str)
        Names of the rules that refuse the data, and why.
    """
    return answers_of(problem, rules, limit, stream_key(rng))


def stream_key(rng: np.random.Generator) -> int:
    """Draw the number that the random streams of all rules are made of."""
    return int(rng.integers(2**63))


def answers_of(
    problem: AdjustmentProblem, rules: Sequence[NumFactorsRule], limit: int, key: int
) -> tuple[tuple[RuleAnswer, ...], tuple[tuple[str, str], ...]]:
    """Answers of several rules, and those that refuse, for a key; see `evaluate_rules`."""
    answers, refused = [], []
    for rule in rules:
        stream = np.random.default_rng([key, crc32(rule.name.encode())])
        try:
            answers.append(rule.select(problem, limit, stream))
        except LatentAdjError as error:
            refused.append((rule.name, str(error)))
    return tuple(answers), tuple(refused)
