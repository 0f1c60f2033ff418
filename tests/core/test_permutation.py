"""Permuted residual Grams: the random orders, the sums, and that nothing depends on how the data are read."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

from latentadj.core.matrix import ArrayMatrix
from latentadj.core.passes import pass_options
from latentadj.core.permutation import GROUPED_FROM, PermutedGramKernel, permuted_eigenvalues
from latentadj.core.random_orders import SHORT_KEYS, random_key, random_orders
from latentadj.core.regression import design_basis

KEY = np.array([11, 22], dtype=np.uint64)


def design(n: int) -> np.ndarray:
    return np.column_stack([np.ones(n), np.arange(n) % 2.0, np.linspace(-1, 1, n) ** 2])


@pytest.mark.parametrize("n", [1, 2, 3, 4, 17, 64, 65, 300, SHORT_KEYS, SHORT_KEYS + 1])
def test_orders_are_permutations(n):
    orders = random_orders(KEY, 3, slice(5, 45), n)
    assert np.array_equal(np.sort(orders, axis=1), np.tile(np.arange(n), (40, 1)))


def test_order_of_a_feature_does_not_depend_on_the_slice():
    whole = random_orders(KEY, 2, slice(0, 50), 23)
    assert np.array_equal(whole[30:41], random_orders(KEY, 2, slice(30, 41), 23))


def test_features_replicates_and_keys_differ():
    first = random_orders(KEY, 0, slice(0, 30), 40)
    assert len({row.tobytes() for row in first}) == 30
    assert not np.any(np.all(first == random_orders(KEY, 1, slice(0, 30), 40), axis=1))
    assert not np.any(np.all(first == random_orders(KEY[::-1].copy(), 0, slice(0, 30), 40), axis=1))


def test_all_orders_of_four_are_equally_likely():
    """Chi-square over the 24 orders; fixed key, bound at the 1 - 1e-6 quantile."""
    orders = random_orders(KEY, 0, slice(0, 48_000), 4)
    _, counts = np.unique(orders @ 10 ** np.arange(4), return_counts=True)
    assert len(counts) == 24
    assert np.sum((counts - 2000) ** 2 / 2000) < chi2.isf(1e-6, 23)


def test_purposes_differ():
    first, second = (random_orders(KEY, 0, slice(0, 30), 40, purpose) for purpose in (0, 1))
    assert not np.any(np.all(first == second, axis=1))


@pytest.mark.parametrize("n", [SHORT_KEYS, SHORT_KEYS + 1])
def test_every_position_is_equally_likely(n):
    """Chi-square over the places of the first sample in 16 stretches, where short keys end; 1 - 1e-6 quantile."""
    place = np.argmin(random_orders(KEY, 0, slice(0, 8000), n), axis=1)
    counts = np.bincount(place * 16 // n, minlength=16)
    expected = np.bincount(np.arange(n) * 16 // n, minlength=16) / n * 8000
    assert np.sum((counts - expected) ** 2 / expected) < chi2.isf(1e-6, 15)


def test_pairs_keep_their_order_half_of_the_time():
    """Ties keep a pair in order; at the longest rows of short keys that is far below 5 standard errors."""
    orders = random_orders(KEY, 1, slice(0, 4000), SHORT_KEYS)
    place = np.argsort(orders, axis=1)
    share = np.mean(place[:, :-1:2] < place[:, 1::2])
    assert abs(share - 0.5) < 5 * 0.5 / np.sqrt(place.size / 2)


def test_neighbouring_features_are_independent():
    """Correlation of the positions that sample 0 goes to; 5 standard errors of 1 / sqrt(20,000)."""
    position = np.argmin(random_orders(KEY, 0, slice(0, 20_001), 9), axis=1)
    assert abs(np.corrcoef(position[:-1], position[1:])[0, 1]) < 5 / np.sqrt(20_000)


@pytest.mark.parametrize(("n", "m"), [(12, 300), (12, 7), (30, 1001)])
def test_matches_explicit_permutation(n, m):
    """Same orders, explicit loops and an SVD; 1e-11 of the largest: round-off of squares."""
    rng = np.random.default_rng(n + m)
    X, weights = rng.normal(size=(n, m)) + 5.0, rng.uniform(0.5, 2.0, size=m)
    basis = design_basis(design(n))
    found = permuted_eigenvalues(ArrayMatrix(X), basis, 3, np.random.default_rng(9), weights=weights)
    key = random_key(np.random.default_rng(9))
    residuals = basis.project_out(X) * weights
    for replicate in range(3):
        orders = random_orders(key, replicate, slice(0, m), n)
        permuted = np.column_stack([residuals[orders[j], j] for j in range(m)])
        singular = np.linalg.svd(basis.project_out(permuted), compute_uv=False)
        expected = np.zeros(n - 3)
        k = min(m, n - 3)
        expected[:k] = singular[:k] ** 2
        assert np.allclose(found[replicate], expected, rtol=0, atol=1e-11 * expected[0])


def test_parts_of_the_features_add_up():
    """A kernel cut out for some features, as other processes get it, draws the orders of their places in the whole."""
    rng = np.random.default_rng(5)
    X, weights = rng.normal(size=(9, 60)), rng.uniform(0.5, 2, size=60)
    whole = PermutedGramKernel(design_basis(design(9)).q, KEY, range(2), weights=weights)
    carved = whole.carved(slice(20, 60))
    carved.update(X[:, 20:], slice(0, 40))
    parts = whole.fork()
    parts.update(X[:, :20], slice(0, 20))
    parts.restore(carved.state(slice(0, 40)), slice(20, 60))
    whole.update(X, slice(0, 60))
    np.testing.assert_allclose(parts.result(), whole.result(), rtol=1e-12, atol=1e-12)


def test_few_and_many_features_take_different_ways(monkeypatch):
    """The way depends on the shape alone, and both give the null's mean share to 3%."""
    basis, rng = design_basis(design(10)), np.random.default_rng(0)
    Y = ArrayMatrix(rng.normal(size=(10, GROUPED_FROM * 10)))
    grouped = permuted_eigenvalues(Y, basis, 60, np.random.default_rng(1))
    monkeypatch.setattr("latentadj.core.permutation.GROUPED_FROM", GROUPED_FROM + 1)
    direct = permuted_eigenvalues(Y, basis, 60, np.random.default_rng(1))
    assert not np.allclose(grouped, direct)
    assert np.allclose(grouped.mean(axis=0), direct.mean(axis=0), rtol=0.03)


@pytest.mark.parametrize(
    "options",
    [{"width": 1}, {"width": 37}, {"width": 4096}, {"n_threads": 1}, {"n_threads": 3, "width": 101}],
)
def test_independent_of_blocks_and_threads(options):
    rng = np.random.default_rng(1)
    Y, basis = ArrayMatrix(rng.normal(size=(20, 700))), design_basis(design(20))
    expected = permuted_eigenvalues(Y, basis, 4, np.random.default_rng(2))
    with pass_options(**options):
        found = permuted_eigenvalues(Y, basis, 4, np.random.default_rng(2))
    assert np.allclose(found, expected, rtol=1e-10, atol=0)


def test_independent_of_memory_order_and_of_grouping():
    rng = np.random.default_rng(3)
    X, basis = rng.normal(size=(20, 500)), design_basis(design(20))
    expected = permuted_eigenvalues(ArrayMatrix(X), basis, 7, np.random.default_rng(2))
    fortran = permuted_eigenvalues(ArrayMatrix(np.asfortranarray(X)), basis, 7, np.random.default_rng(2))
    grouped = permuted_eigenvalues(ArrayMatrix(X), basis, 7, np.random.default_rng(2), gram_bytes=3 * 8 * 20 * 20)
    assert np.allclose(fortran, expected, rtol=1e-12, atol=0)
    assert np.allclose(grouped, expected, rtol=1e-12, atol=0)


def test_more_permutations_extend_the_same_ones():
    rng = np.random.default_rng(3)
    Y, basis = ArrayMatrix(rng.normal(size=(10, 80))), design_basis(design(10))
    few = permuted_eigenvalues(Y, basis, 2, np.random.default_rng(5))
    many = permuted_eigenvalues(Y, basis, 5, np.random.default_rng(5))
    assert np.allclose(many[:2], few, rtol=1e-12, atol=0)


def test_sum_of_squares_is_kept_under_the_intercept():
    """With the constant alone a permutation keeps every feature's sum of squares: the trace is known."""
    X = np.random.default_rng(4).normal(size=(15, 200))
    basis = design_basis(np.ones((15, 1)))
    found = permuted_eigenvalues(ArrayMatrix(X), basis, 3, np.random.default_rng(0))
    assert np.allclose(found.sum(axis=1), np.sum((X - X.mean(axis=0)) ** 2), rtol=1e-12, atol=0)


def test_large_means_cost_no_digits():
    """Means of 1e6 round the data to 1e-10; eigenvalues of about 1e3 may move by 1e-7 of themselves."""
    rng = np.random.default_rng(6)
    X, basis = rng.normal(size=(20, 400)), design_basis(design(20))
    expected = permuted_eigenvalues(ArrayMatrix(X), basis, 2, np.random.default_rng(0))
    found = permuted_eigenvalues(ArrayMatrix(X + 1e6), basis, 2, np.random.default_rng(0))
    assert np.allclose(found, expected, rtol=1e-7, atol=0)


def test_data_are_left_alone():
    X = np.random.default_rng(6).normal(size=(20, 400))
    before = X.copy()
    permuted_eigenvalues(ArrayMatrix(X), design_basis(design(20)), 2, np.random.default_rng(0))
    assert np.array_equal(X, before)
