"""The rules of the package keep the promises of rules, and broken rules are caught."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import latentadj as la
from latentadj.testing import RULE_PROMISES, ContractError, check_num_factors_rule

RULES = [la.ParallelAnalysis(), la.EigenvalueDifference(), la.GavishDonoho(), la.GavishDonoho(scale=None)]


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_rules_of_the_package(rule: la.NumFactorsRule) -> None:
    assert set(check_num_factors_rule(rule).values()) == {"kept"}


def test_leek_depends_on_units_as_in_the_paper() -> None:
    """Its bar for the eigenvalues is a power of the number of features, whatever the units."""
    scale_free = tuple(name for name in RULE_PROMISES if name != "units")
    assert set(check_num_factors_rule(la.Leek(), promises=scale_free).values()) == {"kept"}
    with pytest.raises(ContractError, match="Leek breaks the promise units"):
        check_num_factors_rule(la.Leek())


def test_unknown_promises_are_refused() -> None:
    with pytest.raises(la.exceptions.InputError, match="speed"):
        check_num_factors_rule(la.GavishDonoho(), promises=("speed",))


class NoLimit(la.GavishDonoho):
    def select(self, problem, limit, rng):
        return replace(super().select(problem, limit, rng), n_factors=2)


class Blind(la.GavishDonoho):
    def select(self, problem, limit, rng):
        return replace(super().select(problem, limit, rng), n_factors=0)


class Fractional(la.GavishDonoho):
    def select(self, problem, limit, rng):
        return replace(super().select(problem, limit, rng), n_factors=1.5)


class GlobalDraws(la.GavishDonoho):
    def select(self, problem, limit, rng):
        np.random.normal()
        return super().select(problem, limit, rng)


class Remembers(la.GavishDonoho):
    def select(self, problem, limit, rng):
        self.last = super().select(problem, limit, rng)
        return self.last


class FixedBar(la.GavishDonoho):
    def select(self, problem, limit, rng):
        answer = super().select(problem, limit, rng)
        return replace(answer, n_factors=min(limit, int((problem.spectrum.eigenvalues[:8] > 1000).sum())))


class FirstSampleDecides(la.GavishDonoho):
    def select(self, problem, limit, rng):
        answer = super().select(problem, limit, rng)
        first = problem.project(np.eye(problem.n_samples)[:, :1]).mean()
        return replace(answer, statistic=answer.statistic + first)


class Ragged(la.GavishDonoho):
    def select(self, problem, limit, rng):
        return replace(super().select(problem, limit, rng), threshold=np.zeros(1))


@pytest.mark.parametrize(
    ("rule", "promise"),
    [
        (NoLimit, "limit"),
        (Blind, "sees_factors"),
        (Fractional, "answer"),
        (Ragged, "answer"),
        (GlobalDraws, "repetition"),
        (Remembers, "nothing_behind"),
        (FixedBar, "units"),
        (FirstSampleDecides, "sample_order"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_broken_rule_is_caught(rule: type, promise: str) -> None:
    with pytest.raises(ContractError, match=f"{rule.__name__} breaks the promise {promise}: "):
        check_num_factors_rule(rule())
