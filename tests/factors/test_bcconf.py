"""BCconf against BCconf 1.3 (10 stored digits: 5e-10 absolute) and against simulated truth."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

import latentadj as la
from latentadj.design import Design
from latentadj.exceptions import WeakFactorWarning
from latentadj.factors.bcconf import BCconf
from latentadj.simulation import Scenario, error_rates, simulate
from tests.parity.studies import NAMES, study
from tests.reference_data import load_reference

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")
METHODS = ("ols", "theory", "huber", "naive")


def one_column(name: str) -> tuple[np.ndarray, Design]:
    data = study(name).data
    if name == "bladderbatch":
        return data.X, Design.from_arrays((data.sample_data["cancer"] == "Cancer").to_numpy(float))
    return data.X, Design.from_arrays(data.sample_data["x"].to_numpy(), data.sample_data["age"].to_numpy())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", METHODS)
class TestParity:
    def test_effects_and_tests(self, name: str, method: str) -> None:
        reference = load_reference("bcconf", "parity")
        X, design = one_column(name)
        k = study(name).n_factors
        result = la.adjust(X, design, method=BCconf(k, method=method, compat="bcconf"), inference="ordinary")
        stored = {part: reference[f"{name}__BCconf_{method}_{part}"] for part in ("B", "p.values", "z.scores", "Sigma")}
        rows = len(stored["B"])
        assert_allclose(result.tests.estimate[:rows], stored["B"], rtol=1e-9, atol=1e-9)
        assert_allclose(result.tests.p_value[:rows], stored["p.values"], rtol=1e-9, atol=2e-10)
        assert_allclose(result.fit.sigma2[:rows], stored["Sigma"][:, 0], rtol=1e-9)
        t = result.tests.statistic[:rows]
        z = np.sign(t) * stats.norm.isf(stats.t.sf(np.abs(t), result.tests.df))
        inside = np.abs(z) < 5  # beyond, the package loses digits to 1 - p
        assert_allclose(z[inside], stored["z.scores"][inside], rtol=1e-7, atol=1e-8)

    def test_confounding_p_value_is_chi_square(self, name: str, method: str) -> None:
        stored = load_reference("bcconf", "parity")[f"{name}__BCconf.{method}.Omega.pvalue"]
        X, design = one_column(name)
        k = study(name).n_factors
        result = la.adjust(X, design, method=BCconf(k, method=method, compat="bcconf"))
        omega, n = result.estimate.link.omega[0], result.n_samples
        unscaled = result.unadjusted_fit.cov_unscaled[-1, -1]
        statistic = omega @ omega * (n - result.design.rank) / unscaled
        assert_allclose(stats.chi2.sf(statistic, k), stored[0], rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_factors_span_the_stored_ones(name: str) -> None:
    X, design = one_column(name)
    stored = load_reference("bcconf", "parity")[f"{name}__BCconf_ols_C"]
    result = la.adjust(X, design, method=BCconf(study(name).n_factors, compat="bcconf"))
    full = np.column_stack([design.nuisance, result.factors])
    assert_allclose(full @ np.linalg.lstsq(full, stored)[0], stored, atol=1e-7)


@pytest.mark.parametrize("method", ["ols", "theory", "huber", "iterative"])
@pytest.mark.parametrize("confounding", [0.0, 0.5])
def test_level(method: str, confounding: float) -> None:
    scenario = Scenario(n_features=1000, effect_share=0.0, confounding=confounding, loading_sd=0.4)
    found = []
    for seed in range(6):
        s = simulate(scenario, seed)
        found.append(error_rates(la.adjust(s.X, s.design, method=BCconf(3, method=method)), s.truth).type_one_error)
    assert 0.035 < np.mean(found) < 0.065


def test_correction_removes_the_attenuation() -> None:
    """Weak factors: the uncorrected link is too small, the corrected one is right on average."""
    naive, corrected = [], []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        x = np.repeat([-1.0, 1.0], 20)
        Z = rng.normal(size=(40, 1))
        Z -= np.outer(x, x @ Z) / 40
        Z *= np.sqrt(40) / np.linalg.norm(Z)
        X = (Z + x[:, None]) @ (0.3 * rng.normal(size=(1, 4000))) + rng.normal(size=(40, 4000))
        for found, options in ((naive, {"method": "naive", "compat": "bcconf"}), (corrected, {"method": "ols"})):
            omega = la.adjust(X, x, method=BCconf(1, **options)).estimate.link.omega
            found.append(abs(omega[0, 0]) * np.sqrt(40))
    assert np.mean(naive) < 0.85
    assert np.mean(corrected) == pytest.approx(1.0, abs=0.06)


@pytest.mark.filterwarnings("default::latentadj.exceptions.WeakFactorWarning")
def test_too_many_factors_are_told() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3000))
    with pytest.warns(WeakFactorWarning, match="Use fewer factors"):
        BCconf(30, weighted=False).fit(X, np.tile([0.0, 1.0], 20))


def test_options_are_checked() -> None:
    X, y = np.random.default_rng(0).normal(size=(12, 30)), np.tile([0.0, 1.0], 6)
    with pytest.raises(la.exceptions.MethodError, match="BCconf knows 'ols'"):
        BCconf(1, method="lts").fit(X, y)
    with pytest.raises(la.exceptions.MethodError, match="attenuated"):
        BCconf(1, method="naive").fit(X, y)
