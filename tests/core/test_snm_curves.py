"""The published model of supervised normalisation, against lme4 and against brute force.

The reference (tests/reference/snm) is the same algorithm written out in R with lme4 1.1-31. lme4 stops when its
search region is about 1e-7 wide, so that curves agree to about 1e-5; both must find the same REML criterion to 1e-6.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import rankdata

from latentadj.batch import SupervisedNormalizer
from latentadj.core.curve_mixed_model import BinAverages, fit_curves
from latentadj.core.matrix import ArrayMatrix, collect
from latentadj.core.smoothing import natural_spline_basis
from latentadj.core.snm import _ranks, fit_snm, intensity_bins, smallest_null_share
from latentadj.exceptions import InputError
from tests.reference_data import load_reference


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    return load_reference("snm", "reference")


class TestParity:
    @pytest.mark.parametrize(("name", "rounds"), [("one", 1), ("three", 3)])
    def test_rounds(self, reference, name: str, rounds: int) -> None:
        nuisance = np.column_stack([np.ones(12), reference["batch"]])
        fit = fit_snm(ArrayMatrix(reference["values"]), nuisance, reference["x"][:, None], rounds)
        assert fit.model.criterion == pytest.approx(reference[f"{name}__criterion"][-1], rel=1e-8)
        assert fit.null_share == pytest.approx(reference[f"{name}__share"][-1], rel=1e-12)
        assert_array_equal(fit.null, reference[f"{name}__null"])
        assert_allclose(collect(fit.adjusted)[:, :120], reference[f"{name}__normalised"], rtol=0, atol=2e-5)
        assert_allclose(fit.p_value, reference[f"{name}__p"], rtol=1e-4)

    def test_the_package_stops_early(self, reference) -> None:
        """After 1000 evaluations bobyqa is a unit of the criterion short of the minimum, values are 0.004 off."""
        gap = reference["three_stopped__criterion"][-1] - reference["three__criterion"][-1]
        assert 0.5 < gap < 2
        apart = np.abs(reference["three_stopped__normalised"] - reference["three__normalised"]).max()
        assert 1e-3 < apart < 1e-2

    def test_of_the_transformer(self, reference) -> None:
        fitted = SupervisedNormalizer(compat="snm", max_iter=1)
        given = {"biology": reference["x"], "covariates": reference["batch"]}
        ours = fitted.fit_transform(reference["values"], **given)
        assert_allclose(ours[:, :120], reference["one__normalised"], rtol=0, atol=2e-5)
        assert_allclose(fitted.p_values_, reference["one__p"], rtol=1e-4)


def averages(n: int = 9, n_bins: int = 7) -> BinAverages:
    rng = np.random.default_rng(0)
    level = np.linspace(0, 1, n_bins) + 0.02 * rng.normal(size=(n, n_bins))
    curves = np.stack([np.ones_like(level), level], axis=2)
    u = rng.normal(size=(n, 2)) @ np.array([[1.0, 0.5], [0.0, 0.8]])
    covariates = np.column_stack([np.ones(n), np.arange(n) % 2])
    values = np.einsum("ibq,iq->ib", curves, u) + covariates @ rng.normal(size=(2, n_bins))
    weights = rng.uniform(0.3, 1, n_bins)
    return BinAverages(values + 0.2 * rng.normal(size=values.shape) / np.sqrt(weights), covariates, curves, weights)


def dense(made: BinAverages, root: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """REML criterion, fixed effects and predictions by matrices of all values at once."""
    n, n_bins = made.values.shape
    X = np.kron(made.covariates, np.eye(n_bins))
    V, Z = np.zeros((n * n_bins, n * n_bins)), np.zeros((n * n_bins, n * 2))
    for i in range(n):
        rows = slice(i * n_bins, (i + 1) * n_bins)
        Z[rows, 2 * i : 2 * i + 2] = made.curves[i]
        V[rows, rows] = made.curves[i] @ root @ root.T @ made.curves[i].T + np.diag(1 / made.weights)
    inverse = np.linalg.inv(V)
    moments, y = X.T @ inverse @ X, made.values.ravel()
    beta = np.linalg.solve(moments, X.T @ inverse @ y)
    r = y - X @ beta
    df = len(y) - X.shape[1]
    spread = r @ inverse @ r / df
    logs = np.linalg.slogdet(V)[1] + np.linalg.slogdet(moments)[1]
    u = np.kron(np.eye(n), root @ root.T) @ Z.T @ inverse @ r
    return logs + df * (1 + np.log(2 * np.pi * spread)), beta.reshape(2, n_bins), u.reshape(n, 2)


class TestMixedModel:
    def test_by_brute_force(self) -> None:
        made = averages()
        fit = fit_curves(made)
        criterion, fixed, u = dense(made, fit.root)
        assert fit.criterion == pytest.approx(criterion, rel=1e-10)
        assert_allclose(fit.fixed, fixed, rtol=0, atol=1e-10)
        assert_allclose(fit.predict(made), u, rtol=0, atol=1e-10)
        for change in np.random.default_rng(1).normal(0, 0.05, size=(20, 2, 2)):
            assert dense(made, fit.root @ (np.eye(2) + change))[0] > criterion

    def test_the_basis_of_the_curves_does_not_matter(self) -> None:
        made = averages()
        turned = BinAverages(made.values, made.covariates, made.curves @ [[3.0, -1.0], [0.5, 2.0]], made.weights)
        one, other = fit_curves(made), fit_curves(turned)
        assert one.criterion == pytest.approx(other.criterion, abs=1e-8)
        drawn = [np.einsum("ibq,iq->ib", a.curves, f.predict(a)) for a, f in ((made, one), (turned, other))]
        assert_allclose(drawn[0], drawn[1], rtol=0, atol=1e-4)

    def test_each_sample_is_predicted_alone(self) -> None:
        made = averages()
        fit = fit_curves(made)
        alone = BinAverages(made.values[[4]], made.covariates[[4]], made.curves[[4]], made.weights)
        assert_allclose(fit.predict(alone)[0], fit.predict(made)[4], rtol=0, atol=1e-13)


class TestPieces:
    def test_ranks(self) -> None:
        values = np.random.default_rng(0).integers(0, 5, 30).astype(float)
        assert_array_equal(_ranks(values), rankdata(values))

    def test_share_is_the_smallest(self) -> None:
        p = np.random.default_rng(0).uniform(size=500) ** 1.5
        cuts = np.arange(19) * 0.05
        assert smallest_null_share(p) == pytest.approx(min(np.mean(p >= c - 1e-12) / (1 - c) for c in cuts))

    def test_bins(self) -> None:
        level = np.linspace(0, 10, 1000)
        null = np.arange(1000) % 2 == 0
        bins = intensity_bins(level, null)
        assert bins.averaging.shape == (1000, 20)
        assert_allclose(bins.averaging.sum(axis=0), 1)
        assert not bins.averaging[~null].any()
        assert bins.weights.max() <= 0.52  # 25 or 26 features of 50
        assert (np.diff(level @ bins.averaging) > 0).all()
        with pytest.raises(InputError, match="needs 5"):
            intensity_bins(np.array([1.0, 2.0, 3.0]), np.ones(3, dtype=bool))

    def test_curves_are_straight_beyond_the_bins(self) -> None:
        basis = natural_spline_basis([20.0, 21.0, 22.0], [0.0, 3.0, 6.0, 10.0])
        assert_allclose(np.diff(basis, 2, axis=0), 0, atol=1e-12)
