"""Feature folds: a version that leaves samples out one by one, the answers of CorrConf, known numbers."""

from __future__ import annotations

import numpy as np
import pytest

from latentadj.core.feature_folds import balanced_labels, fold_losses, residual_grams
from latentadj.exceptions import MethodError
from latentadj.num_factors import FeatureFoldCrossValidation, factor_limit
from tests.num_factors.studies import problem_of, reference_problem, simulated
from tests.reference_data import load_reference


def answer(problem, limit=None, seed=0, **options):
    limit = factor_limit(problem) if limit is None else limit
    return FeatureFoldCrossValidation(**options).select(problem, limit, np.random.default_rng(seed))


def test_losses_match_regressions_without_each_sample():
    """Least squares refitted without every sample in turn, for every held-out feature; 1e-8."""
    problem = simulated(14, 60, 2, 0)
    labels = balanced_labels(60, 3, np.random.default_rng(0))
    grams = residual_grams(problem.matrix, problem.basis, labels, 3, None)
    found = fold_losses(grams, problem.basis, 4)
    Y, D = problem.matrix.values, problem.design.matrix
    R = problem.basis.project_out(Y)
    for fold in range(3):
        factors = np.linalg.svd(R[:, labels != fold])[0]
        for k in range(5):
            design, loss = np.column_stack([D, factors[:, :k]]), 0.0
            for i in range(14):
                rest = np.arange(14) != i
                coef = np.linalg.lstsq(design[rest], Y[rest][:, labels == fold], rcond=None)[0]
                loss += np.sum((Y[i, labels == fold] - design[i] @ coef) ** 2)
            assert found[fold, k] == pytest.approx(loss, rel=1e-8)


@pytest.mark.parametrize("name", ["sim1", "sim2", "bladder"])
def test_answer_is_that_of_corrconf(name):
    """Folds are random there and here; the answer is the same for every seed tried."""
    problem = reference_problem(name)
    first = type(problem)(type(problem.matrix)(problem.matrix.values[:, :1000]), problem.design)
    found = {answer(first, limit=15, scale=None, seed=s).n_factors for s in range(4)}
    assert found == {load_reference("num_factors", "rules")[f"{name}__choosek"][0]}


@pytest.mark.parametrize(("n", "k"), [(60, 0), (60, 3), (60, 10), (16, 2)])
def test_finds_the_true_number(n, k):
    for seed in range(4):
        assert answer(simulated(n, 2000, k, seed)).n_factors == k


def test_outlying_samples_are_no_factors():
    """Two samples with five times the noise: no leave-one-out prediction gets better by directions of their own."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(60, 1000)) * np.where(np.arange(60) < 2, 5.0, 1.0)[:, None]
    X = rng.normal(size=(60, 3)) @ rng.normal(size=(3, 1000)) + noise
    assert answer(problem_of(X, np.arange(60) % 2.0)).n_factors == 3


def test_sample_that_the_design_fits_alone_takes_no_part():
    problem = simulated(20, 400, 2, 0)
    alone = np.column_stack([np.arange(20) % 2.0, np.arange(20) == 0])
    found = answer(problem_of(problem.matrix.values, alone))
    assert found.n_factors == 2
    assert np.all(np.isfinite(found.statistic))


def test_labels_are_balanced():
    assert sorted(np.bincount(balanced_labels(103, 10, np.random.default_rng(0)))) == [10] * 7 + [11] * 3


def test_bad_options():
    for options in ({"n_folds": 1}, {"n_folds": 60}, {"scale": "z"}):
        with pytest.raises(MethodError):
            answer(simulated(12, 50, 0, 0), **options)
