"""Statistics of rearranged residuals against explicit refits, and p-values against loops."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from latentadj.core.matrix import ArrayMatrix
from latentadj.core.passes import pass_options, run_pass
from latentadj.core.regression import design_basis
from latentadj.core.resampling import ResamplingKernel, VarianceRule, inflation, null_geometry
from latentadj.core.resampling_draws import (
    GatherDraws,
    MultiplierDraws,
    RotationDraws,
    multipliers,
    permutations,
    resamples,
    rotations,
    signs,
)
from latentadj.core.resampling_pvalues import Exceedances
from latentadj.core.resampling_robust import RobustResamplingKernel
from latentadj.core.sandwich import sandwich_covariance, sandwich_scores

N, M, B = 18, 7, 12
RNG = np.random.default_rng(5)
X = np.column_stack([np.ones(N), RNG.normal(size=N), np.repeat([0.0, 1.0], 9), RNG.normal(size=N)])
Y = 100.0 + RNG.normal(size=(N, M))
ONE = np.array([[0.0], [0.0], [1.0], [0.0]])
TWO = np.eye(4)[:, 2:]
RULE = VarianceRule(3.0, 0.7)


def draws_of(kind: str) -> GatherDraws | MultiplierDraws:
    rng = np.random.default_rng(9)
    if kind == "permutation":
        return GatherDraws(permutations(B, N, rng))
    if kind == "resample":
        return GatherDraws(resamples(B, N, rng), replacement=True)
    groups = np.arange(N) // 3
    return MultiplierDraws(signs(B, groups, rng) if kind == "sign" else multipliers(B, groups, rng))


def explicit(values: np.ndarray, contrasts: np.ndarray, rule: VarianceRule) -> np.ndarray:
    """t statistics, or roots of F, of every feature by normal equations."""
    inverse = np.linalg.inv(X.T @ X)
    coef = inverse @ X.T @ values
    df = N - X.shape[1]
    s2 = np.sum((values - X @ coef) ** 2, axis=0) / df
    s2 = (rule.df_prior * rule.s2_prior + df * s2) / (rule.df_prior + df)
    estimate, spread = contrasts.T @ coef, contrasts.T @ inverse @ contrasts
    if contrasts.shape[1] == 1:
        return estimate[0] / np.sqrt(s2 * spread[0, 0])
    return np.sqrt(np.einsum("im,ij,jm->m", estimate, np.linalg.inv(spread), estimate) / (len(estimate) * s2))


def null_fit(contrasts: np.ndarray) -> np.ndarray:
    """Basis of the design without the tested columns."""
    return np.linalg.qr(X[:, ~np.any(contrasts != 0, axis=1)])[0]


@pytest.mark.parametrize("kind", ["permutation", "resample", "sign", "webb"])
@pytest.mark.parametrize("contrasts", [ONE, TWO])
def test_statistics_are_those_of_refits(kind: str, contrasts: np.ndarray) -> None:
    draws, q0 = draws_of(kind), null_fit(contrasts)
    kernel = ResamplingKernel(null_geometry(X, contrasts), draws, M, RULE)
    (found,) = run_pass(ArrayMatrix(Y), kernel)
    fitted = q0 @ (q0.T @ Y)
    residual = inflation(q0) * (Y - fitted)
    expected = [explicit(fitted + draws.apply(b, residual), contrasts, RULE) for b in range(B)]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_draws_about_the_estimate() -> None:
    """Residuals of the whole design: the statistic of the estimate's deviation from the truth of the draws."""
    draws = draws_of("resample")
    geometry = null_geometry(X, ONE)
    kernel = ResamplingKernel(geometry, draws, M, VarianceRule(), null_imposed=False, level=0.9)
    found = run_pass(ArrayMatrix(Y), kernel)[0]
    q = np.linalg.qr(X)[0]
    residual = Y - q @ (q.T @ Y)
    size = np.abs([explicit(draws.apply(b, residual), ONE, VarianceRule()) for b in range(B)])
    np.testing.assert_allclose(found[0], np.quantile(size, 0.9, axis=0, method="higher"), rtol=1e-9)


@pytest.mark.parametrize("arrangement", ["webb", "sign", "permutation", "resample"])
@pytest.mark.parametrize("kind", ["cr2", "hc3"])
def test_robust_statistics_are_those_of_refits(kind: str, arrangement: str) -> None:
    clusters = np.arange(N) // 3 if kind == "cr2" else None
    scores, draws = sandwich_scores(design_basis(X), kind, clusters), draws_of(arrangement)
    q0 = null_fit(ONE)
    (found,) = run_pass(ArrayMatrix(Y), RobustResamplingKernel(scores, ONE, q0, draws, M, RULE, N - 4.0))
    for b in range(B):
        values = draws.apply(b, inflation(q0) * (Y - q0 @ (q0.T @ Y)))
        coef = np.linalg.lstsq(X, values, rcond=None)[0]
        s2 = np.sum((values - X @ coef) ** 2, axis=0) / (N - 4)
        ratio = (3 * 0.7 + (N - 4) * s2) / (3 + N - 4) / s2
        variance = ratio * sandwich_covariance(ArrayMatrix(values), scores)[:, 2, 2]
        np.testing.assert_allclose(found[b], coef[2] / np.sqrt(variance), rtol=1e-8)


def test_rotations_of_any_data_give_students_distribution() -> None:
    """Whatever the data, the statistic of a uniformly random rotation is exactly t: 4000 draws, KS at 1 %."""
    geometry = null_geometry(X, ONE)
    draws = RotationDraws(rotations(4000, 1, geometry.left(), np.random.default_rng(2)))
    odd = np.exp(3 * np.random.default_rng(3).normal(size=(N, 1)))
    (found,) = run_pass(ArrayMatrix(odd), ResamplingKernel(geometry, draws, 1, VarianceRule(), inflated=False))
    assert stats.kstest(found[:, 0], stats.t(N - 4).cdf).pvalue > 0.01


def test_rotated_directions_are_orthonormal_and_outside_the_null_model() -> None:
    geometry = null_geometry(X, TWO)
    turned = rotations(5, 2, geometry.left(), np.random.default_rng(0))
    np.testing.assert_allclose(turned @ turned.transpose(0, 2, 1), np.broadcast_to(np.eye(2), (5, 2, 2)), atol=1e-12)
    np.testing.assert_allclose(turned @ geometry.reduced, 0.0, atol=1e-12)


def test_dependent_columns_do_not_change_the_geometry() -> None:
    wide = np.column_stack([X, X[:, 1] + X[:, 2]])
    plain, more = null_geometry(X, ONE), null_geometry(wide, np.vstack([ONE, [[0.0]]]))
    np.testing.assert_allclose(more.tested, plain.tested, atol=1e-12)
    assert (more.length, more.df_resid) == (pytest.approx(plain.length), plain.df_resid)


def test_blocks_do_not_matter() -> None:
    kernel = lambda: ResamplingKernel(null_geometry(X, ONE), draws_of("permutation"), M, RULE)  # noqa: E731
    (plain,) = run_pass(ArrayMatrix(Y), kernel())
    with pass_options(width=2, n_threads=2):
        np.testing.assert_allclose(run_pass(ArrayMatrix(Y), kernel())[0], plain, rtol=1e-11)


def test_permutations_stay_within_labels() -> None:
    labels = np.array([0, 1, 0, 2, 1, 0, 2])
    found = permutations(200, 7, np.random.default_rng(0), labels)
    assert (labels[found] == labels).all()
    assert (np.sort(found, axis=1) == np.arange(7)).all()
    assert len({tuple(row[labels == 0]) for row in found}) == 6, "all orders of three samples"
    again = resamples(200, 7, np.random.default_rng(0), labels)
    assert (labels[again] == labels).all()
    assert np.any(np.sort(again, axis=1) != np.arange(7))


@pytest.mark.parametrize("n_groups", [5, 40])
def test_multipliers_have_mean_zero_and_unit_variance(n_groups: int) -> None:
    found = multipliers(40_000, np.repeat(np.arange(n_groups), 2), np.random.default_rng(1))
    assert (found[:, ::2] == found[:, 1::2]).all(), "a cluster shares its multiplier"
    assert abs(found.mean()) < 0.01
    assert abs(np.square(found).mean() - 1) < 0.01
    assert len(np.unique(found)) == (6 if n_groups == 5 else 2)


def test_p_values_against_loops() -> None:
    rng = np.random.default_rng(4)
    observed, null = rng.normal(size=6), rng.normal(size=(50, 6))
    observed[2] = np.nan
    null[3, 1] = observed[1]
    counts = Exceedances(observed)
    counts.add(null[:20])
    counts.add(null[20:])
    tested = [j for j in range(6) if j != 2]
    ranked = sorted(tested, key=lambda j: -abs(observed[j]))
    previous = 0.0
    for rank, j in enumerate(ranked):
        assert counts.p_value()[j] == (np.sum(np.abs(null[:, j]) >= abs(observed[j])) + 1) / 51
        pooled = np.sum(np.abs(null[:, tested]) >= abs(observed[j]))
        assert counts.p_pooled()[j] == pytest.approx((pooled + 1) / (50 * 5 + 1))
        largest = np.abs(null[:, ranked[rank:]]).max(axis=1)
        previous = max(previous, (np.sum(largest >= abs(observed[j])) + 1) / 51)
        assert counts.p_max()[j] == pytest.approx(previous)
    for found in (counts.p_value(), counts.p_pooled(), counts.p_max()):
        assert np.isnan(found[2])
