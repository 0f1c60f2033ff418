"""SmartSVA against SmartSVA 0.1.3, and the default's stopping rule.

Largest errors over sim1, sim2 and bladderbatch, for alpha 0.25 and 1: factors 8e-12 (100 rounds on sim2, which
never settles), posterior probabilities 5e-9 (stored with 8 digits), p-values 5e-10; the numbers of rounds are equal.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

import latentadj as la
from latentadj.core.alignment import canonical_correlations
from latentadj.core.surrogate_weights import rank_correlation
from latentadj.factors.smart_sva import SmartSVA
from latentadj.simulation import FAMILIES, simulate
from tests.factors.stored import null_rates, stored
from tests.parity.studies import NAMES, same_signs, study

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")

VARIANTS = {"smartsva": {}, "smartsva_alpha1": {"alpha": 1.0, "max_iter": 200}}


@pytest.mark.parametrize("key", VARIANTS)
@pytest.mark.parametrize("name", NAMES)
def test_answers_of_the_package(name: str, key: str) -> None:
    answers = stored(name)
    sv, p, weights = (answers[f"{part}_{key}"] for part in ("sv", "fpvalue", "pprob"))
    method = SmartSVA(sv.shape[1], compat="SmartSVA", **VARIANTS[key])
    result = study(name).adjust(method, inference="ordinary")
    assert_allclose(same_signs(result.factors.to_numpy(), sv), sv, rtol=0, atol=1e-10)
    assert result.estimate.n_iter == answers[f"{key}.iter"]
    details = result.estimate.details
    ours = np.column_stack([details["probability_factors"], details["probability_primary"]])
    assert_allclose(ours[: len(weights)], weights, rtol=0, atol=1e-8)
    assert_allclose(result.tidy(joint=True)["p_value"][: len(p)], p[:, 0], rtol=1e-8, atol=1e-15)


@pytest.mark.parametrize("name", NAMES)
def test_number_of_the_package_is_the_random_matrix_dimension_plus_one(name: str) -> None:
    result = study(name).adjust(SmartSVA(compat="SmartSVA"))
    expected = int(stored(name)["isva.EstDimRMT"]) + 1
    assert (result.n_factors, result.num_factors.chosen_by) == (
        min(expected, result.num_factors.limit),
        "random_matrix",
    )


def test_a_plateau_of_the_weights_is_not_the_end() -> None:
    """Study 2 of strong confounding: after 3 rounds the weights keep their order while the factors still turn."""
    s = simulate(replace(FAMILIES["strong confounding"], n_features=1000), 2)
    package = la.adjust(s.X, s.design, method=SmartSVA(3, compat="SmartSVA"))
    default = la.adjust(s.X, s.design, method=SmartSVA(3))
    null = s.truth.is_null
    rates = [np.mean(r.tests.p_value[null, 0] < 0.05) for r in (package, default)]
    assert package.estimate.converged
    assert rates[0] > 0.5
    assert rates[1] < 0.06
    assert canonical_correlations(default.factors.to_numpy(), s.truth.factors).min() > 0.99


def test_rank_correlation_is_spearmans() -> None:
    """Against the formula for ranks without ties, 1 - 6 sum d^2 / (n (n^2 - 1)); ties get their mean rank."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=50), rng.normal(size=50)
    d = np.argsort(np.argsort(a)) - np.argsort(np.argsort(b))
    assert rank_correlation(a, b) == pytest.approx(1 - 6 * np.sum(d**2) / (50 * (50**2 - 1)), rel=1e-12)
    assert rank_correlation(np.array([1.0, 1.0, 2.0]), np.array([3.0, 3.0, 9.0])) == pytest.approx(1.0)
    assert rank_correlation(np.ones(4), np.arange(4.0)) == 0.0


def test_limit_of_rounds_is_told() -> None:
    with pytest.warns(la.exceptions.NotConvergedWarning, match="2 rounds"):
        fitted = SmartSVA(2, max_iter=2).fit(study("sim2").data.X, study("sim2").data.sample_data["x"])
    assert fitted.n_iter_ == 2


@pytest.mark.parametrize("options", [{"alpha": 0.0}, {"alpha": 1.5}, {"tol": 0}, {"max_iter": 0}, {"compat": "sva"}])
def test_options_are_checked(options: dict) -> None:
    with pytest.raises(la.exceptions.MethodError):
        study("sim2").adjust(SmartSVA(1, **options))


@pytest.mark.slow
@pytest.mark.parametrize("family", ["base", "no factors", "strong confounding"])
def test_type_one_error(family: str) -> None:
    rates = null_rates(SmartSVA(), family, 10)
    assert 0.04 < rates.mean() < 0.06
    assert rates.max() < 0.1
