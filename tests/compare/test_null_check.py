"""Checks with variables that have no effect: sound analyses pass, unsound ones do not."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

import numpy as np
import pandas as pd
import pytest

import latentadj as la
from latentadj.compare import NullCheck, null_check
from latentadj.exceptions import FormulaError, InputError
from latentadj.simulation import Scenario, simulate

CONFOUNDED = Scenario(n_samples=40, n_features=600, n_factors=2, confounding=0.6, effect_share=0.1)
CALM = Scenario(n_samples=30, n_features=600, n_factors=0, confounding=0.0)


@pytest.fixture(scope="module")
def study():
    return simulate(CONFOUNDED, 3)


@pytest.fixture(scope="module")
def sound(study) -> NullCheck:
    return null_check(study.X, study.design, method="cate", n_repeats=8)


def test_a_sound_analysis_is_trusted(sound):
    assert sound.trusted
    assert sound.verdict.startswith("The p-values can be trusted here: type-I error ")
    table = sound.summary().set_index("kind")
    assert table.index.tolist() == ["independent", "confounded"]
    assert table["type1_05"].between(0.035, 0.065).all()
    assert table["type1_001"].between(0, 0.004).all()
    assert (table["status"] == "ok").all()
    assert sound.confounding > 0.3


@pytest.mark.parametrize("method", ["none", "residual_pca"])
def test_an_analysis_that_leaves_the_confounding_in_is_not(study, method):
    check = null_check(study.X, study.design, method=method, n_repeats=6, allow_invalid=True)
    assert not check.trusted
    assert check.verdict.startswith("The p-values cannot be trusted here: too many are small for")
    table = check.summary().set_index("kind")
    assert table.loc["confounded", "type1_05"] > 0.15
    assert table.loc["confounded", "status"] == "inflated"


def test_plain_regression_is_trusted_where_nothing_is_hidden():
    quiet = simulate(CALM, 0)
    check = null_check(quiet.X, quiet.design, method="none", n_repeats=6)
    assert check.trusted
    assert check.confounding == 0
    assert set(check.frame["kind"]) == {"independent"}


def test_a_hidden_factor_makes_single_analyses_mislead(study):
    """Right on average over random variables, and yet wrong for many of them: correlated features."""
    balanced = simulate(replace(CONFOUNDED, factor_shape="balanced", confounding=0.0, n_samples=20), 1)
    check = null_check(balanced.X, balanced.design, method="none", n_repeats=20, confounding=0)
    row = check.summary().iloc[0]
    assert row["status"] in ("unstable", "inflated")
    assert row["highest"] > 0.1
    assert not check.trusted


def test_real_design_with_strata_and_formula():
    data = la.load_bladder()
    check = null_check(data.X.iloc[:, :800], "~ cancer", data.sample_data, method="cate", n_factors=2, n_repeats=3)
    assert check.summary()["n_ok"].tolist() == [3, 3]
    histogram = check.histogram()
    assert histogram.groupby("kind")["count"].sum().tolist() == [2400, 2400]


def test_names_options_and_controls_pass_through(study):
    names = [f"g{j}" for j in range(600)]
    table = pd.DataFrame({"x": study.design.primary[:, 0]}, index=[f"s{i}" for i in range(40)])
    X = pd.DataFrame(study.X, index=table.index, columns=names)
    controls = [names[j] for j in np.flatnonzero(study.truth.controls)]
    check = null_check(
        X.T, "~ x", table, orientation="features", method="ruv4", controls=controls, inference="ordinary", n_repeats=2
    )
    assert (check.frame["status"] == "ok").all(), check.frame["message"].tolist()
    assert check.result.method == "ruv4"


def test_same_seed_same_answer(study, sound):
    again = null_check(study.X, study.design, method="cate", n_repeats=8)
    pd.testing.assert_frame_equal(again.frame, sound.frame, check_exact=True)


def test_failures_give_no_answer(study, monkeypatch):
    real, calls = la.adjust, []

    def only_once(*args, **options):
        calls.append(1)
        if len(calls) > 1:
            raise InputError("no more")
        return real(*args, **options)

    # by module object: as an attribute of the package, `compare` is the function
    monkeypatch.setattr(import_module("latentadj.compare.pseudo_primary"), "adjust", only_once)
    check = null_check(study.X, study.design, method="cate", n_repeats=2)
    assert check.verdict.startswith("No answer")
    assert not check.trusted
    assert check.histogram().empty


def test_refusals(study):
    with pytest.raises(InputError, match="tests nothing"):
        null_check(study.X, "~ 1", pd.DataFrame({"a": np.arange(40.0)}), method="none")
    with pytest.raises(InputError, match="confounding"):
        null_check(study.X, study.design, method="cate", confounding=2.0)
    with pytest.raises(InputError, match="observed"):
        null_check(study.X, study.design, method="cate", confounding="much")
    with pytest.raises(FormulaError):
        null_check(study.X, "~ x")


def test_card(sound):
    assert "can be trusted" in sound._repr_html_()
    assert repr(sound).startswith("<NullCheck: CATE")


@pytest.mark.slow
@pytest.mark.parametrize("confounding", [0.0, 0.5])
def test_false_alarms_are_rare(confounding):
    """CATE on studies it is right for: of 20 checks hardly any raises an alarm."""
    alarms = 0
    for seed in range(20):
        made = simulate(replace(CONFOUNDED, confounding=confounding, n_features=400), 100 + seed)
        alarms += not null_check(made.X, made.design, method="cate", n_repeats=10).trusted
    assert alarms <= 2
