"""Tests that effects are larger than what matters: with factors, calibrations, contrasts by name."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import latentadj as la
from latentadj.exceptions import FormulaError, InputError, MethodError
from latentadj.results.minimum_effect import beyond
from latentadj.results.table import COLUMNS

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")


def study(seed: int = 0, m: int = 1500, effect: float = 0.0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Three groups of 20, one hidden factor correlated with them; the first 100 features have the effect in group b."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"group": np.repeat(list("abc"), 20)}, index=[f"s{i}" for i in range(60)])
    b = (table["group"] == "b").to_numpy(dtype=float)
    z = rng.normal(size=60) + 1.2 * b
    X = rng.normal(size=(60, m)) * rng.uniform(0.5, 1.5, size=m) + np.outer(z, rng.normal(size=m))
    X[:, :100] += effect * b[:, None]
    return pd.DataFrame(X, index=table.index).add_prefix("g"), table


@pytest.fixture(scope="module")
def adjusted() -> la.AdjustmentResult:
    X, table = study(effect=2.0)
    return la.adjust(X, "~ group", table, method="cate", n_factors=1)


def test_columns_and_what_stays(adjusted) -> None:
    treated, plain = adjusted.treat(lfc=0.5), adjusted.tidy()
    assert list(treated.columns) == list(COLUMNS)
    same = ["feature", "term", "estimate", "std_error", "conf_low", "conf_high", "df", "mean", "estimate_unadjusted"]
    pd.testing.assert_frame_equal(treated[same], plain[same])
    assert (treated["p_value"] >= plain["p_value"]).all()


def test_by_hand_with_the_error_of_the_link(adjusted) -> None:
    """Standard errors are those of the table, which hold the uncertainty of the estimated confounding."""
    assert adjusted.fit.link is not None
    table = adjusted.treat(fold_change=2**0.5, term="group[T.b]")
    size, error, df = (table[name].to_numpy() for name in ("estimate", "std_error", "df"))
    far, near = (np.abs(size) + 0.5) / error, (np.abs(size) - 0.5) / error
    np.testing.assert_allclose(table["p_value"], stats.t.sf(near, df) + stats.t.sf(far, df), rtol=1e-10)
    np.testing.assert_allclose(table["statistic"], np.where(near > 0, np.sign(size) * near, 0.0), rtol=1e-12)


def test_without_a_threshold_it_is_the_table(adjusted) -> None:
    for which in ("adjusted", "unadjusted", "uncalibrated"):
        pd.testing.assert_frame_equal(adjusted.treat(lfc=0.0, which=which), adjusted.tidy(which=which), rtol=1e-10)


def test_a_contrast_is_what_its_columns_say(adjusted) -> None:
    """The difference to the reference by levels is the column itself; a reversed difference has the sign reversed."""
    column = adjusted.treat(lfc=0.4, term="group[T.b]")
    named, reverse = (adjusted.treat(lfc=0.4, term=t) for t in ("group[b] - group[a]", "group[a] - group[b]"))
    np.testing.assert_allclose(named["p_value"], column["p_value"], rtol=1e-12)
    np.testing.assert_allclose(reverse["statistic"], -column["statistic"], rtol=1e-12)
    np.testing.assert_array_equal(named["p_value_unadjusted"], reverse["p_value_unadjusted"])
    terms = adjusted.treat(lfc=0.4, term=["group", "group[b] - group[c]"])["term"].unique()
    assert list(terms) == ["group[T.b]", "group[T.c]", "group[b] - group[c]"]


@pytest.mark.parametrize("confounded", [False, True])
def test_level_at_the_end_of_the_interval(confounded: bool) -> None:
    """Every feature has the effect 0.5 in group b against c: 0.05 at the threshold, less below it; 3000 features.

    With confounding the unadjusted fit does not keep it.
    """
    rng = np.random.default_rng(1)
    group = np.repeat(list("bc"), 30)
    b = (group == "b").astype(float)
    z = rng.normal(size=60) + (1.2 * b if confounded else 0.0)
    m = 3000
    effects = np.where(np.arange(m) % 20 == 0, rng.choice([-0.5, 0.5], m), 0.0)
    X = rng.normal(size=(60, m)) + np.outer(z, rng.normal(size=m)) + np.outer(b, effects)
    res = la.adjust(X, "~ group", pd.DataFrame({"group": group}), method="cate", n_factors=1)
    ends = effects != 0
    at_the_end = [res.treat(lfc=0.5, which=which)["p_value"].to_numpy() < 0.05 for which in ("adjusted", "unadjusted")]
    assert at_the_end[0][ends].mean() < 0.05 + 3 * np.sqrt(0.05 * 0.95 / ends.sum())
    assert at_the_end[0][~ends].mean() < 0.02
    assert (at_the_end[1][~ends].mean() > 0.05) == confounded


@pytest.mark.parametrize("calibration", ["mad", "empirical_null", "bacon", "control_variance"])
def test_calibrated_tests_keep_their_null_distribution(calibration: str) -> None:
    X, table = study(2, effect=2.0)
    res = la.adjust(
        X, "~ group", table, method="none", calibration=calibration, controls=np.arange(500, 1500), inference="ordinary"
    )
    np.testing.assert_allclose(res.treat(lfc=0.0)["p_value"], res.tidy()["p_value"], rtol=1e-8)
    p = [res.treat(lfc=lfc)["p_value"].to_numpy() for lfc in (0.0, 0.3, 0.6)]
    assert (p[0] <= p[1] + 1e-12).all()
    assert (p[1] <= p[2] + 1e-12).all()
    plain = res.treat(lfc=0.3, which="uncalibrated")["p_value"].to_numpy()
    scale = res.tests.calibration_record.scale[0]
    assert scale > 1.2  # the hidden factor inflates group b
    assert (p[1][:1500] < 0.01).sum() < (plain[:1500] < 0.01).sum()


def test_a_centred_null_moves_the_interval() -> None:
    """Statistics (z - c) / s with known c and s: the threshold applies to the estimate without the offset."""
    X, table = study(3)
    res = la.adjust(X, "~ group", table, method="none", inference="pooled", calibration="mad")
    record, raw = res.tests.calibration_record, res.uncalibrated_tests
    z = stats.norm.isf(raw.p_value / 2) * np.sign(raw.estimate)
    error = raw.estimate / z
    size = np.abs(raw.estimate - record.centre * error)
    expected = stats.norm.sf((size - 0.3) / (record.scale * error)) + stats.norm.sf(
        (size + 0.3) / (record.scale * error)
    )
    np.testing.assert_allclose(beyond(res.tests, 0.3).p_value, expected, rtol=1e-6)


def test_features_that_cannot_be_tested_stay() -> None:
    X, table = study(4, m=60)
    X["g5"] = 1.0
    tidy = la.adjust(X, "~ group", table, method="none").treat(lfc=0.1)
    row = tidy[tidy["feature"] == "g5"]
    assert row["p_value"].isna().all()
    assert (row["status"] == "constant").all()
    assert len(tidy) == 120


def test_refusals(adjusted) -> None:
    for given in ({}, {"lfc": 0.5, "fold_change": 1.2}):
        with pytest.raises(InputError, match="Say once"):
            adjusted.treat(**given)
    with pytest.raises(InputError, match="at least 1"):
        adjusted.treat(fold_change=0.5)
    with pytest.raises(InputError, match="at least 0"):
        adjusted.treat(lfc=-1)
    with pytest.raises(FormulaError, match="not a design column"):
        adjusted.treat(lfc=1, term="grape")
    with pytest.raises(MethodError, match="which="):
        adjusted.treat(lfc=1, which="both")
    X, table = study(5, m=300)
    ranks = la.adjust(X, "~ group", table, method="none", calibration="control_ecdf", controls=np.arange(250))
    with pytest.raises(MethodError, match="uncalibrated"):
        ranks.treat(lfc=0.5)
    with pytest.raises(MethodError, match="of its own"):
        ranks.treat(lfc=0.5, term="group[b] - group[c]")
    assert ranks.treat(lfc=0.5, term="group[b] - group[c]", which="uncalibrated")["p_value"].notna().all()
