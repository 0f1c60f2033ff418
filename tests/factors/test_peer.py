"""PEER-like factor analysis; its update equations are tested in tests/core/test_variational_factors.py.

There are no stored numbers of the program: its start is random and its numbers of sweeps small.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

import latentadj as la
from latentadj.core.alignment import canonical_correlations
from latentadj.factors.peer import PEER
from latentadj.simulation import FAMILIES, simulate
from tests.factors.stored import null_rates
from tests.parity.studies import study

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")


def test_hidden_factors_are_found_beside_known_ones() -> None:
    data = study("sim1").data
    result = study("sim1").adjust(PEER(3), allow_invalid=True)
    truth = data.sample_data[["z1", "z2", "z3"]].to_numpy()
    assert result.estimate.converged
    assert canonical_correlations(result.factors.to_numpy(), truth).min() > 0.95
    assert_allclose(result.design.nuisance.T @ result.factors.to_numpy(), 0, atol=1e-8)


def test_bound_rises() -> None:
    bound = study("sim1").adjust(PEER(4), allow_invalid=True).estimate.details["bound"]
    assert len(bound) > 3
    assert np.diff(bound).min() > -1e-7


def test_factors_beyond_the_truth_are_dropped() -> None:
    with pytest.warns(la.exceptions.FactorLimitWarning, match="switched off"):
        result = study("sim1").adjust(PEER(10), allow_invalid=True)
    assert 3 <= result.n_factors < 10


def test_units_and_means_do_not_matter() -> None:
    """The priors are absolute, so features are scaled; each feature's own unit drops out."""
    s = simulate(replace(FAMILIES["base"], n_features=200), 0)
    rng = np.random.default_rng(0)
    unit, shift = np.exp(2 * rng.normal(size=200)), 10 * rng.normal(size=200)
    plain, other = (
        la.adjust(X, s.design, method=PEER(3), allow_invalid=True, inference="ordinary")
        for X in (s.X, s.X * unit + shift)
    )
    assert_allclose(np.abs(other.factors), np.abs(plain.factors), rtol=0, atol=1e-8)
    assert_allclose(other.tests.statistic, plain.tests.statistic, rtol=1e-6, atol=1e-8)


def test_with_the_whole_design_known_estimates_stay() -> None:
    """The primary columns are then known factors: hidden ones are orthogonal to them and change no estimate."""
    result = study("sim1").adjust(PEER(3, known="design"), allow_invalid=True)
    assert_allclose(result.tests.estimate, result.unadjusted_tests.estimate, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    "options", [{"known": "all"}, {"noise_prior": (1.0, 0.0)}, {"relevance_prior": 3.0}, {"max_iter": 0}, {"tol": 0.0}]
)
def test_options_are_checked(options: dict) -> None:
    with pytest.raises(la.exceptions.MethodError, match=r"PEER|prior"):
        study("sim2").adjust(PEER(1, **options), allow_invalid=True)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["base", "no factors", "strong confounding"])
def test_type_one_error(family: str) -> None:
    assert 0.04 < null_rates(PEER(), family, 10).mean() < 0.06


@pytest.mark.slow
def test_type_one_error_where_many_features_respond_is_too_high() -> None:
    """The reason for the caution on the card: 0.08 to 0.09 with 40 % one-sided effects."""
    assert 0.06 < null_rates(PEER(), "one-sided effects", 6).mean() < 0.12
