"""Permutations made of sums over groups: the sums, their distribution, and that reading does not matter."""

from __future__ import annotations

import numpy as np
import pytest

from latentadj.core import regrouped_gram
from latentadj.core.matrix import ArrayMatrix
from latentadj.core.pass_options import pass_options
from latentadj.core.passes import run_pass
from latentadj.core.permutation import GROUPED_FROM, PermutedGramKernel, permuted_eigenvalues
from latentadj.core.random_orders import GROUPS, random_key, random_orders
from latentadj.core.regression import design_basis
from latentadj.core.regrouped_gram import RegroupedGramKernel, feature_groups

KEY = np.array([11, 22], dtype=np.uint64)


def design(n: int) -> np.ndarray:
    return np.column_stack([np.ones(n), np.arange(n) % 2.0, np.linspace(-1, 1, n) ** 2])


def explicit(X, basis, key, replicate, groups, weights):
    """Gram matrix of one replicate from its permuted residuals, feature by feature."""
    n, m = X.shape
    residuals = basis.project_out(X) * weights
    inner = random_orders(key, replicate // regrouped_gram.ROUND, slice(0, m), n)
    outer = {g: random_orders(key, g, slice(replicate, replicate + 1), n, GROUPS)[0] for g in set(groups.tolist())}
    permuted = np.column_stack([residuals[inner[j], j][outer[groups[j]]] for j in range(m)])
    return permuted @ permuted.T


@pytest.mark.parametrize("replicates", [range(3), range(4, 9)])
def test_matches_explicit_permutation(monkeypatch, replicates):
    """Rounds of three, five groups; 1e-12 of the largest entry: round-off of sums."""
    monkeypatch.setattr(regrouped_gram, "ROUND", 3)
    rng = np.random.default_rng(1)
    X, weights = rng.normal(size=(12, 90)) + 5.0, rng.uniform(0.5, 2.0, size=90)
    basis = design_basis(design(12))
    groups = feature_groups(np.sum((basis.project_out(X) * weights) ** 2, axis=0), 5)
    (grams,) = run_pass(ArrayMatrix(X), RegroupedGramKernel(basis.q, KEY, replicates, groups, weights=weights))
    for gram, replicate in zip(grams, replicates, strict=True):
        expected = explicit(X, basis, KEY, replicate, groups, weights)
        assert np.allclose(gram, expected, rtol=0, atol=1e-12 * expected.max())


def test_every_permutation_keeps_features_apart():
    """What the two permutations of a feature amount to differs between features of a group and between replicates."""
    inner = random_orders(KEY, 0, slice(0, 40), 30)
    outer = random_orders(KEY, 7, slice(0, 2), 30, GROUPS)
    both = np.concatenate([inner[:, order] for order in outer])
    assert len({row.tobytes() for row in both}) == 80


@pytest.mark.parametrize(
    "options",
    [{"width": 1}, {"width": 37}, {"width": 4096}, {"n_threads": 1}, {"n_threads": 3, "width": 101}],
)
def test_independent_of_blocks_and_threads(options):
    rng = np.random.default_rng(1)
    Y, basis = ArrayMatrix(rng.normal(size=(12, GROUPED_FROM * 12))), design_basis(design(12))
    expected = permuted_eigenvalues(Y, basis, 4, np.random.default_rng(2))
    with pass_options(**options):
        found = permuted_eigenvalues(Y, basis, 4, np.random.default_rng(2))
    assert np.allclose(found, expected, rtol=1e-10, atol=0)


def test_independent_of_memory_order_of_grouping_and_of_given_squares():
    rng = np.random.default_rng(3)
    X, basis = rng.normal(size=(12, 500)), design_basis(design(12))
    weights = rng.uniform(0.5, 2.0, size=500)
    squares = np.sum((basis.project_out(X) * weights) ** 2, axis=0)

    def found(X, **options):
        return permuted_eigenvalues(ArrayMatrix(X), basis, 40, np.random.default_rng(2), weights=weights, **options)

    expected = found(X)
    for other in (
        found(np.asfortranarray(X)),
        found(X, gram_bytes=7 * 8 * 12 * 12),
        found(X, squares=squares),
    ):
        assert np.allclose(other, expected, rtol=1e-11, atol=0)


def test_more_permutations_extend_the_same_ones():
    rng = np.random.default_rng(3)
    Y, basis = ArrayMatrix(rng.normal(size=(10, 400))), design_basis(design(10))
    few = permuted_eigenvalues(Y, basis, 2, np.random.default_rng(5))
    many = permuted_eigenvalues(Y, basis, 35, np.random.default_rng(5))
    assert np.allclose(many[:2], few, rtol=1e-12, atol=0)


def test_parts_of_the_features_add_up():
    """A kernel cut out for some features, as other processes get it, with a group on both sides of the cut."""
    rng = np.random.default_rng(5)
    X, groups = rng.normal(size=(9, 60)), np.arange(60) // 14
    whole = RegroupedGramKernel(design_basis(design(9)).q, KEY, range(2), groups)
    carved = whole.carved(slice(20, 60))
    carved.update(X[:, 20:], slice(0, 40))
    parts = whole.fork()
    parts.update(X[:, :20], slice(0, 20))
    parts.restore(carved.state(slice(0, 40)), slice(20, 60))
    whole.update(X, slice(0, 60))
    np.testing.assert_allclose(parts.result(), whole.result(), rtol=1e-12, atol=1e-12)


def top_shares(X, basis, kernel_of, keys):
    """Largest share of the sum, ``(n_keys, n_replicates)``."""
    shares, complement = [], basis.complement()
    for seed in keys:
        (grams,) = run_pass(ArrayMatrix(X), kernel_of(random_key(np.random.default_rng(seed))))
        values = np.linalg.eigvalsh(complement.T @ grams @ complement)
        shares.append(values[:, -1] / values.sum(axis=1))
    return np.array(shares)


@pytest.mark.parametrize("noise", ["normal", "t"])
def test_replicates_have_the_distribution_of_permutation_and_hardly_correlate(noise):
    """Sixteen groups, 150 keys, eight replicates: mean and spread of the top share within 4 standard errors of those of
    independent permutations; correlation of replicates below 0.15 (about 1/16 expected, standard error 0.03)."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(12, 480)) if noise == "normal" else rng.standard_t(3, size=(12, 480))
    basis, replicates = design_basis(design(12)), range(8)
    groups = feature_groups(np.sum(basis.project_out(X) ** 2, axis=0), 16)
    found = top_shares(X, basis, lambda key: RegroupedGramKernel(basis.q, key, replicates, groups), range(150))
    direct = top_shares(X, basis, lambda key: PermutedGramKernel(basis.q, key, replicates), range(1000, 1075)).ravel()
    between = found.mean(axis=1).var(ddof=1) - found.var(axis=1, ddof=1).mean() / 8
    correlation = between / found.var()
    error = direct.std() * np.sqrt(1 / direct.size + (1 + 7 * max(correlation, 0)) / found.size)
    assert abs(found.mean() - direct.mean()) < 4 * error
    assert abs(found.std() / direct.std() - 1) < 4 * np.sqrt(1 / (2 * direct.size) + 1 / found.size) * 1.5
    assert correlation < 0.15


def test_features_that_dominate_are_in_groups_of_their_own():
    squares = np.concatenate([np.ones(50), [500.0, 700.0, 600.0], np.ones(450)])
    groups = feature_groups(squares)
    assert len(set(groups[50:53].tolist())) == 3
    assert np.all(np.diff(groups) >= 0)
    for group in set(groups.tolist()):
        members = squares[groups == group]
        assert members.sum() - members.max() <= 2 * squares.sum() / regrouped_gram.N_GROUPS


@pytest.mark.parametrize("m", [96, 192, 288, 480, 20_000])
def test_borders_between_equal_features_are_not_decided_by_round_off(m):
    squares = np.full(m, 57.0)
    noise = 1 + 1e-13 * np.random.default_rng(0).normal(size=m)
    assert np.array_equal(feature_groups(squares), feature_groups(squares * noise))


def test_no_variation_is_one_group():
    assert feature_groups(np.zeros(5)).tolist() == [0] * 5
