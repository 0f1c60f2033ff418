"""Blocks, passes and kernels against whole-matrix NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latentadj.core.kernels import GramKernel, ProjectionKernel, RegressionKernel, ScoreKernel
from latentadj.core.matrix import (
    AdjustedMatrix,
    ArrayMatrix,
    FeatureMatrix,
    FeatureSubset,
    RotatedMatrix,
    collect,
    default_width,
    iterate_slices,
)
from latentadj.core.passes import pass_options, run_pass

# Sums over different block partitions differ by round-off only.
ROUND_OFF = 1e-12


@pytest.fixture
def values():
    return np.random.default_rng(3).normal(size=(12, 501))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_reading_gives_float64_blocks_of_any_storage(order, dtype):
    stored = np.asarray(np.arange(60).reshape(6, 10), dtype=dtype, order=order)
    matrix = ArrayMatrix(stored)
    assert isinstance(matrix, FeatureMatrix)
    assert matrix.read(slice(2, 5)).dtype == np.float64
    np.testing.assert_array_equal(collect(matrix), stored)


def test_float64_blocks_are_views(values):
    assert np.shares_memory(ArrayMatrix(values).read(slice(0, 5)), values)
    features_major = np.asfortranarray(values)
    assert np.shares_memory(ArrayMatrix(features_major).read(slice(0, 5)), features_major)


@given(m=st.integers(0, 300), width=st.integers(1, 400))
@settings(max_examples=50, deadline=None)
def test_slices_cover_every_column_once(m, width):
    columns = [i for block in iterate_slices(m, width) for i in range(m)[block]]
    assert columns == list(range(m))


def test_default_width_is_bounded():
    assert default_width(1) == 8192
    assert default_width(10**7) == 64


def test_views_do_block_arithmetic(values):
    base = ArrayMatrix(values)
    rng = np.random.default_rng(0)
    index = np.sort(rng.choice(501, 77, replace=False))
    np.testing.assert_array_equal(collect(FeatureSubset(base, index)), values[:, index])
    scores, loadings = rng.normal(size=(12, 2)), rng.normal(size=(501, 2))
    np.testing.assert_allclose(collect(AdjustedMatrix(base, scores, loadings)), values - scores @ loadings.T)
    q = np.linalg.qr(rng.normal(size=(12, 4)))[0]
    np.testing.assert_allclose(collect(RotatedMatrix(base, q)), q.T @ values, atol=1e-14)


def _kernels(values, q, weights):
    n, m = values.shape
    return (
        RegressionKernel(q, m, centred=True),
        GramKernel(n, basis=q, weights=weights),
        ProjectionKernel(q[:, 1:], m),
        ScoreKernel(n, np.column_stack([weights, weights**2]), offset=values.mean(axis=0)),
    )


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(("n_threads", "width"), [(1, None), (1, 1), (2, 7), (2, 64), (3, 1000)])
def test_results_do_not_depend_on_order_threads_or_width(values, order, n_threads, width):
    design = np.column_stack([np.ones(12), np.repeat([0, 1], 6)])
    q = np.linalg.qr(design)[0]
    weights = np.random.default_rng(1).uniform(size=501)
    stored = np.asarray(values, order=order)
    with pass_options(n_threads=n_threads, width=width):
        sums, gram, cross, scores = run_pass(ArrayMatrix(stored), *_kernels(values, q, weights))
    residual = values - q @ (q.T @ values)
    np.testing.assert_allclose(sums.rss, (residual**2).sum(axis=0), rtol=ROUND_OFF)
    np.testing.assert_allclose(sums.tss, values.var(axis=0) * 12, rtol=ROUND_OFF)
    np.testing.assert_allclose(sums.effects, values.T @ q, atol=ROUND_OFF)
    np.testing.assert_allclose(gram, (residual * weights**2) @ residual.T, atol=1e-11)
    np.testing.assert_allclose(cross, values.T @ q[:, 1:], atol=ROUND_OFF)
    expected = (values - values.mean(axis=0)) @ np.column_stack([weights, weights**2])
    np.testing.assert_allclose(scores, expected, atol=1e-11)


def test_equal_bits_for_any_number_of_threads(values):
    grams = []
    for n_threads in (1, 2, 4):
        with pass_options(n_threads=n_threads, width=16):
            grams.append(run_pass(ArrayMatrix(values), GramKernel(12))[0])
    assert np.array_equal(grams[0], grams[1])
    assert np.array_equal(grams[0], grams[2])


@pytest.mark.parametrize("mean", [0.0, 8.0, 1e3, 1e5, 1e8])
@pytest.mark.parametrize("order", ["C", "F"])
def test_residual_sums_keep_their_digits_under_large_means(values, mean, order):
    """The raw identity |y|^2 - |Q'y|^2 loses all digits at mean 1e8; 1e-12 is a thousand units of round-off."""
    shifted = values + mean
    q = np.linalg.qr(np.column_stack([np.ones(12), np.repeat([0.0, 1.0], 6)]))[0]
    exact = shifted.astype(np.longdouble)
    exact = exact - exact.mean(axis=0)
    residual = exact - q @ (q.T @ exact)
    (sums,) = run_pass(ArrayMatrix(np.asarray(shifted, order=order)), RegressionKernel(q, 501, centred=True))
    np.testing.assert_allclose(sums.rss, (residual**2).sum(axis=0).astype(float), rtol=1e-12)


def test_features_the_design_fits_exactly_have_tiny_residuals():
    x = np.repeat([0.0, 1.0], 6)
    q = np.linalg.qr(np.column_stack([np.ones(12), x]))[0]
    perfect = np.column_stack([3 + 2 * x, np.full(12, 5.0), x + 1e-7 * np.sin(np.arange(12))])
    (sums,) = run_pass(ArrayMatrix(perfect), RegressionKernel(q, 3, centred=True))
    noise = 1e-7 * np.sin(np.arange(12))
    expected = ((noise - q @ (q.T @ noise)) ** 2).sum()
    assert sums.rss[0] < 1e-27
    assert sums.rss[1] < 1e-27
    assert sums.rss[2] == pytest.approx(expected, rel=1e-6)


def test_missing_values_show_in_their_own_sums_only(values):
    values = values.copy()
    values[3, 10] = np.nan
    values[4, 20] = np.inf
    q = np.full((12, 1), 12**-0.5)
    (sums,) = run_pass(ArrayMatrix(values), RegressionKernel(q, 501, centred=True))
    assert np.flatnonzero(~np.isfinite(sums.tss)).tolist() == [10, 20]


def test_peak_memory_of_a_pass_is_far_below_the_matrix():
    import tracemalloc

    values = np.random.default_rng(0).normal(size=(100, 100_000))
    q = np.linalg.qr(np.column_stack([np.ones(100), np.arange(100.0)]))[0]
    tracemalloc.start()
    run_pass(ArrayMatrix(values), RegressionKernel(q, 100_000, centred=True), GramKernel(100, basis=q))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.25 * values.nbytes
