"""Links estimated from noisy loadings are corrected; bounds are four Monte Carlo standard errors."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from latentadj.confounding import (
    NegativeControlRegression,
    RobustRegression,
    corrected_for_attenuation,
    loading_reliability,
)
from latentadj.confounding.attenuation import MIN_RELIABILITY
from latentadj.results.factors import LinkEstimate


def noisy_study(seed, *, m=4000, size=1.0, n=50.0):
    """True link (1, -0.5), loadings with error variance psi, effects with psi / n."""
    rng = np.random.default_rng(seed)
    omega = np.array([[1.0, -0.5]]) / np.sqrt(n)
    psi = 10 / rng.chisquare(10, size=m)
    loadings = size * rng.normal(size=(m, 2))
    measured = loadings + np.sqrt(psi)[:, None] * rng.normal(size=(m, 2))
    effects = loadings @ omega.T + np.sqrt(psi / n)[:, None] * rng.normal(size=(m, 1))
    return measured, effects, psi, omega, np.array([[1 / n]])


def estimate(link, study, *, controls):
    measured, effects, psi, omega, unscaled = study
    found = link.estimate(effects, measured, psi, unscaled, controls)
    return found, corrected_for_attenuation(found, link.reliability(measured, psi, controls)), omega


@pytest.mark.parametrize(
    "link", [RobustRegression(), NegativeControlRegression(), NegativeControlRegression(weighted=True)]
)
def test_correction_removes_the_bias_and_its_covariance_is_right(link):
    controls = np.arange(4000) < 1500
    runs = [estimate(link, noisy_study(seed), controls=controls) for seed in range(60)]
    plain = np.array([found.omega[0] for found, _, _ in runs])
    corrected = np.array([fixed.omega[0] for _, fixed, _ in runs])
    truth = runs[0][2][0]
    error = corrected.std(axis=0) / np.sqrt(len(runs))
    assert (np.abs(corrected.mean(axis=0) - truth) < 4 * error + 0.01 * np.abs(truth)).all()
    assert (np.abs(plain.mean(axis=0)) < 0.7 * np.abs(truth)).all(), "there is something to correct"
    claimed = np.mean([np.diag(fixed.covariance[0, :, 0, :]) for _, fixed, _ in runs], axis=0)
    assert_allclose(claimed / corrected.var(axis=0), 1.0, atol=0.75)


def test_precise_loadings_need_no_correction():
    found, fixed, _ = estimate(RobustRegression(), noisy_study(0, size=1e4), controls=None)
    assert_allclose(fixed.omega, found.omega, rtol=1e-6)


def test_a_factor_of_pure_noise_is_not_blown_up():
    rng = np.random.default_rng(0)
    measured = rng.normal(size=(500, 1))
    share = loading_reliability(measured, np.full(500, 1.5), np.ones(500))
    assert_allclose(share, [[MIN_RELIABILITY]])


def test_reliability_does_not_depend_on_the_rotation_of_the_factors():
    measured, _, psi, _, _ = noisy_study(1)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(2, 2)))[0]
    direct = loading_reliability(measured, psi, 1 / psi)
    turned = loading_reliability(measured @ turn, psi, 1 / psi)
    assert_allclose(turn @ turned @ turn.T, direct, atol=1e-12)


def test_covariance_is_carried_through_the_same_map():
    rng = np.random.default_rng(0)
    half = rng.normal(size=(6, 6))
    covariance = (half @ half.T).reshape(2, 3, 2, 3)
    reliability = np.eye(3) - 0.1 * np.ones((3, 3))
    fixed = corrected_for_attenuation(LinkEstimate(rng.normal(size=(2, 3)), covariance), reliability)
    map_ = np.kron(np.eye(2), np.linalg.inv(reliability))
    assert_allclose(fixed.covariance.reshape(6, 6), map_ @ covariance.reshape(6, 6) @ map_.T, atol=1e-12)


def test_no_factors():
    assert loading_reliability(np.empty((5, 0)), np.ones(5), np.ones(5)).shape == (0, 0)
