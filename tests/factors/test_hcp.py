"""Hidden covariates with prior; the update equations are tested in tests/core/test_hidden_covariates.py.

There are no stored numbers of the program: its start is random.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import latentadj as la
from latentadj.core.alignment import canonical_correlations
from latentadj.factors.hcp import HCP
from tests.factors.stored import null_rates
from tests.parity.studies import study

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")


def noisy_study(seed: int = 0, n: int = 30, m: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Features, primary, a weak hidden factor and three technical variables that follow it."""
    rng = np.random.default_rng(seed)
    x, z = np.repeat([0, 1], n // 2), rng.normal(size=n)
    X = np.outer(z, 0.4 * rng.normal(size=m)) + rng.normal(size=(n, m))
    return X, x, z, z[:, None] + 0.3 * rng.normal(size=(n, 3))


def test_hidden_factors_are_found() -> None:
    data = study("sim1").data
    factors = study("sim1").adjust(HCP(3), allow_invalid=True).factors.to_numpy()
    assert canonical_correlations(factors, data.sample_data[["z1", "z2", "z3"]].to_numpy()).min() > 0.9
    assert_allclose(np.abs(factors.T @ factors), np.eye(3), atol=1e-10)


def test_without_covariates_it_is_principal_components() -> None:
    data = study("sim2").data
    fitted = HCP(2).fit(data.X, data.sample_data["x"])
    unit = data.X - data.X.mean(axis=0)
    unit = unit / np.linalg.norm(unit, axis=0)
    components = np.linalg.svd(unit, full_matrices=False)[0][:, :2]
    assert fitted.estimate_.details["n_covariates"] == 0
    assert_allclose(canonical_correlations(fitted.factors_, components), 1.0, atol=1e-6)


def test_technical_covariates_help_where_the_factor_is_weak() -> None:
    gains = []
    for seed in range(8):
        X, x, z, technical = noisy_study(seed)
        alone, helped = (HCP(1, covariates=c, prior=5.0).fit(X, x).factors_[:, 0] for c in (None, technical))
        gains.append(abs(np.corrcoef(helped, z)[0, 1]) - abs(np.corrcoef(alone, z)[0, 1]))
    assert np.mean(gains) > 0.03


def test_covariates_by_name_and_by_default() -> None:
    """Columns of the sample table by name equal their values; the default is the design's nuisance columns."""
    X, x, _, technical = noisy_study()
    table = pd.DataFrame(technical, columns=["a", "b", "c"]).assign(x=x)
    named = la.adjust(X, "~ x", table, method=HCP(1, covariates=["a", "b", "c"]), allow_invalid=True).factors.to_numpy()
    given = la.adjust(X, "~ x", table, method=HCP(1, covariates=technical), allow_invalid=True).factors.to_numpy()
    assert_allclose(named, given, rtol=0, atol=1e-12)
    default = la.adjust(X, "~ x | a + b", table, method=HCP(1), allow_invalid=True)
    same = la.adjust(X, "~ x | a + b", table, method=HCP(1, covariates=["a", "b"]), allow_invalid=True)
    assert default.estimate.details["n_covariates"] == 2
    assert_allclose(default.factors, same.factors, rtol=0, atol=1e-12)


def test_categories_become_indicators() -> None:
    X, x, z, _ = noisy_study()
    batch = np.where(z > 0, "late", "early")
    codes = np.column_stack([batch == "early", batch == "late"]).astype(float)
    words, numbers = (HCP(1, covariates=c).fit(X, x).factors_ for c in (batch, codes))
    assert_allclose(words, numbers, rtol=0, atol=1e-12)


def test_strong_ridge_drops_covariates() -> None:
    X, x, _, technical = noisy_study()
    with pytest.warns(la.exceptions.FactorLimitWarning, match="shrunk to nothing"):
        fitted = HCP(6, covariates=technical, ridge_loadings=4.0).fit(X, x)
    assert fitted.n_factors_ < 6


@pytest.mark.parametrize(
    "options", [{"prior": 0.0}, {"ridge_loadings": -1.0}, {"ridge_covariates": np.inf}, {"tol": 0.0}, {"max_iter": 0}]
)
def test_options_are_checked(options: dict) -> None:
    with pytest.raises(la.exceptions.MethodError, match="HCP"):
        study("sim2").adjust(HCP(1, **options), allow_invalid=True)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["base", "no factors", "strong confounding"])
def test_type_one_error(family: str) -> None:
    assert 0.04 < null_rates(HCP(), family, 10).mean() < 0.06


@pytest.mark.slow
def test_type_one_error_where_many_features_respond_is_too_high() -> None:
    """The reason for the caution on the card: 0.08 to 0.1 with 40 % one-sided effects."""
    assert 0.06 < null_rates(HCP(), "one-sided effects", 6).mean() < 0.12
