"""LEAPP against leapp 1.3 and against simulated truth.

Largest errors with ``compat="leapp"``, first 120 features of sim1 and sim2, stored with 12 digits: gamma 4e-9 absolute,
p 2e-9 absolute (the start of the rounds is a Huber fit stopped by a rule that is not quite the package's).
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

import latentadj as la
from latentadj.design import Design
from latentadj.factors.leapp import LEAPP
from latentadj.simulation import Scenario, error_rates, simulate
from tests.parity.studies import study
from tests.reference_data import load_reference

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")
KEYS = {"hard": "hard", "soft": "soft", "ridge": "nosparse"}
penalties = pytest.mark.parametrize("penalty", KEYS)


def package_result(name: str, penalty: str) -> la.AdjustmentResult:
    """The package's model: data and x centred, age as it is, no intercept."""
    s = study(name)
    table = s.data.sample_data
    x = table["x"].to_numpy()
    design = Design.from_arrays(x - x.mean(), table["age"].to_numpy(), intercept=False)
    X = s.data.X - s.data.X.mean(axis=0)
    return la.adjust(X, design, method=LEAPP(s.n_factors, penalty=penalty, compat="leapp"))


@pytest.mark.parametrize("name", ["sim1", "sim2"])
@penalties
def test_parity(name: str, penalty: str) -> None:
    gamma, p = load_reference("leapp", "parity")[f"{name}__leapp_{KEYS[penalty]}"].T
    result = package_result(name, penalty)
    assert_allclose(result.estimate.link.sparse_effects[: len(gamma), 0], gamma, rtol=1e-8, atol=1e-8)
    assert_allclose(result.tests.p_value[: len(p), 0], p, atol=5e-9)
    assert np.isinf(result.tests.df)


def test_package_leaves_part_of_an_uncentred_covariate() -> None:
    """A deviation: with an intercept in the design the covariate is centred, and the answer is another one."""
    s = study("sim1")
    centred = s.adjust(LEAPP(s.n_factors, compat="leapp"))
    package = package_result("sim1", "hard")
    assert np.abs(centred.tests.statistic - package.tests.statistic).max() > 0.1


@penalties
def test_reference_statistics_are_residuals_over_their_mad(penalty: str) -> None:
    result = package_result("sim2", penalty)
    null = result.estimate.link.sparse_effects[:, 0] == 0
    z = result.tests.statistic[:, 0]
    if penalty == "ridge":
        assert 1.0 < z.std() < 3.0
    else:
        assert stats.median_abs_deviation(z[null]) * 1.4826 == pytest.approx(1.0, rel=1e-12)


def test_sparse_effects_are_found_and_kept() -> None:
    s = simulate(Scenario(n_features=600, effect_sd=2.0), 4)
    result = la.adjust(s.X, s.design, method=LEAPP(3))
    sparse = result.estimate.link.sparse_effects[:, 0]
    assert sparse.shape == (600,)
    large = np.abs(s.truth.effects) > 1.5
    assert np.mean(sparse[large] != 0) > 0.9
    assert np.mean(sparse[s.truth.is_null] != 0) < 0.02
    assert np.corrcoef(sparse[large], s.truth.effects[large])[0, 1] > 0.95


def test_primary_columns_one_at_a_time() -> None:
    """With several columns each link is that of its own regression, the others being adjusted for."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(40, 2))
    X = (rng.normal(size=(40, 1)) + x[:, :1]) @ rng.normal(size=(1, 300)) + rng.normal(size=(40, 300))
    both = la.adjust(X, Design.from_arrays(x), method=LEAPP(1))
    for i in (0, 1):
        one = la.adjust(X, Design.from_arrays(x[:, i], x[:, 1 - i]), method=LEAPP(1))
        signs = np.sign(one.estimate.link.omega[0] * both.estimate.link.omega[i])
        assert_allclose(both.estimate.link.omega[i] * signs, one.estimate.link.omega[0], rtol=1e-8)
        assert_allclose(both.tests.estimate[:, i], one.tests.estimate[:, 0], rtol=1e-6, atol=1e-9)


@penalties
@pytest.mark.parametrize("confounding", [0.0, 0.5])
def test_level(penalty: str, confounding: float) -> None:
    scenario = Scenario(n_features=1000, effect_share=0.0, confounding=confounding)
    found = []
    for seed in range(6):
        s = simulate(scenario, seed)
        found.append(error_rates(la.adjust(s.X, s.design, method=LEAPP(3, penalty=penalty)), s.truth).type_one_error)
    assert 0.035 < np.mean(found) < 0.065


@pytest.mark.slow
@pytest.mark.parametrize("penalty", ["hard", "soft"])
def test_false_discoveries(penalty: str) -> None:
    scenario = Scenario(n_features=1000)
    rates = []
    for seed in range(20):
        s = simulate(scenario, seed)
        rates.append(error_rates(la.adjust(s.X, s.design, method=LEAPP(3, penalty=penalty)), s.truth))
    assert np.mean([r.fdp for r in rates]) <= 0.12
    assert np.mean([r.power for r in rates]) > 0.35


def test_options_are_checked() -> None:
    X, y = np.random.default_rng(0).normal(size=(12, 30)), np.tile([0.0, 1.0], 6)
    with pytest.raises(la.exceptions.MethodError, match="LEAPP knows 'hard', 'soft', 'ridge'"):
        LEAPP(1, penalty="lasso").fit(X, y)
    with pytest.raises(la.exceptions.MethodError, match="one primary column"):
        LEAPP(1, compat="leapp").fit(X, design=np.column_stack([y, np.arange(12.0)]))
