"""Independent SVA against isva 1.10 with JADE.

Largest errors on sim1 and bladderbatch (first 1000 features): factors 1.1e-8 relative (the package stops its
rotations at angles of 1e-6), p-values 4e-8 relative above 1e-8; the package takes 1 - F(x) below.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import latentadj as la
from latentadj.core.alignment import align_factors, canonical_correlations
from latentadj.factors.confounder_screen import screened
from latentadj.factors.isva import ISVA
from tests.factors.stored import null_rates, stored
from tests.parity.studies import study

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")


def reference_result(name: str, method: la.LatentFactorEstimator) -> la.AdjustmentResult:
    """The study as isva saw it: one primary column, no nuisance columns, the first 1000 features."""
    data = study(name).data
    table = data.sample_data
    x = (table["cancer"] == "Cancer").astype(float) if name == "bladderbatch" else table["x"]
    return la.adjust(data.frame.iloc[:, :1000], "~ xx", table.assign(xx=x), method=method, inference="ordinary")


@pytest.mark.parametrize("name", ["sim1", "bladderbatch"])
def test_answers_of_the_package(name: str) -> None:
    isv, p = stored(name)["isva_isv"], stored(name)["isva_p"][:, 0]
    result = reference_result(name, ISVA(isv.shape[1], compat="isva"))
    factors = result.factors.to_numpy()
    assert factors.shape[1] == stored(name)["isva.nsv"]
    order, signs = align_factors(factors, isv)
    assert_allclose(factors[:, order] * signs, isv, rtol=0, atol=1e-7 * np.abs(isv).max())
    ours = result.tests.p_value[: len(p), 0]
    assert_allclose(ours, p, rtol=1e-6, atol=1e-15)


def test_default_does_not_depend_on_units_and_means() -> None:
    """Means of the features and a few noisy features change the package's factors, not ours."""
    data = study("sim1").data
    rng = np.random.default_rng(0)
    shift, noisy = rng.normal(size=1000) * 20, np.where(np.arange(1000) < 10, 100.0, 1.0)
    truth = data.sample_data[["z1", "z2", "z3"]].to_numpy()
    X = pd_like(data, (data.X + shift) * noisy)
    plain, package = (
        la.adjust(X, "~ x", data.sample_data, method=ISVA(3, compat=compat), inference="ordinary")
        for compat in (None, "isva")
    )
    same = la.adjust(data.frame, "~ x", data.sample_data, method=ISVA(3), inference="ordinary")
    assert_allclose(plain.tests.statistic, same.tests.statistic, rtol=1e-8)
    assert canonical_correlations(plain.factors.to_numpy(), truth).min() > 0.9
    assert canonical_correlations(package.factors.to_numpy(), truth).min() < 0.5


def pd_like(data, values):
    frame = data.frame.copy()
    frame.iloc[:, :] = values
    return frame


def test_fastica_spans_nearly_the_same() -> None:
    s = study("sim1")
    jade, fast = (s.adjust(ISVA(3, ica=ica)).factors.to_numpy() for ica in ("jade", "fastica"))
    assert canonical_correlations(jade, fast).min() > 0.99


def test_screen_keeps_columns_that_follow_a_confounder_more_closely_than_the_primary_variable() -> None:
    rng = np.random.default_rng(1)
    batch, y = np.tile(["a", "b"], 20), np.repeat([0.0, 1.0], 20)[:, None]
    follows = np.where(batch == "a", 1.0, -1.0)
    age = rng.normal(size=40)
    candidates = np.column_stack([follows, age, y[:, 0], rng.normal(size=40)])
    candidates = candidates + 0.1 * rng.normal(size=(40, 4))
    both = np.column_stack([batch, age.astype(object)])
    with pytest.warns(la.exceptions.FactorLimitWarning, match="3 of 4"):
        assert_allclose(screened(candidates, y, batch), candidates[:, [0]])
    with pytest.warns(la.exceptions.FactorLimitWarning, match="2 of 4"):
        assert_allclose(screened(candidates, y, both), candidates[:, [0, 1]])
    with pytest.warns(la.exceptions.FactorLimitWarning, match="4 of 4"):
        assert screened(candidates, y, y[:, 0]).shape == (40, 0)  # no closer than the primary variable itself


def test_confounders_decide_what_is_kept() -> None:
    rng = np.random.default_rng(2)
    batch = np.tile(["a", "b"], 20)
    X = np.outer(np.where(batch == "a", 1.0, -1.0), rng.normal(size=800)) + rng.normal(size=(40, 800))
    y = np.repeat([0, 1], 20)
    assert ISVA(1, confounders=batch).fit(X, y).n_factors_ == 1
    with pytest.warns(la.exceptions.FactorLimitWarning, match="1 of 1 factors follow no confounder"):
        assert ISVA(1, confounders=rng.normal(size=40)).fit(X, y).n_factors_ == 0


def test_repeated_columns_are_dropped() -> None:
    """With all features in every set the decompositions are one, and two directions can choose the same column."""
    X = np.random.default_rng(2).normal(size=(14, 60))
    fitted = ISVA(4).fit(X, np.repeat([0, 1], 7))
    assert np.linalg.matrix_rank(fitted.factors_) == fitted.n_factors_
    assert np.isfinite(fitted.loadings_).all()


@pytest.mark.parametrize("options", [{"ica": "infomax"}, {"compat": "sva"}, {"level": 0.0}, {"min_features": 1}])
def test_options_are_checked(options: dict) -> None:
    with pytest.raises(la.exceptions.MethodError):
        study("sim2").adjust(ISVA(1, **options))


@pytest.mark.slow
@pytest.mark.parametrize("family", ["base", "no factors", "strong confounding", "unequal variances"])
def test_type_one_error(family: str) -> None:
    assert 0.04 < null_rates(ISVA(), family, 10).mean() < 0.06
