"""Blocks and known covariances of samples, in one pipeline with the hidden factors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import cholesky, solve_triangular

import latentadj as la
from latentadj.core.matrix import ArrayMatrix
from latentadj.core.regression import design_basis
from latentadj.core.sample_correlation import block_correlation
from latentadj.exceptions import AlignmentError, BlockCorrelationWarning, InputError, MethodError
from latentadj.sample_weights import BlockNoise, GivenCovariance

N_BLOCKS, M = 30, 1500
BLOCKS = np.repeat(np.arange(N_BLOCKS), 2)
WITHIN, BETWEEN = np.tile([0, 1], N_BLOCKS), np.repeat(np.arange(N_BLOCKS) % 2, 2)


def study(rng: np.random.Generator, rho: float, x: np.ndarray, *, factor: float = 1.0) -> np.ndarray:
    """Null features with noise correlated in blocks and one factor that follows blocks and x."""
    noise = np.sqrt(rho) * rng.normal(size=(N_BLOCKS, M))[BLOCKS] + np.sqrt(1 - rho) * rng.normal(size=(len(x), M))
    hidden = rng.normal(size=N_BLOCKS)[BLOCKS] + 0.6 * x + 0.2 * rng.normal(size=len(x))
    return noise + factor * np.outer(hidden, rng.normal(size=M))


def test_the_correlation_is_estimated_beside_a_factor_that_follows_the_blocks():
    X = study(np.random.default_rng(0), 0.3, WITHIN)
    naive = block_correlation(ArrayMatrix(X), design_basis(np.column_stack([np.ones(60), WITHIN])), BLOCKS)
    res = la.adjust(X, la.Design.from_arrays(WITHIN), blocks=BLOCKS)
    assert naive.consensus > 0.45
    assert res.n_factors == 1
    assert res.block_correlation == pytest.approx(0.3, abs=0.04)


@pytest.mark.parametrize("x", [WITHIN, BETWEEN], ids=["within", "between"])
@pytest.mark.parametrize("method", ["cate", "sva"])
def test_type_one_error_with_blocks_and_a_confounding_factor(x, method):
    """Without the blocks it is .00 (within) or .15 and more (between); six studies of 1,500 nulls."""
    rates, blind = [], []
    for seed in range(6):
        X = study(np.random.default_rng(seed), 0.5, x)
        res = la.adjust(X, la.Design.from_arrays(x), blocks=BLOCKS, method=method)
        rates.append(np.mean(res.tests.p_value < 0.05))
        blind.append(np.mean(la.adjust(X, la.Design.from_arrays(x), method=method, n_factors=1).tests.p_value < 0.05))
    assert 0.035 < np.mean(rates) < 0.068
    assert np.mean(blind) < 0.025 or np.mean(blind) > 0.08


def test_without_a_correlation_nothing_changes():
    X = study(np.random.default_rng(3), 0.0, WITHIN)
    res = la.adjust(X, la.Design.from_arrays(WITHIN), blocks=BLOCKS, method="cate")
    plain = la.adjust(X, la.Design.from_arrays(WITHIN), method="cate")
    assert abs(res.block_correlation) < 0.02
    np.testing.assert_allclose(res.tests.estimate, plain.tests.estimate, atol=0.05)


def test_blocks_by_name_by_series_and_by_array_are_the_same():
    X = pd.DataFrame(study(np.random.default_rng(1), 0.4, WITHIN)).set_axis([f"s{i}" for i in range(60)])
    table = pd.DataFrame({"x": WITHIN, "person": BLOCKS}, index=X.index).sample(frac=1, random_state=0)
    given = ["person", table["person"], BLOCKS, BlockNoise(BLOCKS)]
    found = [la.adjust(X, "~ x", table, blocks=blocks, n_factors=1).tests.statistic for blocks in given]
    for other in found[1:]:
        np.testing.assert_array_equal(found[0], other)


def test_blocks_that_are_in_the_design_say_nothing():
    X = study(np.random.default_rng(1), 0.4, WITHIN)
    table = pd.DataFrame({"x": WITHIN, "person": BLOCKS.astype(str)})
    with pytest.warns(BlockCorrelationWarning):
        res = la.adjust(X, "~ x | person", table, blocks="person", method="none")
    assert res.block_correlation == 0


def test_a_known_covariance_equals_generalised_least_squares_by_hand():
    rng = np.random.default_rng(5)
    root = rng.normal(size=(60, 80))
    V = root @ root.T / 80 + 0.2 * np.eye(60)
    X = cholesky(V, lower=True) @ rng.normal(size=(60, 40))
    design = np.column_stack([np.ones(60), WITHIN])
    lower = cholesky(V / np.diag(V).mean(), lower=True)
    mapped, Y = (solve_triangular(lower, part, lower=True) for part in (design, X))
    coef, rss, _, _ = np.linalg.lstsq(mapped, Y)
    se = np.sqrt(rss / 58 * np.linalg.inv(mapped.T @ mapped)[1, 1])
    res = la.adjust(X, la.Design.from_arrays(WITHIN), method="none", sample_covariance=V, inference="ordinary")
    np.testing.assert_allclose(res.tests.estimate[:, 0], coef[1], rtol=1e-9)
    np.testing.assert_allclose(res.tests.std_error[:, 0], se, rtol=1e-9)


def test_a_covariance_is_aligned_by_sample_id():
    rng = np.random.default_rng(6)
    ids = [f"s{i}" for i in range(60)]
    V = pd.DataFrame(0.5 * (BLOCKS[:, None] == BLOCKS) + 0.5 * np.eye(60), index=ids, columns=ids)
    X = pd.DataFrame(rng.normal(size=(60, 50)), index=ids)
    table = pd.DataFrame({"x": WITHIN}, index=ids)
    shuffled = V.sample(frac=1, random_state=0).sample(frac=1, axis=1, random_state=1)
    a = la.adjust(X, "~ x", table, method="none", sample_covariance=V)
    b = la.adjust(X, "~ x", table, method="none", sample_covariance=shuffled)
    np.testing.assert_allclose(a.tests.statistic, b.tests.statistic, rtol=1e-12)
    with pytest.raises(AlignmentError, match="s7"):
        la.adjust(X, "~ x", table, method="none", sample_covariance=V.drop(index="s7"))


@pytest.mark.parametrize(
    ("covariance", "message"),
    [
        (np.ones((60, 60)), "not positive definite"),
        (np.eye(59), "shape"),
        (np.triu(np.ones((60, 60))), "symmetric"),
        (np.full((60, 60), np.nan), "symmetric"),
    ],
)
def test_covariances_that_cannot_be_used(covariance, message):
    X = np.random.default_rng(0).normal(size=(60, 20))
    with pytest.raises(InputError, match=message):
        la.adjust(X, la.Design.from_arrays(WITHIN), method="none", sample_covariance=covariance)


def test_kinship_with_a_confounding_factor_keeps_the_level():
    """Relatives of four; the factor follows x. Without the covariance the level is missed."""
    family = np.repeat(np.arange(15), 4)
    V = 0.6 * (family[:, None] == family) + 0.4 * np.eye(60)
    x = (np.arange(15) % 2)[family]
    rates, blind = [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        hidden = rng.normal(size=60) + 0.8 * x
        X = cholesky(V, lower=True) @ rng.normal(size=(60, M)) + np.outer(hidden, rng.normal(size=M))
        design = la.Design.from_arrays(x)
        rates.append(np.mean(la.adjust(X, design, method="cate", sample_covariance=V).tests.p_value < 0.05))
        blind.append(np.mean(la.adjust(X, design, method="cate", n_factors=1).tests.p_value < 0.05))
    assert 0.035 < np.mean(rates) < 0.065
    assert np.mean(blind) > 0.1


def test_what_does_not_go_together_is_said():
    rng = np.random.default_rng(0)
    X, design = rng.poisson(20, size=(60, 50)), la.Design.from_arrays(WITHIN)
    with pytest.raises(MethodError, match="not both"):
        la.adjust(X, design, blocks=BLOCKS, sample_covariance=np.eye(60))
    with pytest.raises(MethodError, match="least squares"):
        la.adjust(X, design, model="negative_binomial", n_factors=1, blocks=BLOCKS)
    with pytest.raises(MethodError, match="least squares"):
        la.adjust(X, design, method="gcate", n_factors=1, sample_covariance=np.eye(60))
    with pytest.raises(InputError, match="one label per sample"):
        la.adjust(X + 0.5, design, blocks=np.column_stack([BLOCKS, BLOCKS]))


def test_a_given_covariance_is_an_estimator():
    from sklearn.base import clone

    assert clone(GivenCovariance(np.eye(3))).covariance.shape == (3, 3)
    assert clone(BlockNoise(BLOCKS, trim=0.1)).trim == 0.1
