"""CATE's further factor analyses and links against cate 1.1.1, and what the corrected forms promise.

Stored with 12 digits, whose own rounding is 5e-12 relative. Largest errors over bladderbatch, sim1 and sim2, first 120
features: ESA's Gamma, Z and Sigma 6e-12; effects, t and p of esa, bisquare, naive and uncorrected controls 1e-10
relative. Least trimmed squares of the package draws random subsets: its effects correlate above 0.999 with ours.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

import latentadj as la
from latentadj.core.early_stopping import early_stopped_components
from latentadj.core.expectation_maximization import maximum_likelihood
from latentadj.core.matrix import ArrayMatrix
from latentadj.core.regression import design_basis
from latentadj.core.spectrum import residual_spectrum
from latentadj.simulation import Scenario, error_rates, simulate
from tests.parity.studies import NAMES, same_signs, study
from tests.reference_data import load_reference

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")
all_studies = pytest.mark.parametrize("name", NAMES)
STORED = {"rtol": 2e-10, "atol": 2e-11}
EXACT_MAD, R_MAD = 1.0 / stats.norm.ppf(0.75), 1.4826


@cache
def stored(name: str) -> dict[str, np.ndarray]:
    found = load_reference("cate", "analyses")
    return {key[len(name) + 2 :]: value for key, value in found.items() if key.startswith(f"{name}__")}


def result_of(name: str, calibration: str | None = "none", **options) -> la.AdjustmentResult:
    s = study(name)
    method = la.CATE(s.n_factors, controls=s.data.controls, compat="cate", **options)
    return s.adjust(method, **({} if calibration is None else {"calibration": calibration}))


def assert_parity(result: la.AdjustmentResult, table: np.ndarray) -> None:
    beta, t, p = np.hsplit(table, 3)
    tests = result.tests
    assert_allclose(tests.estimate[: len(beta)], beta, **STORED)
    assert_allclose(tests.statistic[: len(t)], t, **STORED)
    assert_allclose(tests.p_value[: len(p)], p, rtol=1e-10, atol=1e-11)


@all_studies
class TestParity:
    @pytest.mark.parametrize("link", ["rr", "nc"])
    def test_early_stopping(self, name: str, link: str) -> None:
        confounding = {"rr": "robust", "nc": "negative_control"}[link]
        result = result_of(name, factor_analysis="esa", confounding=confounding)
        assert_parity(result, stored(name)[f"cate_esa_{link}_nocal"])

    def test_early_stopping_calibrated(self, name: str) -> None:
        _, t, _ = np.hsplit(stored(name)["cate_esa_rr"], 3)
        tests = result_of(name, None, factor_analysis="esa").tests
        assert_allclose(tests.statistic[: len(t)] * EXACT_MAD / R_MAD, t, **STORED)

    def test_naive_is_the_plain_regression_with_normal_tails(self, name: str) -> None:
        result = result_of(name, confounding="naive")
        assert_parity(result, stored(name)["cate_ml_naive_nocal"])
        assert_allclose(result.tests.estimate, result.unadjusted_tests.estimate, rtol=1e-12)

    def test_controls_without_variance_correction(self, name: str) -> None:
        result = result_of(name, confounding="negative_control", link_error=False)
        assert_parity(result, stored(name)["cate_ml_nc_novarcorr"])

    def test_bisquare(self, name: str) -> None:
        beta, t, _ = np.hsplit(stored(name)["cate_ml_rr_bisquare"], 3)
        tests = result_of(name, None, psi="bisquare").tests
        assert_allclose(tests.estimate[: len(beta)], beta, **STORED)
        assert_allclose(tests.statistic[: len(t)] * EXACT_MAD / R_MAD, t, **STORED)

    def test_factor_analysis_of_nuisance_residuals(self, name: str) -> None:
        """The package's `factor.analysis`: early stopping, components and maximum likelihood."""
        s, reference = study(name), stored(name)
        nuisance = np.ones((len(s.data.X), 1))
        if name != "bladderbatch":
            nuisance = np.column_stack([nuisance, s.data.sample_data["age"]])
        residuals = s.data.X - nuisance @ np.linalg.lstsq(nuisance, s.data.X)[0]
        n, none = len(residuals), np.empty((len(residuals), 0))
        Y, rss = ArrayMatrix(residuals), np.sum(residuals**2, axis=0)
        esa = early_stopped_components(Y, np.eye(n), none, rss, rss, s.n_factors, divisor=n)
        start = residual_spectrum(Y, design_basis(none)).vectors[:, : s.n_factors] * np.sqrt(n)
        ml = maximum_likelihood(Y, start, lagged_variance=True)
        found = {
            "esa": (esa.directions * np.sqrt(n), esa.loadings / np.sqrt(n), esa.psi),
            "ml": (ml.directions, ml.loadings, ml.psi),
        }
        for key, (scores, loadings, psi) in found.items():
            Z, gamma = reference[f"fa_{key}_Z"], reference[f"fa_{key}_Gamma"]
            signs = np.sign(np.einsum("ij,ij->j", scores, Z))
            assert_allclose(same_signs(scores, Z), Z, rtol=1e-9, atol=1e-9)
            assert_allclose(loadings[: len(gamma)] * signs, gamma, rtol=1e-9, atol=1e-10)
            assert_allclose(psi[: len(gamma)], reference[f"fa_{key}_Sigma"][:, 0], rtol=1e-10)


@pytest.mark.parametrize("name", ["sim1", "sim2"])
@pytest.mark.parametrize("analysis", ["ml", "pc", "esa"])
def test_least_trimmed_squares_is_near_the_random_answer(name: str, analysis: str) -> None:
    beta = stored(name)[f"cate_{analysis}_lqs_nocal"][:, 0]
    found = result_of(name, factor_analysis=analysis, confounding="least_trimmed").tests.estimate[: len(beta), 0]
    assert np.corrcoef(found, beta)[0, 1] > (0.999 if name == "sim1" else 0.97)


def test_least_trimmed_squares_depends_on_the_seed_only() -> None:
    s = simulate(Scenario(n_samples=30, n_features=300, n_factors=2), 3)
    found = [
        la.adjust(s.X, s.design, method=la.CATE(2, confounding="least_trimmed", random_state=seed)).tests.p_value
        for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(found[0], found[1])
    assert_allclose(found[0], found[2], rtol=1e-6)


def test_deterministic_starts_do_not_mind_the_order_of_features() -> None:
    s = simulate(Scenario(n_samples=30, n_features=300, n_factors=2), 3)
    order = np.random.default_rng(0).permutation(300)
    method = la.CATE(2, confounding="least_trimmed", n_starts=0)
    found = la.adjust(s.X[:, order], s.design, method=method).tests.statistic
    assert_allclose(found, la.adjust(s.X, s.design, method=method).tests.statistic[order], rtol=1e-9)


def test_least_trimmed_squares_withstands_effects_that_follow_the_loadings() -> None:
    """40 % of the features have effects three times the first loading: Huber's link is pulled, this one is not."""
    rng = np.random.default_rng(8)
    x = np.repeat([-1.0, 1.0], 30)
    Z, A = rng.normal(size=(60, 1)) + 0.5 * x[:, None], rng.normal(size=(600, 1))
    effects = np.where(np.arange(600) < 240, 3.0 * A[:, 0], 0.0)
    X = np.outer(x, effects) + Z @ A.T + rng.normal(size=(60, 600))
    null = effects == 0
    levels = {
        confounding: np.mean(la.adjust(X, x, method=la.CATE(1, confounding=confounding)).tests.p_value[null] < 0.05)
        for confounding in ("least_trimmed", "robust")
    }
    assert levels["least_trimmed"] < 0.08
    assert levels["robust"] > 0.15


@pytest.mark.parametrize("options", [{"factor_analysis": "esa"}, {"confounding": "least_trimmed"}, {"psi": "bisquare"}])
@pytest.mark.parametrize("confounding", [0.0, 0.5])
def test_level(options: dict[str, str], confounding: float) -> None:
    """Six studies of 1,000 null features: standard error about 0.004, link included."""
    scenario = Scenario(n_features=1000, effect_share=0.0, confounding=confounding)
    found = []
    for seed in range(6):
        s = simulate(scenario, seed)
        result = la.adjust(s.X, s.design, method=la.CATE(3, **options))
        found.append(error_rates(result, s.truth).type_one_error)
    assert 0.035 < np.mean(found) < 0.065


def test_unknown_options() -> None:
    X, y = np.random.default_rng(0).normal(size=(12, 30)), np.tile([0, 1], 6)
    for options in ({"psi": "cauchy"}, {"factor_analysis": "fast"}, {"confounding": "lts"}):
        with pytest.raises(la.exceptions.MethodError, match="CATE knows"):
            la.CATE(1, **options).fit(X, y)
    with pytest.raises(la.exceptions.MethodError, match="residual_pca"):
        la.CATE(1, confounding="naive").fit(X, y)
