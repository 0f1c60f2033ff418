"""Direct SVA against dSVA 1.0, and what the corrected default does.

Largest errors over sim1, sim2 and bladderbatch (first 1000 features): factors 1.4e-14 absolute, effects and
p-values 1e-9 relative for numbers stored with 12 digits (the smallest is an effect of 1e-4).
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import latentadj as la
from latentadj.core.variance import squeeze_variances
from latentadj.factors.dsva import DSVA
from latentadj.simulation import Scenario, simulate
from tests.factors.stored import null_rates, stored
from tests.parity.studies import NAMES, same_signs, study

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")


def reference_result(name: str, method: la.LatentFactorEstimator) -> la.AdjustmentResult:
    """The study as dSVA saw it: no nuisance columns, the first 1000 features."""
    data = study(name).data
    formula = "~ cancer" if name == "bladderbatch" else "~ x"
    return la.adjust(data.frame.iloc[:, :1000], formula, data.sample_data, method=method, inference="ordinary")


@pytest.mark.parametrize("name", NAMES)
def test_factors_of_the_package(name: str) -> None:
    z = stored(name)["dSVA_Z"]
    factors = reference_result(name, DSVA(z.shape[1], compat="dSVA")).factors.to_numpy()
    assert_allclose(same_signs(factors, z), z, rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", NAMES)
def test_effects_and_p_values_of_the_package(name: str) -> None:
    answers = stored(name)
    tests = reference_result(name, DSVA(answers["dSVA_Z"].shape[1], compat="dSVA")).tests
    effects, p = answers["dSVA_B"], answers["dSVA_p"]
    assert_allclose(tests.estimate[: len(effects)], effects, rtol=1e-8, atol=1e-12)
    assert_allclose(tests.p_value[: len(p)], p, rtol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_number_of_the_package(name: str) -> None:
    """The package permutes at random (20 times); the same rule with our random numbers is at most one off."""
    rule = la.ParallelAnalysis(scale=None)
    found = reference_result(name, DSVA(rule)).n_factors
    assert abs(found - stored(name)["dSVA.auto.ncomp"]) <= 1


def test_default_is_centred_weighted_least_squares_with_corrections() -> None:
    """Every number of the default rebuilt from the data by plain linear algebra."""
    s = simulate(Scenario(n_samples=40, n_features=300, effect_share=0.3), 1)
    result = la.adjust(s.X, s.design, method=DSVA(3), inference="ordinary")
    design, n, m = s.design.matrix, 40, 300
    coef = np.linalg.lstsq(design, s.X)[0]
    residual = s.X - design @ coef
    unit = residual / np.sqrt((residual**2).sum(axis=0) / (n - 2))
    u = np.linalg.svd(unit, full_matrices=False)[0][:, :3]
    loadings = s.X.T @ u
    df = n - 2 - 3
    psi = ((residual**2).sum(axis=0) - (loadings**2).sum(axis=1)) / df
    noise = squeeze_variances(psi, df).s2_post
    w = 1 / noise
    centred = loadings - w @ loadings / w.sum()
    response = coef[1] - w @ coef[1] / w.sum()
    moment = (centred * w[:, None]).T @ centred
    omega = np.linalg.solve(moment, (centred * w[:, None]).T @ response)
    reliability = np.eye(3) - m * np.linalg.inv(moment)
    mended = np.linalg.solve(reliability, omega)
    assert_allclose(result.tests.estimate[:, 0], coef[1] - loadings @ mended, rtol=0, atol=1e-11)
    left = (response - centred @ omega) * w
    sandwich = np.linalg.solve(moment, (centred * left[:, None] ** 2).T @ centred) @ np.linalg.inv(moment)
    covariance = np.linalg.solve(reliability, sandwich * m / (m - 4)) @ np.linalg.inv(reliability).T
    extra = np.einsum("jk,kl,jl->j", loadings, covariance, loadings)
    x = design[:, 1] - design[:, 1].mean()
    own = psi * (1 / (x @ x) + mended @ mended)
    assert_allclose(result.tests.std_error[:, 0] ** 2, own + extra, rtol=1e-10)


def test_a_common_mean_effect_is_no_confounding() -> None:
    """Effects with a mean, and loadings with a mean: without centring the one is taken for the other."""
    rng = np.random.default_rng(5)
    n, m = 40, 2000
    x = np.repeat([0.0, 1.0], n // 2)
    z = rng.normal(size=n)
    loadings = 1.0 + 0.5 * rng.normal(size=m)
    effects = 1.0 + 0.3 * rng.normal(size=m)
    X = np.outer(x, effects) + np.outer(z, loadings) + 0.5 * rng.normal(size=(n, m))
    found = la.adjust(X, la.Design.from_arrays(x, primary_names=["x"]), method=DSVA(1)).tests.estimate[:, 0]
    assert abs(np.mean(found - effects)) < 0.1


def test_unknown_compat_is_refused() -> None:
    with pytest.raises(la.exceptions.MethodError, match="dSVA"):
        reference_result("sim2", DSVA(1, compat="sva"))


@pytest.mark.slow
@pytest.mark.parametrize("family", ["base", "no factors", "strong confounding", "dense effects"])
def test_type_one_error(family: str) -> None:
    """Measured over 10 studies: 0.052, 0.045, 0.052; dense effects 0.054."""
    assert 0.04 < null_rates(DSVA(), family, 10).mean() < 0.06
