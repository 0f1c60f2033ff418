"""Quality weights of samples against limma's arrayWeights, the restricted likelihood and simulated truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize

from latentadj.core.array_weights import array_weights, array_weights_one_pass
from latentadj.core.matrix import ArrayMatrix
from latentadj.core.passes import pass_options
from latentadj.core.regression import fit_regression
from latentadj.core.tails import t_two_sided_p
from latentadj.core.whitening import WhitenedMatrix, Whitening
from latentadj.exceptions import InputError
from tests.core.limma_pieces import STUDIES, assert_limma_fit, data, pieces

N = 1000  # features that limma was given


def first(name: str) -> np.ndarray:
    return data(name).X[:, :N]


@pytest.mark.parametrize("name", STUDIES)
def test_is_array_weights_reml(name: str) -> None:
    """With limma's tolerance: the same number of rounds, and round-off (measured 1e-12)."""
    stored = pieces(name)
    found = array_weights(ArrayMatrix(first(name)), stored["design_mod"], tol=1e-5)
    np.testing.assert_allclose(found.weights, stored["arrayWeights_reml"].ravel(), rtol=1e-9)
    assert found.converged


@pytest.mark.parametrize("name", STUDIES)
def test_is_array_weights_gene_by_gene(name: str) -> None:
    stored = pieces(name)
    found = array_weights_one_pass(first(name), stored["design_mod"])
    np.testing.assert_allclose(found, stored["arrayWeights_genebygene"].ravel(), rtol=1e-9)


@pytest.mark.parametrize("name", STUDIES)
def test_weighted_fit_is_limmas(name: str) -> None:
    stored, X = pieces(name), first(name)
    whitening = Whitening.from_weights(array_weights_one_pass(X, stored["design_mod"]))
    fit = fit_regression(WhitenedMatrix(ArrayMatrix(X), whitening), whitening.apply(stored["design_mod"]))
    assert_limma_fit(name, "arrayweights", replace(fit, mean=X.mean(axis=0)))


def test_maximises_the_restricted_likelihood() -> None:
    """Without a prior to speak of: a general optimiser on the dense likelihood, features' variances profiled out."""
    rng = np.random.default_rng(0)
    n, m = 8, 40
    design = np.column_stack([np.ones(n), rng.normal(size=n)])
    Y = rng.normal(size=(n, m)) * np.exp(rng.normal(size=n) / 2)[:, None] * rng.uniform(0.1, 9, size=m)
    directions = np.linalg.svd(np.eye(n) - 1 / n)[0][:, : n - 1]

    def deviance(gamma: np.ndarray) -> float:
        w = np.exp(-directions @ gamma)
        q, r = np.linalg.qr(design * np.sqrt(w)[:, None])
        Z = Y * np.sqrt(w)[:, None]
        rss = np.square(Z - q @ (q.T @ Z)).sum(axis=0)
        return m * (2 * np.log(np.abs(np.diag(r))).sum() - np.log(w).sum()) + (n - 2) * np.log(rss).sum()

    best = optimize.minimize(deviance, np.zeros(n - 1), method="BFGS", options={"gtol": 1e-7})
    found = array_weights(ArrayMatrix(Y), design, prior_features=1e-9, tol=1e-20, max_iter=200)
    np.testing.assert_allclose(np.log(found.weights), -directions @ best.x, atol=1e-5)


@pytest.mark.parametrize("confounded", [False, True])
def test_type_one_error_of_weighted_tests(confounded: bool) -> None:
    """One group much noisier than the other: pooled errors are wrong, weighted ones right. 4000 null features.

    With confounding the quality goes with a covariate that has effects of its own.
    """
    rng = np.random.default_rng(1)
    x = np.repeat([0.0, 1.0], [20, 8])
    z = rng.normal(size=28) + (2.0 * x if confounded else 0.0)
    design = np.column_stack([np.ones(28), x, z])
    Y = rng.normal(size=(28, 4000)) * (1 + 2 * x)[:, None] + np.outer(z, rng.normal(size=4000))
    found = array_weights(ArrayMatrix(Y), design).weights
    rates = []
    for weights in (np.ones(28), found):
        whitening = Whitening.from_weights(weights)
        fit = fit_regression(WhitenedMatrix(ArrayMatrix(Y), whitening), whitening.apply(design))
        t = fit.coef[:, 1] / np.sqrt(fit.sigma2 * fit.cov_unscaled[1, 1])
        rates.append((t_two_sided_p(t, fit.df_resid) < 0.05).mean())
    assert rates[0] > 0.09
    assert abs(rates[1] - 0.05) < 0.0105  # three standard errors


def test_recovers_group_variances() -> None:
    rng = np.random.default_rng(2)
    groups = np.repeat([0, 1, 2], 6)
    Y = rng.normal(size=(18, 4000)) * np.array([1.0, 2.0, 0.5])[groups][:, None]
    found = array_weights(ArrayMatrix(Y), np.ones((18, 1)), variance_design=np.eye(3)[groups]).weights
    np.testing.assert_allclose(found[groups == 1], found[6], rtol=1e-12)
    np.testing.assert_allclose(found[0] / found[[6, 12]], [4.0, 0.25], rtol=0.05)
    np.testing.assert_allclose(np.log(found).sum(), 0, atol=1e-10)


def test_order_scale_width_and_threads_do_not_matter() -> None:
    X, design = data("sim1").X[:, :400], pieces("sim1")["design_mod"]
    found = array_weights(ArrayMatrix(X), design).weights
    rng = np.random.default_rng(3)
    rows, columns = rng.permutation(len(X)), rng.permutation(X.shape[1])
    moved = (X * rng.uniform(1e-4, 1e4, size=X.shape[1]) + 100.0)[rows][:, columns]
    with pass_options(width=29, n_threads=2):
        again = array_weights(ArrayMatrix(moved), design[rows]).weights
    np.testing.assert_allclose(again, found[rows], rtol=1e-8)


def test_missing_values_and_weights() -> None:
    """Pooled as in limma: features with missing values are left out. One pass: weight 0 is missing."""
    X, design = data("sim2").X.copy(), pieces("sim2")["design_mod"]
    X[2, :50] = np.nan
    X[:, 60] = 3.0
    keep = np.delete(np.arange(50, X.shape[1]), 10)
    pooled = array_weights(ArrayMatrix(X), design, complete_only=True).weights
    np.testing.assert_allclose(pooled, array_weights(ArrayMatrix(X[:, keep]), design).weights, rtol=1e-9)
    own = np.where(np.isnan(X), 0.0, 2.0)
    found = array_weights_one_pass(np.nan_to_num(X), design, observation_weights=own)
    np.testing.assert_allclose(found, array_weights_one_pass(X, design), rtol=1e-9)
    assert not np.allclose(found, array_weights_one_pass(X[:, keep], design), rtol=1e-3)


def test_without_information_all_weights_are_one() -> None:
    rng = np.random.default_rng(4)
    saturated = array_weights(ArrayMatrix(rng.normal(size=(5, 30))), np.eye(5)[:, :4])
    one = array_weights(ArrayMatrix(rng.normal(size=(6, 1))), np.ones((6, 1)))
    for found in (saturated, one):
        np.testing.assert_array_equal(found.weights, 1.0)
    np.testing.assert_array_equal(array_weights_one_pass(rng.normal(size=(5, 9)), np.eye(5)[:, :4]), 1.0)


def test_bad_arguments() -> None:
    Y, ones = np.random.default_rng(5).normal(size=(6, 4)), np.ones((6, 1))
    with pytest.raises(InputError, match="6 rows"):
        array_weights(ArrayMatrix(Y), np.ones((5, 1)))
    with pytest.raises(InputError, match="apart"):
        array_weights(ArrayMatrix(Y), ones, variance_design=ones)
    with pytest.raises(InputError, match="prior_features"):
        array_weights(ArrayMatrix(Y), ones, prior_features=0)
    with pytest.raises(InputError, match="not negative"):
        array_weights_one_pass(Y, ones, observation_weights=-np.ones((6, 4)))
