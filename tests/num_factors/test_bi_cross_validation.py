"""Bi-cross-validation: a direct version by singular value decompositions, the answers of cate, known numbers."""

from __future__ import annotations

import numpy as np
import pytest

from latentadj.core.bi_cross_validation import held_in_shape, prediction_errors
from latentadj.exceptions import MethodError
from latentadj.num_factors import BiCrossValidation, factor_limit
from tests.num_factors.studies import reference_problem, simulated
from tests.reference_data import load_reference


def answer(problem, limit=None, seed=0, **options):
    limit = factor_limit(problem) if limit is None else limit
    return BiCrossValidation(**options).select(problem, limit, np.random.default_rng(seed))


def direct_errors(Y, n_in, m_in, n_tried, rng):
    """The algorithm of the paper, features in rows, three full decompositions for every rank."""
    rows, columns = rng.permutation(Y.shape[0]), rng.permutation(Y.shape[1])
    T = Y[np.ix_(rows, columns)].T
    held_in, beside, below, target = T[:m_in, :n_in], T[m_in:, :n_in], T[:m_in, n_in:], T[m_in:, n_in:]
    errors = [np.mean(target**2)]
    for rank in range(1, n_tried + 1):
        psi = np.mean(held_in**2, axis=1)
        for _ in range(3):
            U, s, V = np.linalg.svd(held_in / np.sqrt(psi)[:, None], full_matrices=False)
            scaled = (U[:, :rank] * s[:rank]) @ V[:rank]
            used, psi = psi, np.mean((held_in - np.sqrt(psi)[:, None] * scaled) ** 2, axis=1)
        predicted = beside @ np.linalg.pinv(scaled, rcond=1e-10) @ (below / np.sqrt(used)[:, None])
        errors.append(np.mean((target - predicted) ** 2))
    return errors


def test_matches_a_direct_version():
    """Gram matrices and shared decompositions change nothing beyond 1e-8."""
    rng = np.random.default_rng(0)
    Y = rng.normal(size=(20, 2)) @ rng.normal(size=(2, 90)) + rng.normal(size=(20, 90)) * rng.uniform(0.5, 2, 90)
    n_in, m_in = held_in_shape(20, 90)
    found = prediction_errors(Y, n_in, m_in, 5, np.random.default_rng(1))
    assert found == pytest.approx(direct_errors(Y, n_in, m_in, 5, np.random.default_rng(1)), rel=1e-8)


@pytest.mark.parametrize(("name", "usual"), [("sim1", {5}), ("sim2", {2}), ("bladder", set(range(9, 15)))])
def test_answer_and_curve_are_those_of_cate(name, usual):
    """Random blocks: the same minimum, or one in the flat stretch where the reference's errors differ by 3 %.

    The fall of the error over the first factors has the same course (correlation above 0.97).
    """
    reference = load_reference("num_factors", "rules")
    errors = reference[f"{name}__bcv_errors"]
    assert errors[sorted(usual)].max() < 1.045 * errors.min()
    found = answer(reference_problem(name), limit=len(errors) - 1, scale=None, n_repeats=20)
    assert found.n_factors in usual
    assert reference[f"{name}__bcv"][0] in usual
    best = int(reference[f"{name}__bcv"][0])
    assert np.corrcoef(found.statistic[:best], errors[1 : best + 1] / errors[0])[0, 1] > 0.97


def test_share_of_held_in_entries():
    """Square matrices keep 0.4714 of either side (Owen and Perry 2009); never all, never none."""
    assert held_in_shape(1000, 1000) == (471, 472)
    for n, m in [(2, 2), (3, 500), (500, 3), (57, 22283)]:
        n_in, m_in = held_in_shape(n, m)
        assert 1 <= n_in < n
        assert 1 <= m_in < m


@pytest.mark.parametrize("k", [0, 3, 10])
def test_finds_the_true_number(k):
    assert [answer(simulated(60, 800, k, seed)).n_factors for seed in range(2)] == [k] * 2


def test_random_subset_of_many_features():
    problem = simulated(40, 1500, 2, 0)
    assert answer(problem, max_features=400).n_factors == 2


def test_variances_that_collapse_end_the_search():
    rng = np.random.default_rng(0)
    Y = rng.normal(size=(20, 2)) @ rng.normal(size=(2, 60))
    errors = prediction_errors(Y, 14, 30, 4, rng)
    assert np.isfinite(errors[0])
    assert np.isinf(errors[2:]).all()


def test_too_little_data_and_bad_options():
    for problem, options in [
        (simulated(4, 50, 0, 0), {}),
        (simulated(20, 50, 0, 0), {"n_repeats": 0}),
        (simulated(20, 50, 0, 0), {"max_features": 1}),
    ]:
        with pytest.raises(MethodError):
            answer(problem, limit=1, **options)
