"""Weighted fits and missing values against limma, single fits, and the null."""

from __future__ import annotations

import numpy as np
import pytest

from latentadj.core.matrix import ArrayMatrix
from latentadj.core.passes import pass_options
from latentadj.core.regression import RegressionFit, fit_regression
from latentadj.core.tails import t_two_sided_p
from latentadj.core.variance import squeeze_variances
from latentadj.core.weighted_regression import fit_weighted_regression
from latentadj.core.whitening import WhitenedMatrix, Whitening
from latentadj.exceptions import InputError
from tests.core.limma_pieces import STUDIES, assert_limma_fit, data, pieces

N = 200  # features that limma was given


def fit(
    Y: np.ndarray, design: np.ndarray, weights: np.ndarray | None = None, whitening: Whitening | None = None
) -> RegressionFit:
    given = None if weights is None else ArrayMatrix(weights)
    return fit_weighted_regression(ArrayMatrix(Y), design, given, whitening)


def alone(y: np.ndarray, X: np.ndarray, weights: np.ndarray, covariance: np.ndarray) -> tuple[np.ndarray, ...]:
    """Coefficients, unscaled covariance and residual variance of one feature: the formulas on its observed rows."""
    seen = np.isfinite(y) & (weights > 0)
    root = np.sqrt(weights[seen])
    lower = np.linalg.cholesky(covariance[np.ix_(seen, seen)] / np.outer(root, root))
    mapped, values = np.linalg.solve(lower, X[seen]), np.linalg.solve(lower, y[seen])
    coef, _, rank, _ = np.linalg.lstsq(mapped, values)
    assert rank == X.shape[1]
    inverse = np.linalg.inv(np.linalg.qr(mapped)[1])
    residual = values - mapped @ coef
    df = seen.sum() - rank
    return coef, inverse @ inverse.T, residual @ residual / df if df else np.array(np.nan)


def incomplete(share: float, n: int = 30, m: int = 150, d: int = 4) -> tuple[np.ndarray, ...]:
    """Values missing at random, a design with an intercept, a sample covariance and weights of observations."""
    rng = np.random.default_rng(int(100 * share) + d)
    Y = 5.0 + rng.normal(size=(n, m))
    Y[rng.uniform(size=Y.shape) < share] = np.nan
    Y[:, :10] = np.where(np.isnan(Y[:, [0]]), np.nan, rng.normal(size=(n, 10)))
    design = np.column_stack([np.ones(n), rng.normal(size=(n, d - 1))])
    blocks = np.repeat(np.arange(n // 3), 3)
    covariance = np.diag(rng.uniform(0.3, 3.0, size=n)) + 0.6 * (blocks[:, None] == blocks)
    return Y, design, covariance, rng.uniform(0.1, 4.0, size=Y.shape)


@pytest.fixture
def study() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values with a tenth missing and means of 1000, a design, weights from 0.01 to 100 with some zeros."""
    rng = np.random.default_rng(0)
    Y = 1000.0 + rng.normal(size=(14, 90))
    Y[rng.uniform(size=Y.shape) < 0.1] = np.nan
    design = np.column_stack([np.ones(14), np.repeat([0.0, 1.0], 7), rng.normal(size=14)])
    weights = np.exp(rng.uniform(-4.6, 4.6, size=Y.shape))
    weights[rng.uniform(size=Y.shape) < 0.05] = 0.0
    return Y, design, weights


@pytest.mark.parametrize("name", STUDIES)
def test_observation_weights_are_limmas(name: str) -> None:
    weights = pieces(name)["weights_thousandths"].T / 1000.0
    found = fit(data(name).X[:, :N], pieces(name)["design_mod"], weights)
    assert_limma_fit(name, "obsweights", found)


@pytest.mark.parametrize("name", STUDIES)
def test_missing_values_are_limmas(name: str) -> None:
    X = data(name).X[:, :N]
    missing = np.unpackbits(pieces(name)["na_mask"], axis=1, count=len(X)).T.astype(bool)
    assert missing.mean() == pytest.approx(0.05, abs=1e-3)
    assert_limma_fit(name, "na5pct", fit(np.where(missing, np.nan, X), pieces(name)["design_mod"]))


@pytest.mark.parametrize("weighted", [False, True])
def test_every_feature_alone(study: tuple[np.ndarray, ...], weighted: bool) -> None:
    """Plain formulas on the rows that are seen, values shifted to keep digits: 1e-10."""
    Y, design, weights = study
    found = fit(Y, design, weights if weighted else None)
    for j in range(Y.shape[1]):
        own = weights[:, j] if weighted else np.ones(len(Y))
        seen = np.isfinite(Y[:, j]) & (own > 0)
        X, y, w = design[seen], Y[seen, j] - 1000.0, own[seen]
        inverse = np.linalg.inv(X.T @ (w[:, None] * X))
        coef = inverse @ (X.T @ (w * y)) + [1000.0, 0.0, 0.0]
        rss = (w * np.square(y + 1000.0 - X @ coef)).sum()
        np.testing.assert_allclose(found.coef[j], coef, rtol=1e-10, atol=1e-9)
        np.testing.assert_allclose(found.cov_unscaled[j], inverse, rtol=1e-10, atol=1e-12)
        assert found.df_resid[j] == seen.sum() - 3
        np.testing.assert_allclose(found.sigma2[j], rss / (seen.sum() - 3), rtol=1e-9)
        np.testing.assert_allclose(found.mean[j], Y[seen, j].mean(), rtol=1e-14)


@pytest.mark.parametrize("columns", [4, 11])
@pytest.mark.parametrize("share", [0.05, 0.2])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("samples", ["alike", "weighted", "correlated"])
def test_every_feature_alone_with_any_noise(share: float, weighted: bool, samples: str, columns: int) -> None:
    Y, design, covariance, weights = incomplete(share, d=columns)
    weights = weights if weighted else np.ones_like(Y)
    variances = np.diag(covariance)
    noise, whitening = {
        "alike": (np.eye(len(Y)), None),
        "weighted": (np.diag(variances), Whitening.from_weights(1.0 / variances)),
        "correlated": (covariance, Whitening.from_covariance(covariance)),
    }[samples]
    found = fit(Y, design, weights if weighted else None, whitening)
    assert found.n_obs is not None
    np.testing.assert_array_equal(found.n_obs, np.isfinite(Y).sum(axis=0))
    np.testing.assert_array_equal(found.df_resid, found.n_obs - columns)
    for j in range(Y.shape[1]):
        coef, cov_unscaled, sigma2 = alone(Y[:, j], design, weights[:, j], noise)
        np.testing.assert_allclose(found.coef[j], coef, rtol=1e-10, atol=1e-11)
        np.testing.assert_allclose(found.cov_unscaled[j], cov_unscaled, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(found.sigma2[j], sigma2, rtol=1e-10)
        np.testing.assert_allclose(found.mean[j], np.nanmean(Y[:, j]), rtol=1e-12)


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("level", [0.0, 1e4, 1e8])
def test_digits_are_kept(level: float, intercept: bool) -> None:
    """Large means and fits that are almost exact, with and without the constant in the design."""
    Y, design, _, _ = incomplete(0.2)
    design = design if intercept else design[:, 1:]
    rng = np.random.default_rng(0)
    exact = (design * (1.0 if intercept else 1.0 + level)) @ rng.normal(size=(design.shape[1], Y.shape[1]))
    noise = np.where(np.isnan(Y), np.nan, rng.normal(size=Y.shape))
    found = fit(exact + 1e-3 * noise + (level if intercept else 0.0), design)
    size = max(level, 1.0) * 1e-15
    for j in range(Y.shape[1]):
        _, _, sigma2 = alone(noise[:, j], design, np.ones(len(Y)), np.eye(len(Y)))
        np.testing.assert_allclose(found.sigma2[j], 1e-6 * sigma2, rtol=1e-9 + 1e5 * size)


def test_features_with_hardly_any_values_are_fitted_by_their_rows() -> None:
    """As many values as columns or one more, often close to singular: least squares by SVD of the rows seen."""
    Y, design, covariance, _ = incomplete(0.0)
    rng = np.random.default_rng(1)
    order = np.argsort(rng.uniform(size=Y.shape), axis=0)
    Y[order >= 4 + np.arange(Y.shape[1]) % 2] = np.nan
    for whitening, noise in ((None, np.eye(30)), (Whitening.from_covariance(covariance), covariance)):
        found = fit(Y, design, whitening=whitening)
        for j in range(Y.shape[1]):
            coef, cov_unscaled, sigma2 = alone(Y[:, j], design, np.ones(30), noise)
            np.testing.assert_allclose(found.coef[j], coef, rtol=1e-8, atol=1e-8)
            np.testing.assert_allclose(found.cov_unscaled[j], cov_unscaled, rtol=1e-7)
            np.testing.assert_allclose(found.sigma2[j], sigma2, rtol=1e-6)


def test_a_covariance_without_gaps_is_the_whitened_fit() -> None:
    X, design = data("sim1").X[:, :300], pieces("sim1")["design_mod"]
    root = np.random.default_rng(1).normal(size=(len(X), 2 * len(X)))
    whitening = Whitening.from_covariance(root @ root.T)
    found = fit(X, design, whitening=whitening)
    common = fit_regression(WhitenedMatrix(ArrayMatrix(X), whitening), whitening.apply(design))
    np.testing.assert_allclose(found.coef, common.coef, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.sigma2, common.sigma2, rtol=1e-9)
    np.testing.assert_allclose(found.cov_unscaled, np.broadcast_to(common.cov_unscaled, (300, 3, 3)), rtol=1e-9)
    np.testing.assert_allclose(found.mean, X.mean(axis=0), rtol=1e-12)


def test_samples_of_weight_zero_are_left_out() -> None:
    Y, design, _, weights = incomplete(0.1)
    w = np.ones(len(Y))
    w[:7] = 0.0
    for own in (None, weights):
        found = fit(Y, design, own, Whitening.from_weights(w))
        other = fit(Y[7:], design[7:], None if own is None else own[7:])
        np.testing.assert_allclose(found.coef, other.coef, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(found.sigma2, other.sigma2, rtol=1e-10)
        np.testing.assert_array_equal(found.n_obs, other.n_obs)


@pytest.mark.parametrize("whitening", [None, Whitening.from_covariance(np.eye(8) + 0.3)])
def test_any_pattern_sets_the_same_columns_aside(whitening: Whitening | None) -> None:
    """All 256 patterns of eight samples: a column is set aside when the samples cannot tell it from earlier ones."""
    design = np.column_stack([np.ones(8), np.repeat([0.0, 1.0], 4), np.tile([0.0, 1.0], 4), np.arange(8) // 2])
    seen = (np.arange(256)[:, None] >> np.arange(8) & 1).astype(bool).T
    Y = np.where(seen, np.random.default_rng(0).normal(size=(8, 256)), np.nan)
    found = fit(Y, design, whitening=whitening)
    for j in range(256):
        ranks = [0] + [np.linalg.matrix_rank(design[seen[:, j], : i + 1]) for i in range(4)]
        np.testing.assert_array_equal(np.isfinite(found.coef[j]), np.diff(ranks) == 1)
        assert found.df_resid[j] == seen[:, j].sum() - ranks[-1]


def test_without_weights_or_gaps_it_is_the_common_fit() -> None:
    X, design = data("sim1").X, pieces("sim1")["design_mod"]
    found, common = fit(X, design), fit_regression(ArrayMatrix(X), design)
    np.testing.assert_allclose(found.coef, common.coef, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found.sigma2, common.sigma2, rtol=1e-10)
    np.testing.assert_allclose(found.cov_unscaled, np.broadcast_to(common.cov_unscaled, (1000, 3, 3)), rtol=1e-10)
    assert (found.df_resid == common.df_resid).all()


def test_equal_weights_within_samples_are_a_whitening() -> None:
    X, design = data("sim1").X[:, :300], pieces("sim1")["design_mod"]
    w = np.random.default_rng(1).uniform(0.1, 3, size=len(X))
    found = fit(X, design, np.broadcast_to(w[:, None], X.shape))
    whitening = Whitening.from_weights(w)
    common = fit_regression(WhitenedMatrix(ArrayMatrix(X), whitening), whitening.apply(design))
    np.testing.assert_allclose(found.coef, common.coef, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.sigma2, common.sigma2, rtol=1e-10)


def test_contrasts_use_each_features_own_covariance(study: tuple[np.ndarray, ...]) -> None:
    """A contrast's variance equals that of the coefficient in a design that has the contrast as a column."""
    Y, design, weights = study
    contrast = np.array([[0.0], [1.0], [-1.0]])
    turned = design @ np.array([[1.0, 0, 0], [0, 1, 1], [0, 0, 1]])  # coefficients: b0, b1 - b2, b2
    found, other = fit(Y, design, weights), fit(Y, turned, weights)
    np.testing.assert_allclose(found.estimate(contrast)[:, 0], other.coef[:, 1], rtol=1e-7, atol=1e-8)
    ours = found.contrast_variance(contrast, found.sigma2)[:, 0]
    np.testing.assert_allclose(ours, other.sigma2 * other.cov_unscaled[:, 1, 1], rtol=1e-8)


def test_what_a_feature_cannot_tell_is_missing() -> None:
    """A group without values, the covariate constant, one value, none, no residual degrees of freedom."""
    rng = np.random.default_rng(2)
    design = np.column_stack([np.ones(8), np.repeat([0.0, 1.0], 4), np.tile([0.0, 1.0], 4)])
    Y = rng.normal(size=(8, 6))
    Y[4:, 0] = np.nan
    Y[::2, 1] = np.nan
    Y[1:, 2] = np.nan
    Y[:, 3] = np.nan
    Y[[0, 1, 2, 5, 6], 4] = np.nan
    found = fit(Y, design)
    expected = [[0, 1, 0], [0, 0, 1], [0, 1, 1], [1, 1, 1], [0, 0, 0], [0, 0, 0]]
    np.testing.assert_array_equal(np.isnan(found.coef), np.array(expected, bool))
    np.testing.assert_array_equal(
        np.isnan(found.cov_unscaled), np.isnan(found.coef)[:, :, None] | np.isnan(found.coef)[:, None]
    )
    np.testing.assert_array_equal(found.df_resid, [2, 2, 0, 0, 0, 5])
    np.testing.assert_array_equal(np.isnan(found.sigma2), [False, False, True, True, True, False])
    np.testing.assert_allclose(found.coef[0, [0, 2]], np.linalg.lstsq(design[:4][:, [0, 2]], Y[:4, 0])[0])
    np.testing.assert_allclose(found.coef[2, 0], Y[0, 2])
    aliased = fit(Y, np.column_stack([design, 1.0 - design[:, 1]]))
    np.testing.assert_allclose(aliased.coef[:, :3], found.coef)
    assert np.isnan(aliased.coef[:, 3]).all()


def test_constant_features_are_marked() -> None:
    Y = np.random.default_rng(3).normal(size=(6, 3))
    Y[:, 0] = 0.1
    Y[1:4, 1], Y[[0, 4, 5], 1] = 7.3, np.nan
    found = fit(Y, np.ones((6, 1)))
    np.testing.assert_array_equal(found.constant, [True, True, False])


def test_order_width_and_threads_do_not_matter(study: tuple[np.ndarray, ...]) -> None:
    Y, design, weights = study
    first = fit(Y, design, weights)
    rng = np.random.default_rng(4)
    rows, columns = rng.permutation(len(Y)), rng.permutation(Y.shape[1])
    with pass_options(width=7, n_threads=2):
        again = fit(Y[rows][:, columns], design[rows], weights[rows][:, columns] * 3.0)
    np.testing.assert_allclose(again.coef, first.coef[columns], rtol=1e-9, atol=1e-8)
    np.testing.assert_allclose(again.sigma2, 3.0 * first.sigma2[columns], rtol=1e-9)
    np.testing.assert_array_equal(again.df_resid, first.df_resid[columns])


@pytest.mark.parametrize("confounded", [False, True])
def test_type_one_error(confounded: bool) -> None:
    """Known weights and 15 % missing, moderated tests of 4000 null features; without the weights the tests are wrong.

    The second group is measured worse; with confounding a covariate with effects goes with it.
    """
    rng = np.random.default_rng(5)
    x = np.repeat([0.0, 1.0], [15, 6])
    z = rng.normal(size=21) + (2.0 * x if confounded else 0.0)
    design = np.column_stack([np.ones(21), x, z])
    weights = rng.uniform(0.3, 3.0, size=(21, 4000)) * np.where(x, 0.1, 1.0)[:, None]
    scale = 2.0 / np.sqrt(rng.chisquare(10, size=4000))
    Y = rng.normal(size=weights.shape) / np.sqrt(weights) * scale + np.outer(z, rng.normal(size=4000))
    Y[rng.uniform(size=Y.shape) < 0.15] = np.nan
    rates = []
    for used in (None, weights):
        found = fit(Y, design, used)
        prior = squeeze_variances(found.sigma2, found.df_resid)
        t = found.coef[:, 1] / np.sqrt(prior.s2_post * found.cov_unscaled[:, 1, 1])
        p = t_two_sided_p(t, prior.df_total)
        rates.append((p[np.isfinite(p)] < 0.05).mean())
    assert rates[0] > 0.08
    assert abs(rates[1] - 0.05) < 0.0105  # three standard errors


def test_flipped_factors_flip_every_features_covariance(study: tuple[np.ndarray, ...]) -> None:
    Y, design, weights = study
    found = fit(Y, design, weights).with_flipped_factors(np.array([-1.0]))
    other = fit(Y, design * [1, 1, -1], weights)
    np.testing.assert_allclose(found.coef, other.coef, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.cov_unscaled, other.cov_unscaled, rtol=1e-9, atol=1e-12)


def test_bad_arguments(study: tuple[np.ndarray, ...]) -> None:
    Y, design, weights = study
    with pytest.raises(InputError, match="14 rows"):
        fit(Y, design[:5])
    with pytest.raises(InputError, match="samples by features"):
        fit(Y, design, weights[:, :4])
    with pytest.raises(InputError, match="not negative"):
        fit(Y, design, -weights - 1)
    with pytest.raises(InputError, match="9 samples and the data have 14"):
        fit(Y, design, whitening=Whitening.from_weights(np.ones(9)))
