"""Completed matrices: what is filled in, how noisy it is, and what factors and their number make of it."""

from __future__ import annotations

import numpy as np
import pytest

import latentadj as la
from latentadj.core.completed_matrix import CompletedMatrix
from latentadj.core.completion import Completion, complete, largest_sine
from latentadj.core.completion_step import CompletionKernel
from latentadj.core.content_noise import mixed, normal_noise, value_keys
from latentadj.core.matrix import ArrayMatrix, collect
from latentadj.core.passes import pass_options, run_pass
from latentadj.core.regression import DesignBasis, design_basis
from latentadj.core.spectrum import residual_spectrum
from latentadj.core.whitening import WhitenedMatrix, Whitening
from latentadj.num_factors import ParallelAnalysis
from latentadj.problem import AdjustmentProblem
from latentadj.simulation import Scenario, SimulatedStudy, simulate


def lazy(Y: np.ndarray) -> WhitenedMatrix:
    """The same values as a view, which is completed as it is read."""
    return WhitenedMatrix(ArrayMatrix(Y), Whitening(np.ones(len(Y))))


def study(seed: int = 0, **options: object) -> SimulatedStudy:
    settings = {"n_samples": 60, "n_features": 800, "n_factors": 2, **options}
    return simulate(Scenario(**settings), np.random.default_rng(seed))  # type: ignore[arg-type]


def without(Y: np.ndarray, share: np.ndarray | float, seed: int = 1) -> np.ndarray:
    return np.where(np.random.default_rng(seed).uniform(size=Y.shape) < share, np.nan, Y)


def uneven(n: int) -> np.ndarray:
    """Half of every fourth sample missing, hardly anything of the others."""
    return np.where(np.arange(n) % 4 == 0, 0.5, 0.02)[:, None]


def basis_of(made: SimulatedStudy) -> DesignBasis:
    return design_basis(made.design.matrix)


def completed(Y: np.ndarray, basis: DesignBasis) -> tuple[np.ndarray, Completion]:
    completion = complete(ArrayMatrix(Y), basis)
    return collect(completion.matrix), completion


def factors_of(Y: np.ndarray, basis: DesignBasis, k: int) -> np.ndarray:
    sd = np.sqrt(np.square(basis.project_out(Y)).sum(axis=0))
    weights = np.divide(1.0, sd, out=np.zeros_like(sd), where=sd > 0)
    return residual_spectrum(ArrayMatrix(Y), basis, weights=weights).vectors[:, :k]


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Smallest canonical correlation of two spaces given by orthonormal columns."""
    return float(np.linalg.svd(first.T @ second, compute_uv=False).min())


def test_nothing_missing_changes_nothing() -> None:
    made = study()
    Y = ArrayMatrix(made.X)
    completion = complete(Y, basis_of(made))
    assert completion.matrix is Y
    assert completion.usable.all()
    assert (completion.n_obs == 60).all()
    assert completion.n_rounds == 0
    assert completion.converged


def test_observed_values_stay_and_all_is_finite() -> None:
    made = study()
    Y = without(made.X, 0.2)
    found, completion = completed(Y, basis_of(made))
    seen = np.isfinite(Y)
    np.testing.assert_array_equal(found[seen], Y[seen])
    assert np.isfinite(found).all()
    assert completion.usable.all()
    assert completion.converged
    assert completion.n_factors == 2
    np.testing.assert_array_equal(completion.n_obs, seen.sum(axis=0))


def test_expectations_are_posterior_means() -> None:
    """Feature by feature: ridge regression of what was observed, and the expected Gram matrix written out."""
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(np.column_stack([np.ones(20), rng.normal(size=(20, 3))]))[0]
    penalties, weights = np.array([0.0, 0.0, 0.1, 0.4]), rng.uniform(0.5, 2.0, size=50)
    Y = without(rng.normal(size=(20, 50)) + 3.0, 0.3)
    mean = np.nanmean(Y, axis=0)
    kernel = CompletionKernel(directions, penalties, 2, mean, weights)
    gram = run_pass(ArrayMatrix(Y), kernel, width=7)[0]
    outside = np.eye(20) - directions[:, :2] @ directions[:, :2].T
    expected = np.zeros((20, 20))
    for j in range(50):
        seen = np.isfinite(Y[:, j])
        B, y = directions[seen], Y[seen, j] - mean[j]
        inverse = np.linalg.inv(B.T @ B + np.diag(penalties))
        coordinates = inverse @ B.T @ y
        variance = np.square(y - B @ coordinates).sum() / (seen.sum() - 4 + penalties @ np.diag(inverse))
        np.testing.assert_allclose(kernel.coordinates[j], coordinates, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(kernel.variance[j], variance, rtol=1e-10)
        full = directions @ coordinates
        full[seen] = y
        expected += weights[j] ** 2 * (np.outer(full, full) + variance * np.diag(~seen))
    np.testing.assert_allclose(outside @ gram @ outside, outside @ expected @ outside, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("design_has_the_constant", [True, False])
def test_the_factors_are_a_fixed_point(design_has_the_constant: bool) -> None:
    """One more round from the answer moves the factors by no more than the tolerance."""
    made = study()
    design = made.design.matrix if design_has_the_constant else made.design.matrix[:, 1:]
    basis = design_basis(design)
    Y = without(made.X - made.X.mean(), 0.2)
    matrix = complete(lazy(Y), basis).matrix
    assert isinstance(matrix, CompletedMatrix)
    spaces = [complete(lazy(Y), basis, tol=tol).matrix.directions for tol in (1e-3, 1e-10)]  # type: ignore[attr-defined]
    assert largest_sine(*spaces) < 2e-3


def test_noise_is_as_strong_as_that_of_observed_values() -> None:
    """Residual variances of features, and of samples of which half is missing, are those of the complete data."""
    made = study(n_features=2000)
    basis = basis_of(made)
    Y = without(made.X, uneven(60))
    found, _ = completed(Y, basis)
    factors = factors_of(made.X, basis, 2)
    span = design_basis(np.column_stack([made.design.matrix, factors]))
    ours, theirs = (np.square(span.project_out(values)) for values in (found, made.X))
    per_sample = ours.sum(axis=1) / theirs.sum(axis=1)
    assert abs(per_sample[::4].mean() - 1.0) < 0.03
    assert abs(np.log(ours.sum(axis=0) / theirs.sum(axis=0)).mean()) < 0.03
    fitted = np.where(np.isnan(Y), (span.q @ (span.q.T @ found)), Y)
    assert (np.square(span.project_out(fitted)).sum(axis=1) / theirs.sum(axis=1))[::4].mean() < 0.6


@pytest.mark.parametrize(("share", "least"), [(0.05, 0.998), (0.2, 0.99), ("uneven", 0.99), ("one", 0.99)])
def test_factors_of_incomplete_data_are_those_of_complete_data(share: float | str, least: float) -> None:
    made = study(n_samples=100, n_features=2000, n_factors=3)
    basis = basis_of(made)
    one = np.where(np.arange(100) == 3, 0.6, 0.05)[:, None]
    shares = {"uneven": uneven(100), "one": one}
    found, completion = completed(without(made.X, shares.get(share, share)), basis)  # type: ignore[arg-type]
    assert completion.n_factors == 3
    assert correlation(factors_of(made.X, basis, 3), factors_of(found, basis, 3)) > least


def test_low_values_missing_more_often() -> None:
    """As in mass spectrometry: a fifth of the values is missing, the lower the more often."""
    made = study(n_samples=80, n_features=1500, n_factors=3)
    basis, rng = basis_of(made), np.random.default_rng(2)
    Y = made.X + rng.normal(scale=2.0, size=1500)
    chance = 1.0 / (1.0 + np.exp((Y - np.quantile(Y, 0.15)) / 0.7))
    found, completion = completed(without(Y, chance * 0.2 / chance.mean()), basis)
    assert completion.n_factors == 3
    assert completion.usable.mean() > 0.99
    assert correlation(factors_of(Y, basis, 3), factors_of(found, basis, 3)) > 0.99


@pytest.mark.parametrize("n_factors", [0, 2])
def test_number_of_factors_and_sample_weights_with_uneven_gaps(n_factors: int) -> None:
    """Without noise parallel analysis answered its limit here, and half-empty samples were given twice the weight."""
    made = study(n_factors=n_factors, confounding=0.5 if n_factors else 0.0, n_features=1500)
    found, completion = completed(without(made.X, uneven(60)), basis_of(made))
    problem = AdjustmentProblem(ArrayMatrix(found), made.design)
    assert completion.n_factors == n_factors
    assert ParallelAnalysis().select(problem, 15, np.random.default_rng(0)).n_factors == n_factors
    weights = la.adjust(found, made.design, method="none", sample_weights="quality").sample_weights.to_numpy()
    assert abs(weights[::4].mean() / weights.mean() - 1.0) < 0.05


def test_order_of_samples_and_features_block_width_and_threads_do_not_matter() -> None:
    made = study()
    Y = without(made.X, 0.2)
    Y[:, 5] = np.nan
    design = made.design.matrix
    first, completion = completed(Y, design_basis(design))
    rng = np.random.default_rng(3)
    rows, columns = rng.permutation(60), rng.permutation(800)
    with pass_options(width=37, n_threads=2):
        again, other = completed(Y[rows][:, columns], design_basis(design[rows]))
        view = complete(lazy(Y), design_basis(design)).matrix
    np.testing.assert_allclose(again, first[rows][:, columns], rtol=1e-8, atol=1e-8)
    np.testing.assert_array_equal(other.usable, completion.usable[columns])
    assert other.n_factors == completion.n_factors
    assert isinstance(view, CompletedMatrix)
    for width in (13, 800):
        read = np.column_stack([view.read(columns) for columns in view.column_blocks(width)])
        np.testing.assert_allclose(read, first, rtol=1e-9, atol=1e-9)


def test_features_with_too_few_values_have_no_part_in_anything() -> None:
    """None, one, as many as columns and one, a group missing, constant; a complete constant feature stays."""
    made = study()
    Y = without(made.X, 0.1)
    group = made.design.matrix[:, 1] > 0
    Y[:, 0] = np.nan
    Y[1:, 1] = np.nan
    Y[3:, 2] = np.nan
    Y[group, 3] = np.nan
    Y[:30, 4], Y[30:, 4] = 7.0, np.nan
    Y[:, 5] = 3.0
    Y[:, 6] = made.X[:, 6]
    found, completion = completed(Y, basis_of(made))
    np.testing.assert_array_equal(completion.usable[:7], [False] * 5 + [True, True])
    assert completion.usable[7:].all()
    assert (found[:, :5] == 0.0).all()
    assert (found[:, 5] == 3.0).all()
    np.testing.assert_array_equal(found[:, 6], made.X[:, 6])
    with_them, rest = (complete(lazy(values), basis_of(made)).matrix for values in (Y, Y[:, 5:]))
    assert isinstance(with_them, CompletedMatrix)
    assert isinstance(rest, CompletedMatrix)
    np.testing.assert_allclose(with_them.directions, rest.directions, atol=1e-9)
    problem = AdjustmentProblem(ArrayMatrix(found), made.design)
    assert (problem.unit_weights[:6] == 0).all()
    assert problem.constant[:6].all()


def test_everything_missing_is_finite() -> None:
    completion = complete(ArrayMatrix(np.full((8, 5), np.nan)), design_basis(np.ones((8, 1))))
    assert not completion.usable.any()
    assert completion.n_factors == 0
    assert (collect(completion.matrix) == 0).all()


def test_at_most_as_many_factors_as_allowed() -> None:
    made = study(n_factors=4, loading_sd=2.0)
    Y = without(made.X, 0.1)
    assert complete(ArrayMatrix(Y), basis_of(made)).n_factors == 4
    assert complete(ArrayMatrix(Y), basis_of(made), max_factors=1).n_factors == 1
    assert complete(ArrayMatrix(Y), basis_of(made), max_factors=0).n_factors == 0


def test_features_with_few_values_do_not_pass_for_exact() -> None:
    """Four of sixty values: the noise that is filled in is moderated, not the chance variance of two values."""
    made = study()
    Y = made.X.copy()
    Y[:56, :100] = np.nan
    design = np.ones((60, 1))
    found, completion = completed(Y, design_basis(design))
    assert completion.usable.all()
    variance = found[:56, :100].var(axis=0)
    assert variance.min() > 0.1


def test_noise_is_standard_normal_and_unrelated() -> None:
    rng = np.random.default_rng(0)
    block = rng.normal(size=(60, 500))
    sample, feature = value_keys(block).sum(axis=1, dtype=np.uint64), value_keys(block).sum(axis=0, dtype=np.uint64)
    noise = normal_noise(np.repeat(sample[:, None], 500, axis=1), np.repeat(feature[None], 60, axis=0))
    assert abs(noise.mean()) < 0.02
    assert abs(noise.var() - 1.0) < 0.03
    assert abs((noise**4).mean() - 3.0) < 0.15
    largest = np.linalg.eigvalsh(noise @ noise.T).max()
    assert largest < 1.05 * (np.sqrt(500) + np.sqrt(60)) ** 2
    assert len(np.unique(mixed(np.arange(100_000, dtype=np.uint64)))) == 100_000
    np.testing.assert_array_equal(value_keys(np.array([[0.0]])), value_keys(np.array([[-0.0]])))


@pytest.mark.slow
@pytest.mark.parametrize("gaps", ["at random", "uneven", "low values"])
@pytest.mark.parametrize("method", ["cate", "sva"])
def test_type_one_error_after_the_refit(method: str, gaps: str) -> None:
    """With confounding; the refit uses what was observed. 5 studies of 1900 null features: 0.05 +- 0.012."""
    rates = []
    for seed in range(5):
        made = study(seed, n_samples=80, n_features=2000, n_factors=3)
        low = 1.0 / (1.0 + np.exp((made.X - np.quantile(made.X, 0.15)) / 0.7))
        share = {"at random": 0.2, "uneven": uneven(80), "low values": low * 0.2 / low.mean()}[gaps]
        found = la.adjust(without(made.X, share, seed), made.design, method=method, missing="allow")
        p = found.tidy()["p_value"].to_numpy()[made.truth.is_null]
        rates.append((p[np.isfinite(p)] < 0.05).mean())
        assert found.n_factors == 3
    assert abs(np.mean(rates) - 0.05) < 0.012
