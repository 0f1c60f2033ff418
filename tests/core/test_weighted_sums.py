"""Kernels of surrogate variable analysis against whole-matrix NumPy, in both memory orders and any partition."""

import numpy as np
import pytest

from latentadj.core.kernels import GramKernel
from latentadj.core.matrix import ArrayMatrix, default_width
from latentadj.core.passes import pass_options, run_pass
from latentadj.core.weighted_sums import ExplainedKernel, WeightedSweepKernel, wide

ROUND_OFF = {"rtol": 1e-12, "atol": 1e-12}


@pytest.fixture(params=["C", "F"])
def values(request):
    return np.asarray(np.random.default_rng(3).normal(size=(12, 501)) + 2, order=request.param)


@pytest.mark.parametrize("options", [{}, {"width": 7}, {"width": 100, "n_threads": 2}])
@pytest.mark.parametrize("centred", [False, True])
def test_weighted_gram(values, options, centred):
    weights = np.random.default_rng(0).uniform(size=501)
    mean = values.mean(axis=0) if centred else None
    with pass_options(**options):
        (gram,) = run_pass(ArrayMatrix(values), GramKernel(12, weights=weights, mean=mean), wider=wide(12))
    rows = (values - (0 if mean is None else mean)) * weights
    np.testing.assert_allclose(gram, rows @ rows.T, **ROUND_OFF)
    np.testing.assert_array_equal(gram, gram.T)


@pytest.mark.parametrize("options", [{}, {"width": 7}, {"width": 100, "n_threads": 2}])
@pytest.mark.parametrize("k", [1, 2, 5])
def test_explained(values, options, k):
    rng = np.random.default_rng(k)
    directions, combine = rng.normal(size=(12, k)), rng.normal(size=(k + 1, k))
    remove, effects = rng.normal(size=(k + 1, 3)), rng.normal(size=(501, 3))
    kernel = ExplainedKernel(directions, combine, remove, effects, (1, k))
    with pass_options(**options):
        (found,) = run_pass(ArrayMatrix(values), kernel)
    coordinates = combine @ directions.T @ values - remove @ effects.T
    expected = np.stack([coordinates[0] ** 2, (coordinates[1:] ** 2).sum(axis=0)])
    np.testing.assert_allclose(found, expected, **ROUND_OFF)


def test_an_empty_set_explains_nothing(values):
    kernel = ExplainedKernel(np.eye(12)[:, :1], np.ones((1, 1)), np.zeros((1, 2)), np.zeros((501, 2)), (0, 1))
    (found,) = run_pass(ArrayMatrix(values), kernel)
    np.testing.assert_array_equal(found, [np.zeros(501), values[0] ** 2])


@pytest.mark.parametrize("options", [{}, {"width": 7}, {"width": 100, "n_threads": 2}])
def test_sweep(values, options):
    rng = np.random.default_rng(1)
    directions, squared = rng.normal(size=(12, 4)), rng.uniform(size=501)
    with pass_options(**options):
        (found,) = run_pass(ArrayMatrix(values), WeightedSweepKernel(directions, squared))
    np.testing.assert_allclose(found, (values * squared) @ values.T @ directions, **ROUND_OFF)


def test_threads_change_nothing(values):
    weights = np.random.default_rng(0).uniform(size=501)
    results = []
    for n_threads in (1, 2):
        with pass_options(n_threads=n_threads, width=20):
            gram, sweep = run_pass(
                ArrayMatrix(values), GramKernel(12, weights=weights), WeightedSweepKernel(np.eye(12)[:, :3], weights)
            )
        results.append((gram, sweep))
    for one, two in zip(*results, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("n", [2, 57, 200, 5000])
def test_wide_blocks_are_bounded(n):
    assert 1 <= wide(n) * default_width(n) <= max(8192, default_width(n))
