"""The Wishart form of the permutation null, held against exact permutation."""

from __future__ import annotations

import numpy as np
import pytest

from latentadj.core.matrix import ArrayMatrix
from latentadj.core.permutation import permuted_eigenvalues
from latentadj.core.regression import design_basis, design_pass
from latentadj.core.wishart import (
    ShiftedWishart,
    permuted_gram,
    single_wishart,
    size_classes,
    wishart_eigenvalues,
    wishart_factor,
)

DRAWS = 200


def both_nulls(X, seed=0):
    """Shares under exact permutation and under the approximation, each (DRAWS, df)."""
    n = X.shape[0]
    basis = design_basis(np.column_stack([np.ones(n), np.arange(n) % 2.0, np.linspace(0, 1, n)]))
    Y = ArrayMatrix(X)
    exact = permuted_eigenvalues(Y, basis, DRAWS, np.random.default_rng(seed))
    rss = design_pass(Y, basis).rss
    approximate = wishart_eigenvalues(rss, n, n - basis.rank, DRAWS, np.random.default_rng(seed))
    return tuple(e / e.sum(axis=1, keepdims=True) for e in (exact, approximate))


def study(kind: str) -> np.ndarray:
    rng = np.random.default_rng(7)
    X = rng.normal(size=(40, 2000))
    if kind == "unequal":
        X *= np.exp(1.5 * rng.normal(size=2000))
    elif kind == "somewhat unequal":
        X *= np.exp(0.3 * rng.normal(size=2000))
    elif kind == "dominated":
        X[:, :3] *= 200
    elif kind == "t":
        X = rng.standard_t(5, size=(40, 2000))
    elif kind == "few features":
        X = X[:, :30]
    return X


@pytest.mark.parametrize("kind", ["equal", "somewhat unequal", "unequal", "dominated", "t", "few features"])
def test_null_shares_agree_with_permutation(kind):
    """Means of the leading shares within 1% and 3 standard errors of the difference, spreads within a third.

    Of 200 draws the difference has an error of 0.5% for the second share on, and 1% where three features dominate.
    """
    exact, approximate = (shares[:, :5] for shares in both_nulls(study(kind)))
    error = np.sqrt((exact.var(axis=0) + approximate.var(axis=0)) / DRAWS)
    allowed = 0.01 * exact.mean(axis=0) + 3 * error
    assert np.all(np.abs(approximate.mean(axis=0) - exact.mean(axis=0)) < allowed)
    ratio = approximate[:, 0].std() / exact[:, 0].std()
    assert 0.67 < ratio < 1.5


def test_one_wishart_would_be_wrong_for_unequal_features():
    """Classes matter: one Wishart matrix of the same degrees of freedom misses the top share by over 5%."""
    X = np.random.default_rng(7).normal(size=(40, 2000)) * np.exp(np.random.default_rng(8).normal(size=2000) * 0.8)
    exact, approximate = both_nulls(X)
    squares = np.sum((X - X.mean(axis=0)) ** 2, axis=0)
    rng, nu = np.random.default_rng(0), squares.sum() ** 2 / np.sum(squares**2)
    single = [np.linalg.svd(wishart_factor(nu, 37, rng), compute_uv=False) ** 2 for _ in range(DRAWS)]
    top = np.mean([e[0] / e.sum() for e in single])
    assert abs(approximate[:, 0].mean() / exact[:, 0].mean() - 1) < 0.015
    assert abs(top / exact[:, 0].mean() - 1) > 0.05


def test_wishart_factor_moments():
    """Mean nu on the diagonal, variance nu off it; 5 standard errors over 4000 draws."""
    rng, nu = np.random.default_rng(0), 9.5
    draws = np.array([a @ a.T for a in (wishart_factor(nu, 4, rng) for _ in range(4000))])
    assert np.allclose(draws.mean(axis=0), nu * np.eye(4), atol=5 * np.sqrt(2 * nu / 4000))
    assert abs(draws[:, 0, 1].var() - nu) < 5 * nu * np.sqrt(4 / 4000)


def test_classes_cover_every_positive_feature_once():
    rss = np.concatenate([[0.0, 0.0, 1e4], np.random.default_rng(0).gamma(2.0, size=500)])
    classes = size_classes(rss, 12)
    assert np.array_equal(np.concatenate(classes), np.sort(rss[rss > 0])[::-1])
    assert len(classes) <= 12
    assert classes[0].tolist() == [1e4]


def test_equal_features_need_one_class():
    assert [len(c) for c in size_classes(np.full(100, 2.5))] == [100]


def test_no_variation_gives_zeros():
    assert np.array_equal(wishart_eigenvalues(np.zeros(10), 8, 6, 2, np.random.default_rng(0)), np.zeros((2, 6)))


def test_long_tail_behind_a_few_large_features_needs_no_long_vectors():
    """A class whose degrees of freedom are few although it is long is split, and its trace stays right."""
    squares = np.sort(np.concatenate([np.full(3, 1e6), np.full(50_000, 1e-3)]))[::-1]
    gram = permuted_gram(squares, 19, 18, np.random.default_rng(0))
    assert np.trace(gram) == pytest.approx(squares.sum() * 18 / 19, rel=0.2)
    assert np.linalg.eigvalsh(gram)[0] > 1e-3 * 50_000 / 19 / 2


@pytest.mark.parametrize(("nu", "d"), [(50.5, 4), (9.0, 8), (30.0, 1)])
def test_tridiagonal_form_has_the_eigenvalues_of_the_matrix(nu, d):
    """Means of each eigenvalue and of their products against explicit matrices; 5 standard errors of 3000 draws."""
    rng = np.random.default_rng(0)
    found = ShiftedWishart(nu, 2.0, 3.0).eigenvalues(d, 3000, rng)
    factors = (wishart_factor(nu, d, rng) for _ in range(3000))
    explicit = np.array([3.0 + 2.0 * np.linalg.svd(a, compute_uv=False) ** 2 for a in factors])
    for values, others in ((found, explicit), (found[:, :1] * found, explicit[:, :1] * explicit)):
        error = np.sqrt((values.var(axis=0) + others.var(axis=0)) / 3000)
        assert np.all(np.abs(values.mean(axis=0) - others.mean(axis=0)) < 5 * error)
    assert np.all(np.diff(found, axis=1) <= 0)


def test_single_matrix_has_the_cumulants_of_the_features():
    squares = 30 * np.random.default_rng(0).gamma(6.0, size=4000)
    one = single_wishart(squares, 40, 38)
    for power in (1, 2, 3):
        expected = np.sum(squares**power) / (40 * 42.0 ** (power - 1))
        found = one.df * one.scale**power + (one.shift if power == 1 else 0.0)
        assert found == pytest.approx(expected, rel=1e-12)
    assert one.shift > 0


def test_single_matrix_stands_for_classes_where_it_is_used():
    """Top shares of 400 draws each: means within 4 standard errors plus 0.1 units of the largest eigenvalue."""
    rng = np.random.default_rng(0)
    squares = 30 * rng.gamma(6.0, size=4000)
    assert single_wishart(squares, 40, 38) is not None
    single = wishart_eigenvalues(squares, 41, 38, 400, rng)
    classes = size_classes(squares)
    grams = [sum(permuted_gram(c, 40, 38, rng) for c in classes) for _ in range(400)]
    several = np.linalg.eigvalsh(np.array(grams))[:, ::-1]
    one, other = (e[:, :3] / e.sum(axis=1, keepdims=True) for e in (single, several))
    unit = (other[:, 0].mean() - 1 / 38) / 2 * 38 ** (-2 / 3)
    error = 4 * np.sqrt((one.var(axis=0) + other.var(axis=0)) / 400) + 0.1 * unit
    assert np.all(np.abs(one.mean(axis=0) - other.mean(axis=0)) < error)
    assert abs(one[:, 0].std() / other[:, 0].std() - 1) < 0.2


def test_few_or_very_unequal_features_need_classes():
    assert single_wishart(np.ones(70), 40, 38) is None
    assert single_wishart(np.concatenate([np.full(3, 1e4), np.ones(5000)]), 40, 38) is None
    assert single_wishart(np.exp(2 * np.random.default_rng(0).normal(size=2000)), 40, 38) is None


def test_units_do_not_matter():
    squares = np.random.default_rng(0).gamma(6.0, size=900)
    small, large = (wishart_eigenvalues(squares * u, 20, 18, 5, np.random.default_rng(1)) for u in (1e-60, 1e60))
    assert np.allclose(small * 1e120, large, rtol=1e-10, atol=0)
