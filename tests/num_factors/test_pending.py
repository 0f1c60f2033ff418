"""Rules that are asked when somebody looks: the same answers as at once, once, and nothing of the data in pickles."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest

from latentadj.core.matrix import ArrayMatrix
from latentadj.core.whitening import WhitenedMatrix, Whitening
from latentadj.num_factors import Elbow, choose_number, compare_rules, factor_limit
from latentadj.num_factors.evaluation import evaluate_rules
from latentadj.num_factors.names import rules_of
from latentadj.num_factors.pending import PendingResult, in_memory
from latentadj.results import NumFactorsResult
from tests.num_factors.studies import simulated


class Counting:
    """An array that counts how often it is read."""

    def __init__(self, values):
        self.base = ArrayMatrix(values)
        self.shape, self.dtype, self.n_reads = values.shape, values.dtype, 0

    def column_blocks(self, width=None):
        return self.base.column_blocks(width)

    def read(self, columns):
        self.n_reads += 1
        return self.base.read(columns)


def counted(n=20, m=300, k=2):
    problem = simulated(n, m, k, 0)
    return replace(problem, matrix=Counting(problem.matrix.values))


def choose(problem, n_factors):
    return choose_number(problem, n_factors, np.random.default_rng(0))


def test_a_given_number_reads_nothing_until_somebody_looks():
    problem = counted()
    result = choose(problem, 3)
    assert (result.n_factors, result.chosen_by, result.limit, problem.matrix.n_reads) == (3, "user", 17, 0)
    assert result.shares.sum() == pytest.approx(1.0)
    reads = problem.matrix.n_reads
    assert reads > 0
    assert len(result.answers) == 9
    assert [rule for rule, _ in result.not_applied] == ["control_ratio"]
    assert len(result.table()) > len(result.summary()) == 10
    assert problem.matrix.n_reads == reads


@pytest.mark.parametrize("n_factors", ["auto", "dpa", 3])
def test_answers_are_those_of_asking_at_once(n_factors):
    problem = simulated(20, 300, 2, 0)
    late = choose(problem, n_factors)
    assert isinstance(late, PendingResult)
    rng = np.random.default_rng(0)
    if n_factors == "auto":
        rng.integers(0, 2**64 - 1, size=2, dtype=np.uint64, endpoint=True)
    rules = [rule for rule in rules_of("cheap") if rule.name != n_factors]
    now, refused = evaluate_rules(problem, rules, factor_limit(problem), rng)
    found = late.answers if n_factors == 3 else late.answers[1:]
    assert [a.rule for a in found] == [a.rule for a in now]
    for answer, other in zip(found, now, strict=True):
        assert answer.n_factors == other.n_factors
        np.testing.assert_allclose(answer.statistic, other.statistic, rtol=1e-12)
        np.testing.assert_allclose(answer.threshold, other.threshold, rtol=1e-12)
    assert late.not_applied == refused


def test_generator_is_left_in_the_same_state_whether_anybody_looks():
    states = []
    for look in (False, True):
        rng = np.random.default_rng(0)
        result = choose_number(simulated(20, 300, 2, 0), "auto", rng)
        if look:
            result.table()
        states.append(rng.integers(2**63))
    assert states[0] == states[1]


@pytest.mark.parametrize("n_factors", ["auto", 3])
def test_copies_hold_the_answers_and_not_the_data(n_factors):
    problem = simulated(20, 3000, 2, 0)
    expected = choose(problem, n_factors).table()
    for copied in (
        pickle.loads(pickle.dumps(choose(problem, n_factors))),
        copy.deepcopy(choose(problem, n_factors)),
        replace(choose(problem, n_factors), limit=6),
    ):
        assert copied.table().equals(expected)
    assert type(pickle.loads(pickle.dumps(choose(problem, n_factors)))) is NumFactorsResult
    assert len(pickle.dumps(choose(problem, n_factors))) < problem.matrix.values.nbytes / 10


def test_nothing_of_the_data_is_held_once_somebody_looked():
    result = choose(simulated(20, 300, 2, 0), "auto")
    assert "_ask" in vars(result)
    repr(result)
    assert "_ask" not in vars(result)


def test_rules_that_were_named_are_asked_at_once():
    problem = simulated(20, 300, 2, 0)
    assert type(compare_rules(problem, ["dpa", Elbow()])) is NumFactorsResult


def test_what_is_not_in_memory_is_asked_at_once(tmp_path):
    class File:
        """A matrix that is no array."""

        def __init__(self, values):
            self._values = ArrayMatrix(values)
            self.shape, self.dtype = values.shape, values.dtype
            self.column_blocks, self.read = self._values.column_blocks, self._values.read

    problem = simulated(20, 300, 2, 0)
    values = problem.matrix.values
    mapped = np.lib.format.open_memmap(tmp_path / "x.npy", mode="w+", shape=values.shape)
    mapped[:] = values
    for matrix in (File(values), ArrayMatrix(mapped)):
        result = choose(replace(problem, matrix=matrix), 2)
        assert type(result) is NumFactorsResult
        assert len(result.answers) == 9
    assert in_memory(WhitenedMatrix(ArrayMatrix(values), Whitening.from_covariance(np.eye(20))))
    assert not in_memory(WhitenedMatrix(File(values), Whitening.from_covariance(np.eye(20))))
