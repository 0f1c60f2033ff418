"""RUV-inverse and RUV-rinverse.

Against ruv 0.9.7.1 (first 120 features, 12 digits stored). Effects and factors agree to the digits stored; the
package's variances come from a trapezoidal rule of its own, whose error is up to 3e-8 here (ours is 1e-14, see
`test_shares_are_the_expectation`). Largest relative errors measured over all data sets and forms:

==================  ========  =====================================================
beta                2.7e-10   RUVinv on bladderbatch, condition number 1e4; else 6e-11
multiplier          1.2e-12
ridge (lambda)      2.0e-12
factors W           2.0e-11   absolute, likewise
sigma2, df          2.9e-8    bladderbatch RUVinv; else 3e-9
t, p                1.5e-8
==================  ========  =====================================================
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import quad

import latentadj as la
from latentadj.core.control_spectrum import (
    control_spectrum,
    corrected_ridge_link,
    ridge_link,
    spectral_shares,
    spectral_variance,
)
from latentadj.factors.ruv_inverse import RUVInverse
from latentadj.factors.ruv_ridge_inverse import RUVRidgeInverse
from latentadj.simulation import FAMILIES, simulate
from tests.parity.studies import study
from tests.reference_data import load_reference

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")

CASES = [
    ("sim2", "RUVinv"),
    ("bladderbatch", "RUVinv"),
    *((name, key) for name in ("sim1", "sim2", "bladderbatch") for key in ("RUVinv_lambda1", "RUVrinv")),
]


def stored(name: str, key: str) -> dict[str, np.ndarray]:
    mark = f"{name}__ruv_{key}_"
    return {k[len(mark) :]: v for k, v in load_reference("ruv", "inverse").items() if k.startswith(mark)}


def result_of(name: str, key: str, compat: str | None = "ruv") -> la.AdjustmentResult:
    s = study(name)
    if key == "RUVrinv":
        method = RUVRidgeInverse(controls=s.data.controls, compat=compat)
    else:
        method = RUVInverse(controls=s.data.controls, ridge=1.0 if "lambda" in key else 0.0, compat=compat)
    return s.adjust(method, inference="ordinary")


@pytest.mark.parametrize(("name", "key"), CASES)
def test_parity(name: str, key: str) -> None:
    ref, result = stored(name, key), result_of(name, key)
    scalar = load_reference("ruv", "inverse")
    assert_allclose(result.tests.estimate[:120], ref["beta"], rtol=1e-9)
    assert_allclose(result.fit.sigma2[:120], ref["sigma2"][:, 0], rtol=1e-7)
    assert_allclose(result.tests.statistic[:120], ref["t"], rtol=1e-7)
    assert_allclose(result.tests.p_value[:120], ref["p"], rtol=1e-7)
    assert_allclose(result.fit.df_resid, scalar[f"{name}__ruv.{key}.df"][0], rtol=1e-7)
    primary = [i for i, role in enumerate(result.design.roles) if role == "primary"]
    assert_allclose(np.diag(result.fit.cov_unscaled)[primary], ref["multiplier"][:, 0], rtol=1e-11)
    factors = result.factors.to_numpy()
    signs = np.sign(np.einsum("ij,ij->j", factors, ref["W"]))
    assert_allclose(factors * signs, ref["W"], rtol=0, atol=1e-10)
    assert result.n_factors == scalar[f"{name}__ruv.{key}.k"][0]
    if key == "RUVrinv":
        assert_allclose(result.estimate.details["ridge"], scalar[f"{name}__ruv.{key}.lambda"][0], rtol=1e-11)


def test_shares_are_the_expectation() -> None:
    """Against adaptive quadrature of the defining integral, for spectra from flat to steep."""
    for values in (np.ones(4), np.array([1.0, 1.2, 3.0, 8.0, 40.0]), np.geomspace(1.0, 1e6, 30)):
        c = (values.min() / values) ** 2

        def integrand(u: float, i: int, c: np.ndarray = c) -> float:
            t = np.exp(u)
            return t * c[i] / (1 + 2 * c[i] * t) * np.exp(-0.5 * np.log1p(2 * c * t).sum())

        expected = [
            quad(integrand, -45, 120, args=(i,), points=[0.0], limit=500, epsabs=1e-13)[0] for i in range(len(c))
        ]
        shares = spectral_shares(values)
        assert_allclose(shares, expected, rtol=0, atol=1e-11)
        assert shares.sum() == pytest.approx(1.0, abs=1e-14)


def test_shares_by_simulation() -> None:
    values = np.array([1.0, 2.0, 5.0, 10.0, 10.0])
    x2 = np.random.default_rng(0).chisquare(1, size=(400_000, 5)) / values**2
    assert_allclose(spectral_shares(values), (x2 / x2.sum(axis=1, keepdims=True)).mean(axis=0), atol=3e-3)


def test_inverse_is_generalised_least_squares_with_the_controls_covariance() -> None:
    """With as many controls as needed and no correction, ``beta = (X' K X)^-1 X' K y`` for ``K = (Y_c Y_c')^-1``."""
    s = study("sim2")
    x, age = s.data.sample_data["x"].to_numpy(float), s.data.sample_data["age"].to_numpy()
    nuisance = np.column_stack([np.ones(len(x)), age])
    basis = np.linalg.qr(nuisance, mode="complete")[0][:, 2:]
    rotated, primary = basis.T @ s.data.X, basis.T @ x
    precision = np.linalg.inv(rotated[:, s.data.controls] @ rotated[:, s.data.controls].T)
    expected = primary @ precision @ rotated / (primary @ precision @ primary)
    assert_allclose(result_of("sim2", "RUVinv").tests.estimate[:, 0], expected, rtol=1e-9)


def test_variance_of_pure_noise_is_unbiased() -> None:
    rng = np.random.default_rng(1)
    spectrum = control_spectrum(rng.normal(size=(80, 12)))
    sigma2, df = spectral_variance(2.0 * rng.normal(size=(20_000, 12)), spectrum, 0.0)
    assert sigma2.mean() == pytest.approx(4.0, rel=0.02)
    assert np.var(sigma2) / 16.0 == pytest.approx(2.0 / df, rel=0.1)


def test_corrected_link_recovers_strong_confounding() -> None:
    """Noise in loadings and the ridge pull the plain link towards zero; the corrected one is not."""
    rng = np.random.default_rng(2)
    plain, corrected = [], []
    for _ in range(200):
        signal = np.zeros((100, 10))
        signal[:, 0] = 2.5 * rng.normal(size=100)
        loadings = signal + rng.normal(size=(100, 10))
        effects = 0.7 * signal[:, [0]] + rng.normal(size=(100, 1))
        spectrum = control_spectrum(loadings)
        plain.append(ridge_link(spectrum, effects, 100.0).omega[0, 0])
        corrected.append(corrected_ridge_link(spectrum, effects, 100.0, 100.0).omega[0, 0])
    assert np.mean(plain) < 0.6
    assert np.mean(corrected) == pytest.approx(0.7, abs=0.02)


def test_link_error_follows_the_signal() -> None:
    result = result_of("sim1", "RUVrinv", compat=None)
    covariance = result.estimate.link.covariance[0, :, 0]
    assert 1 <= result.estimate.details["n_signal"] <= 10
    assert (
        np.linalg.matrix_rank(covariance, tol=1e-10 * np.abs(covariance).max()) == result.estimate.details["n_signal"]
    )
    loadings = result.loadings.to_numpy()
    extra = np.einsum("mk,kl,ml->m", loadings, covariance, loadings)
    primary = result.design.roles.index("primary")
    own = result.fit.sigma2 * result.fit.cov_unscaled[primary, primary]
    assert_allclose(result.tests.std_error[:, 0] ** 2, own + extra, rtol=1e-10)


class TestNumber:
    def test_zero_is_least_squares(self) -> None:
        s = study("sim2")
        found = s.adjust(RUVInverse(0, controls=s.data.controls))
        np.testing.assert_array_equal(found.tests.p_value, s.adjust("none").tests.p_value)

    def test_other_numbers_are_all_with_a_warning(self) -> None:
        s = study("sim2")
        with pytest.warns(la.exceptions.FactorLimitWarning, match="uses all 9 residual directions"):
            found = s.adjust(RUVInverse(3, controls=s.data.controls))
        assert found.n_factors == 9


class TestRefusals:
    def test_too_few_controls(self) -> None:
        s = study("sim1")
        with pytest.raises(la.exceptions.ControlsError, match="at least 57 negative controls"):
            s.adjust(RUVInverse(controls=s.data.controls))
        assert s.adjust(RUVRidgeInverse(controls=np.arange(4))).n_factors == 57
        with pytest.raises(la.exceptions.ControlsError, match="at least 4 negative controls"):
            s.adjust(RUVRidgeInverse(controls=np.arange(3)))

    def test_too_few_samples(self) -> None:
        X = np.random.default_rng(0).normal(size=(5, 50))
        with pytest.raises(la.exceptions.DegreesOfFreedomError, match="at least 4 residual degrees of freedom"):
            RUVRidgeInverse(controls=np.arange(20)).fit(X, [0, 0, 1, 1, 1])

    def test_steep_spectrum(self) -> None:
        rng = np.random.default_rng(0)
        X = rng.normal(size=(12, 60))
        quiet = np.linalg.qr(np.column_stack([np.ones(12), np.repeat([0, 1], 6), rng.normal(size=12)]))[0][:, 2]
        X[:, :30] -= np.outer(quiet, quiet @ X[:, :30]) * (1 - 1e-4)
        with pytest.raises(la.exceptions.ControlsError, match="vary so little"):
            RUVInverse(controls=np.arange(30)).fit(X, np.repeat([0, 1], 6))

    @pytest.mark.parametrize("options", [{"compat": "vicar"}, {"ridge": -1.0}, {"ridge": "some"}, {"ridge": True}])
    def test_unknown_options(self, options: dict) -> None:
        s = study("sim2")
        with pytest.raises(la.exceptions.MethodError, match=next(iter(options))):
            s.adjust(RUVInverse(controls=s.data.controls, **options))


@pytest.mark.slow
@pytest.mark.parametrize("family", ["base", "strong confounding", "weak factors", "unequal variances", "no factors"])
@pytest.mark.parametrize("method", [RUVInverse, RUVRidgeInverse])
def test_null_features(method: type, family: str) -> None:
    """Type-I error at 0.05 over six studies of 1000 features; the literal ridge form reaches 0.12."""
    rates = []
    for seed in range(6):
        s = simulate(replace(FAMILIES[family], n_features=1000), 100 + seed)
        result = la.adjust(s.X, s.design, method=method(controls=s.truth.controls))
        rates.append(np.mean(result.tests.p_value[s.truth.is_null & ~s.truth.controls, 0] < 0.05))
    assert 0.025 < np.mean(rates) < 0.065
