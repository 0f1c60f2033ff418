"""Weights of surrogate variable analysis against least squares by definition, and the two ways to the factors."""

import numpy as np
import pytest
from scipy.special import fdtr, fdtrc, ndtri

from latentadj.core import leading_directions as ld
from latentadj.core import surrogate_weights as sw
from latentadj.core.matrix import ArrayMatrix
from latentadj.core.multiple import adjust_pvalues, local_fdr_from_z
from latentadj.core.passes import pass_options
from latentadj.core.regression import design_basis, design_pass
from latentadj.core.spectrum import residual_spectrum, top_eigenvectors


def simulate(n=24, m=700, *, seed=0, mean=6.0):
    rng = np.random.default_rng(seed)
    x = (np.arange(n) % 2).astype(float)
    z = rng.normal(size=(n, 2)) + 0.5 * x[:, None]
    effects = np.where(rng.random(m) < 0.2, rng.normal(size=m), 0.0)
    Y = z @ rng.normal(size=(2, m)) + np.outer(x, effects) + rng.normal(size=(n, m)) + mean
    return Y, x, rng.normal(size=n)


def weighting_of(Y, nuisance, primary, **options):
    basis = design_basis(np.column_stack([nuisance, primary]))
    matrix = ArrayMatrix(Y)
    return sw.SurrogateWeighting(matrix, basis, nuisance.shape[1], design_pass(matrix, basis), **options)


def rss(Y, design):
    return ((Y - design @ np.linalg.lstsq(design, Y, rcond=None)[0]) ** 2).sum(axis=0)


def plain_rates(Y, reduced, full):
    """One minus the posterior, from explicit fits and SciPy's F."""
    df1 = np.linalg.matrix_rank(full) - np.linalg.matrix_rank(reduced)
    df2 = len(Y) - np.linalg.matrix_rank(full)
    r0, r1 = rss(Y, reduced), rss(Y, full)
    f = np.maximum((r0 - r1) / df1 / (r1 / df2), 0)
    p, below = fdtrc(df1, df2, f), fdtr(df1, df2, f)
    if len(f) < sw.MIN_TESTS:
        return adjust_pvalues(p)
    z = np.where(p < 0.5, ndtri(np.maximum(p, 1e-8)), -ndtri(np.maximum(below, 1e-8)))
    return local_fdr_from_z(z, min(1.0, np.mean(p >= 0.8) / 0.2))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("m", [40, 700, 9000])
@pytest.mark.parametrize("with_age", [False, True])
def test_weights_equal_their_definition(order, m, with_age):
    Y, x, age = simulate(m=m, seed=m)
    nuisance = np.column_stack([np.ones(24), age][: 1 + with_age])
    factors = residual_spectrum(ArrayMatrix(Y), design_basis(np.column_stack([nuisance, x]))).vectors[:, :2]
    factors = np.linalg.qr(factors + 0.1 * (x - x.mean())[:, None] + 0.1 * (age - age.mean())[:, None])[0]
    weights = weighting_of(np.asarray(Y, order=order), nuisance, x[:, None]).weigh(factors)
    with_factors = np.column_stack([nuisance, factors])
    gamma = 1 - plain_rates(Y, nuisance, with_factors)
    b = 1 - plain_rates(Y, with_factors, np.column_stack([with_factors, x]))
    # the search of the smoothing parameter passes on round-off of the F statistics, see test_local_fdr
    np.testing.assert_allclose(weights.gamma, gamma, rtol=0, atol=1e-9)
    np.testing.assert_allclose(weights.b, b, rtol=0, atol=1e-9)


def test_features_without_variation_have_no_weight_and_change_nothing():
    Y, x, _ = simulate()
    ones = np.ones((24, 1))
    factors = np.linalg.qr(np.random.default_rng(1).normal(size=(24, 2)))[0]
    without = weighting_of(Y, ones, x[:, None]).weigh(factors).weights
    padded = np.column_stack([Y[:, :100], np.full(24, 3.0), Y[:, 100:], x, np.zeros(24)])
    found = weighting_of(padded, ones, x[:, None]).weigh(factors).weights
    np.testing.assert_array_equal(found[[100, -2, -1]], 0)
    np.testing.assert_allclose(np.delete(found, [100, 701, 702]), without, rtol=0, atol=1e-10)


def test_a_factor_within_the_design_explains_nothing_more():
    Y, x, _ = simulate()
    centred = (x - x.mean()) / np.linalg.norm(x - x.mean())
    factors = np.linalg.qr(np.column_stack([centred, np.random.default_rng(1).normal(size=24)]))[0]
    weighting = weighting_of(Y, np.ones((24, 1)), x[:, None])
    explained = weighting._explained(factors)
    np.testing.assert_allclose(
        explained[1],
        rss(Y, np.column_stack([np.ones(24), x])) - rss(Y, np.column_stack([np.ones(24), x, factors[:, 1]])),
        rtol=1e-9,
        atol=1e-9,
    )


@pytest.mark.parametrize("mean", [6.0, 1e6])
def test_gram_is_that_of_the_weighted_centred_features(mean):
    Y, x, _ = simulate(mean=mean)
    weighting = weighting_of(Y, np.ones((24, 1)), x[:, None])
    assert weighting._means_are_mild == (mean == 6.0)
    weights = np.random.default_rng(0).uniform(size=700)
    rows = (Y - Y.mean(axis=0)) * weights
    expected = rows @ rows.T
    # a mean of 1e6 times the spread leaves ten digits of the data, and of the two ways to its mean
    np.testing.assert_allclose(weighting.gram(weights), expected, rtol=0, atol=1e-10 * np.abs(expected).max())


def test_rounds_by_krylov_spaces_equal_rounds_by_gram_matrices(monkeypatch):
    Y, x, _ = simulate(n=160, m=1200)

    def rounds():
        weighting = weighting_of(Y, np.ones((160, 1)), x[:, None])
        step = sw.WeightingRounds(weighting, 2)
        factors = residual_spectrum(weighting.Y, weighting.basis).vectors[:, :2]
        for _ in range(5):
            factors = step(factors)
        return factors, step.weights.weights

    dense, dense_weights = rounds()
    monkeypatch.setattr(sw, "MANY_SAMPLES", 100)
    monkeypatch.setattr(ld, "MANY_SAMPLES", 100)
    monkeypatch.setattr(ld, "_GRAM_COLUMNS", 1)
    monkeypatch.setattr(sw.SurrogateWeighting, "gram", None)  # not used
    sparse, sparse_weights = rounds()
    np.testing.assert_allclose(sparse * np.sign((sparse * dense).sum(axis=0)), dense, rtol=0, atol=1e-6)
    np.testing.assert_allclose(sparse_weights, dense_weights, rtol=0, atol=1e-5)
    with pass_options(n_threads=2):
        np.testing.assert_array_equal(rounds()[0], sparse)


def test_eigenvalues_that_are_not_separated_fall_back_on_the_gram_matrix(monkeypatch):
    Y = np.random.default_rng(4).normal(size=(120, 3000))
    weighting = weighting_of(Y, np.ones((120, 1)), np.arange(120.0)[:, None])
    weights = np.ones(3000)
    expected = top_eigenvectors(weighting.gram(weights), 3)
    monkeypatch.setattr(sw, "MANY_SAMPLES", 100)
    monkeypatch.setattr(ld, "MANY_SAMPLES", 100)
    np.testing.assert_array_equal(weighting.factors(weights, 3), expected)
