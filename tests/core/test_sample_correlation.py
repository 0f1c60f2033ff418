"""Correlation within blocks against limma's duplicateCorrelation, dense likelihoods and simulated truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize

import latentadj as la
from latentadj.core.matrix import ArrayMatrix
from latentadj.core.passes import pass_options
from latentadj.core.regression import RegressionFit, design_basis, fit_regression
from latentadj.core.sample_correlation import (
    BlockCorrelation,
    block_correlation,
    block_covariance,
    trimmed_mean_correlation,
)
from latentadj.core.tails import t_two_sided_p
from latentadj.core.whitening import WhitenedMatrix, Whitening
from latentadj.exceptions import DesignError, InputError
from latentadj.problem import AdjustmentProblem
from tests.core.limma_pieces import STUDIES, assert_limma_fit, block, data, pieces

N = 1000  # features that limma was given


def correlated(name: str) -> BlockCorrelation:
    return block_correlation(ArrayMatrix(data(name).X[:, :N]), design_basis(pieces(name)["design_mod"]), block(name))


def deviance(y: np.ndarray, design: np.ndarray, blocks: np.ndarray, rho: float) -> float:
    """Minus twice the restricted log-likelihood, variance profiled out, by dense matrices."""
    covariance = np.where(blocks[:, None] == blocks, rho, 0.0) + (1 - rho) * np.eye(len(y))
    inverse = np.linalg.inv(covariance)
    information = design.T @ inverse @ design
    residual = y - design @ np.linalg.solve(information, design.T @ inverse @ y)
    logs = np.linalg.slogdet(covariance)[1] + np.linalg.slogdet(information)[1]
    return float((len(y) - design.shape[1]) * np.log(residual @ inverse @ residual) + logs)


@pytest.mark.parametrize("name", ["sim1", "sim2"])
def test_is_duplicate_correlation(name: str) -> None:
    """Blocks of two: limma's scoring converges, and the two agree to round-off (measured 1e-12)."""
    found, stored = correlated(name), pieces(name)
    z = stored["dupcor_atanh"].ravel()
    np.testing.assert_allclose(np.arctanh(found.correlation[: len(z)]), z, rtol=0, atol=1e-10)
    np.testing.assert_allclose(found.consensus, stored["dupcor_consensus"], rtol=1e-10)


def test_is_duplicate_correlation_or_more_likely() -> None:
    """Five unequal blocks: limma stops after 20 steps or a change of 1e-6; where it differs, it is less likely."""
    found, stored = correlated("bladderbatch"), pieces("bladderbatch")
    theirs = np.tanh(stored["dupcor_atanh"].ravel())
    ours = found.correlation[: len(theirs)]
    assert np.median(np.abs(ours - theirs)) < 2e-5
    np.testing.assert_allclose(found.consensus, stored["dupcor_consensus"], atol=1e-4)
    X, design, blocks = data("bladderbatch").X, stored["design_mod"], block("bladderbatch")
    differ = np.flatnonzero(np.abs(ours - theirs) > 1e-4)
    assert 0 < len(differ) < 60
    for j in differ:
        assert deviance(X[:, j], design, blocks, ours[j]) <= deviance(X[:, j], design, blocks, theirs[j]) + 1e-9


def test_is_the_dense_maximum() -> None:
    """Unequal blocks and a covariate; a bounded scalar search finds the place to the root of round-off."""
    rng = np.random.default_rng(0)
    blocks = np.repeat(np.arange(8), [1, 2, 3, 4, 1, 2, 5, 3])
    n = len(blocks)
    design = np.column_stack([np.ones(n), rng.normal(size=n)])
    Y = rng.normal(size=(n, 12)) + rng.uniform(0, 1.5, size=12) * rng.normal(size=(8, 12))[blocks] + 50.0
    found = block_correlation(ArrayMatrix(Y), design_basis(design), blocks).correlation
    limits = (-1 / 4 + 0.01, 0.99)
    for j in range(12):
        grid = np.linspace(*limits, 400)
        start = grid[np.argmin([deviance(Y[:, j], design, blocks, r) for r in grid])]
        bounds = max(start - 0.01, limits[0]), min(start + 0.01, limits[1])
        best = optimize.minimize_scalar(
            lambda r, j=j: deviance(Y[:, j], design, blocks, r),
            bounds=bounds,
            method="bounded",
            options={"xatol": 1e-9},
        )
        np.testing.assert_allclose(found[j], best.x, atol=3e-7)


@pytest.mark.parametrize("name", STUDIES)
def test_generalised_least_squares_is_limmas(name: str) -> None:
    """From limma's consensus; ten stored digits."""
    stored, X = pieces(name), data(name).X[:, :N]
    whitening = Whitening.from_covariance(block_covariance(block(name), float(stored["dupcor_consensus"])))
    fit = fit_regression(WhitenedMatrix(ArrayMatrix(X), whitening), whitening.apply(stored["design_mod"]))
    assert_limma_fit(name, "dupcor", replace(fit, mean=X.mean(axis=0)))


def test_the_whitened_problem_is_limmas() -> None:
    """From the data on, through the object that every method works on."""
    stored, X = pieces("sim1"), data("sim1").X[:, :N]
    design = la.Design.from_formula("~ x + age", data("sim1").sample_data)
    problem = AdjustmentProblem(ArrayMatrix(X), design)
    found = block_correlation(problem.matrix, problem.basis, block("sim1"))
    whitened = problem.whitened(Whitening.from_covariance(block_covariance(block("sim1"), found.consensus)))
    order = [list(design.names).index(key) for key in ("Intercept", "x", "age")]
    fit: RegressionFit = whitened.fit
    reordered = replace(fit, coef=fit.coef[:, order], cov_unscaled=fit.cov_unscaled[np.ix_(order, order)])
    np.testing.assert_allclose(design.matrix[:, order], stored["design_mod"])
    assert_limma_fit("sim1", "dupcor", reordered)


@pytest.mark.parametrize("confounded", [False, True])
def test_type_one_error_with_blocks(confounded: bool) -> None:
    """A variable constant within blocks, tested with half of the variance between blocks.

    1500 null features; the plain fit is far too liberal. With confounding, the blocks differ in a covariate as well.
    """
    rng = np.random.default_rng(1)
    blocks = np.repeat(np.arange(40), 3)
    x = np.repeat(np.arange(40) % 2, 3).astype(float)
    z = rng.normal(size=120) + (x if confounded else 0.0)
    design = np.column_stack([np.ones(120), x, z])
    Y = rng.normal(size=(120, 1500)) + rng.normal(size=(40, 1500))[blocks] + np.outer(z, rng.normal(size=1500))
    found = block_correlation(ArrayMatrix(Y), design_basis(design), blocks)
    assert abs(found.consensus - 0.5) < 0.03
    rates = []
    for covariance in (np.eye(120), block_covariance(blocks, found.consensus)):
        whitening = Whitening.from_covariance(covariance)
        fit = fit_regression(WhitenedMatrix(ArrayMatrix(Y), whitening), whitening.apply(design))
        t = fit.coef[:, 1] / np.sqrt(fit.sigma2 * fit.cov_unscaled[1, 1])
        rates.append((t_two_sided_p(t, fit.df_resid) < 0.05).mean())
    assert rates[0] > 0.1
    assert abs(rates[1] - 0.05) < 0.017  # three standard errors


@pytest.mark.parametrize("truth", [-0.3, 0.0, 0.4, 0.9])
def test_recovers_the_truth(truth: float) -> None:
    rng = np.random.default_rng(2)
    blocks = np.repeat(np.arange(30), 3)
    root = np.linalg.cholesky(block_covariance(blocks, truth))
    Y = root @ rng.normal(size=(90, 800)) * rng.uniform(0.5, 3, size=800)
    found = block_correlation(ArrayMatrix(Y), design_basis(np.ones((90, 1))), blocks)
    assert abs(found.consensus - truth) < 0.02


def test_order_scale_width_and_threads_do_not_matter() -> None:
    X, design, blocks = data("sim1").X[:, :300], pieces("sim1")["design_mod"], block("sim1")
    first = block_correlation(ArrayMatrix(X), design_basis(design), blocks)
    rng = np.random.default_rng(3)
    rows, columns = rng.permutation(len(X)), rng.permutation(X.shape[1])
    moved = X[rows][:, columns] * 1e3 + 7.0
    with pass_options(width=37, n_threads=2):
        again = block_correlation(
            ArrayMatrix(moved), design_basis(design[rows]), np.char.add("b", blocks[rows].astype(str))
        )
    np.testing.assert_allclose(again.correlation, first.correlation[columns], rtol=0, atol=1e-9)
    np.testing.assert_allclose(again.consensus, first.consensus, atol=1e-10)


def test_perfectly_alike_and_opposite_samples_stop_at_the_limits() -> None:
    rng = np.random.default_rng(4)
    blocks = np.repeat(np.arange(10), 2)
    alike = rng.normal(size=10)[blocks]
    opposite = rng.normal(size=10)[blocks] * np.tile([1, -1], 10)
    noise = 1e-4 * rng.normal(size=(20, 2))
    Y = np.column_stack([alike, opposite]) + noise
    found = block_correlation(ArrayMatrix(Y), design_basis(np.ones((20, 1))), blocks).correlation
    np.testing.assert_allclose(found, [0.99, -0.99], rtol=1e-12)


def test_without_information_the_correlation_is_zero() -> None:
    Y = ArrayMatrix(np.random.default_rng(5).normal(size=(12, 30)))
    alone = block_correlation(Y, design_basis(np.ones((12, 1))), np.arange(12))
    blocks = np.repeat(np.arange(4), 3)
    in_design = block_correlation(Y, design_basis(np.eye(4)[blocks]), blocks)
    one = block_correlation(Y, design_basis(np.ones((12, 1))), np.zeros(12))
    one_pair = block_correlation(Y, design_basis(np.ones((12, 1))), np.r_[0, np.arange(11)])
    for found in (alone, in_design, one, one_pair):
        assert not found.estimable
        assert found.consensus == 0
        assert (found.correlation == 0).all()


@pytest.mark.parametrize("name", ["sim1", "sim2"])
def test_missing_values_as_limma_or_more_likely(name: str) -> None:
    """A twentieth missing. Blocks are unequal now, and limma stops early (median difference 5e-6 at most).

    One feature of sim2 has two maxima of which limma's scoring takes the lower one.
    """
    X, design, blocks = data(name).X[:, :120].copy(), pieces(name)["design_mod"], block(name)
    i, j = np.arange(1, 121), np.arange(1, len(X) + 1)[:, None]
    X[(7 * i + 13 * j + i * j) % 19 == 0] = np.nan
    found = block_correlation(ArrayMatrix(X), design_basis(design), blocks)
    theirs = np.tanh(pieces(name)["dupcor_missing"][1:])
    apart = np.abs(found.correlation - theirs)
    assert np.median(apart) < 5e-6
    assert np.isfinite(found.correlation).all()
    differ = np.flatnonzero(apart > 0.01)
    assert len(differ) == {"sim1": 0, "sim2": 1}[name]
    for k in np.flatnonzero(apart > 1e-6):
        seen = np.isfinite(X[:, k])
        ours, other = (deviance(X[seen, k], design[seen], blocks[seen], r[k]) for r in (found.correlation, theirs))
        assert ours <= other + 1e-9
    if len(differ) == 0:
        np.testing.assert_allclose(found.consensus, pieces(name)["dupcor_missing"][0], atol=1e-5)


def test_missing_values_are_deleted_rows() -> None:
    """A feature with missing values equals the same feature in a study without those samples."""
    rng = np.random.default_rng(7)
    blocks = np.repeat(np.arange(7), [1, 2, 3, 4, 2, 2, 4])
    design = np.column_stack([np.ones(18), rng.normal(size=18), rng.normal(size=18)])
    Y = rng.normal(size=(18, 30)) + rng.normal(size=(7, 30))[blocks] + 20.0
    Y[rng.uniform(size=Y.shape) < 0.12] = np.nan
    Y[:8, 0], Y[::2, 1] = np.nan, np.nan
    with pass_options(width=7, n_threads=2):
        found = block_correlation(ArrayMatrix(Y), design_basis(design), blocks).correlation
    assert np.isnan(found[1])  # eight values in seven blocks
    for k in np.delete(np.arange(30), 1):
        seen = np.isfinite(Y[:, k])
        largest = np.bincount(blocks[seen]).max()
        alone = block_correlation(ArrayMatrix(Y[seen][:, [k]]), design_basis(design[seen]), blocks[seen]).correlation[0]
        lowest = -1 / 3 + 0.01  # the limit of the whole study, whose largest block has 4 samples
        if largest == 4 or alone > lowest:
            np.testing.assert_allclose(found[k], alone, atol=1e-9)
        else:
            assert found[k] == pytest.approx(lowest)


def test_constant_features_and_features_with_few_values_are_left_out() -> None:
    X = data("sim2").X.copy()
    X[4:, 0], X[:, 1], X[:, 2], X[0, 2] = np.nan, 4.0, 5.0, np.nan
    basis, blocks = design_basis(pieces("sim2")["design_mod"]), block("sim2")
    found = block_correlation(ArrayMatrix(X), basis, blocks)
    assert np.isnan(found.correlation[:3]).all()
    rest = block_correlation(ArrayMatrix(X[:, 3:]), basis, blocks)
    np.testing.assert_allclose(found.correlation[3:], rest.correlation, atol=1e-10)
    np.testing.assert_allclose(found.consensus, rest.consensus, atol=1e-10)
    assert trimmed_mean_correlation([np.nan]) == 0


def test_bad_arguments() -> None:
    Y = ArrayMatrix(np.random.default_rng(6).normal(size=(6, 4)))
    basis = design_basis(np.ones((6, 1)))
    with pytest.raises(InputError, match="one label per sample"):
        block_correlation(Y, basis, [1, 2])
    with pytest.raises(InputError, match="trim"):
        block_correlation(Y, basis, [1, 1, 2, 2, 3, 3], trim=0.5)
    with pytest.raises(DesignError, match="degrees of freedom"):
        block_correlation(Y, design_basis(np.eye(6)[:, :4]), [1, 1, 2, 2, 3, 3])
    with pytest.raises(InputError, match=r"between -0\.5 and 1"):
        block_covariance([1, 1, 1, 2], -0.5)
