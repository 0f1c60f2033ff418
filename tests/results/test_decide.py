"""Classification of a result's tests, and contrasts in lists."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import latentadj as la
from latentadj.core.decide import decide_tests, joint_p_values
from latentadj.exceptions import FormulaError, InputError, MethodError, NotEstimableError
from latentadj.results.contrasts import contrast_table
from tests.results.test_treat import study

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")
METHODS = ("separate", "global", "hierarchical", "nestedF")
PAIRS = ["group[b] - group[a]", "group[c] - group[a]", "group[b] - group[c]"]


@pytest.fixture(scope="module")
def adjusted() -> la.AdjustmentResult:
    X, table = study(effect=2.0)
    return la.adjust(X, "~ group", table, method="cate", n_factors=1)


@pytest.mark.parametrize("method", METHODS)
def test_finds_the_effects_and_says_how(adjusted, method: str) -> None:
    calls = adjusted.decide(method, terms=PAIRS)
    assert calls.shape == (1500, 3)
    assert (calls.dtypes == np.int8).all()
    assert list(calls.columns) == PAIRS
    assert calls.index[3] == "g3"
    assert (calls.iloc[:100, [0, 2]] == 1).mean().min() > 0.8
    assert (calls.iloc[100:] != 0).any(axis=1).mean() < 0.02
    summary = pd.DataFrame(calls.attrs["summary"])
    assert (summary.sum() == 1500).all()
    assert summary.loc["up", PAIRS[0]] == (calls[PAIRS[0]] == 1).sum()
    assert calls.attrs["lfc"] == 0
    assert calls.attrs["tests"] == "uncalibrated"


def test_separate_is_the_table(adjusted) -> None:
    table, calls = adjusted.tidy(p_adjust="holm"), adjusted.decide(p_adjust="holm", p_value=0.01)
    by_hand = np.sign(table["estimate"]) * (table["p_adjusted"] < 0.01)
    np.testing.assert_array_equal(calls.to_numpy().T.ravel(), by_hand)
    assert list(calls.columns) == list(adjusted.tests.names)


def test_correlations_are_each_features_own(adjusted) -> None:
    """With the error of the link the correlation of two contrasts differs between features."""
    from latentadj.results.chosen_tests import chosen_tests

    chosen = chosen_tests(adjusted, PAIRS[:2], "adjusted")
    assert chosen.correlation.shape == (1500, 2, 2)
    assert np.ptp(chosen.correlation[:, 0, 1]) > 1e-4
    joint = joint_p_values(chosen.tests.statistic, chosen.correlation, chosen.tests.df)
    np.testing.assert_allclose(joint, adjusted.tidy(joint=True)["p_value"], rtol=1e-8)
    one_by_one = [
        decide_tests(t[None], p[None], method="nested_f", joint_p_value=[0.0], correlation=r, df=chosen.tests.df[j])
        if isinstance(chosen.tests.df, np.ndarray)
        else decide_tests(t[None], p[None], method="nested_f", joint_p_value=[0.0], correlation=r, df=chosen.tests.df)
        for j, (t, p, r) in enumerate(
            zip(chosen.tests.statistic[:200], chosen.tests.p_value[:200], chosen.correlation[:200])
        )
    ]
    together = decide_tests(
        chosen.tests.statistic[:200],
        chosen.tests.p_value[:200],
        method="nested_f",
        joint_p_value=np.zeros(200),
        correlation=chosen.correlation[:200],
        df=chosen.tests.df[:200] if isinstance(chosen.tests.df, np.ndarray) else chosen.tests.df,
    )
    np.testing.assert_array_equal(np.vstack(one_by_one), together)
    assert len(np.unique(together)) == 3


@pytest.mark.parametrize("method", METHODS)
def test_calibrated_results_are_classified_by_calibrated_tests(method: str) -> None:
    """A hidden factor inflates everything: calls without calibration are false, calibrated ones are few."""
    X, table = study(2)
    res = la.adjust(X, "~ group", table, method="none", calibration="empirical_null")
    calls, raw = res.decide(method), res.decide(method, which="uncalibrated")
    assert calls.attrs["tests"] == "empirical_null"
    assert raw.attrs["tests"] == "uncalibrated"
    assert (raw != 0).any(axis=1).sum() > 100
    assert (calls != 0).any(axis=1).sum() < 0.1 * (raw != 0).any(axis=1).sum()
    with pytest.raises(MethodError, match="of its own"):
        res.decide(method, terms=PAIRS)


def test_a_smallest_effect_is_tested_not_cut_off(adjusted) -> None:
    """The cut-off of limma lets estimates through that are above by chance; the test does not."""
    for method in METHODS[:3]:
        tested = adjusted.decide(method, lfc=1.0, terms=PAIRS)
        cut = adjusted.decide(method, lfc=1.0, terms=PAIRS, compat="limma")
        assert ((tested != 0) <= (cut != 0)).all(axis=None)
        assert 0 < (tested != 0).sum().sum() < 0.6 * (cut != 0).sum().sum()
    with pytest.raises(MethodError, match="hierarchical"):
        adjusted.decide("nestedF", lfc=0.5)


def test_per_feature_covariances_and_untestable_features() -> None:
    """Counts by a GLM: every feature has a covariance of its own; a feature without counts is not called."""
    rng = np.random.default_rng(6)
    group = pd.DataFrame({"group": np.repeat(list("abc"), 8)})
    mean = np.exp(rng.normal(4, 1, size=200))
    counts = rng.poisson(mean, size=(24, 200)).astype(float)
    counts[8:16, :20] = rng.poisson(4 * mean[:20], size=(8, 20))
    counts[:, 30] = 0
    res = la.adjust(counts, "~ group", group, method=la.NoFactors(model=la.GLMModel("poisson")))
    assert res.fit.cov_unscaled.ndim == 3
    for method in METHODS:
        calls = res.decide(method, p_value=0.001, terms=PAIRS)
        assert (calls.iloc[30] == 0).all()
        assert (calls.iloc[:20, [0, 2]] == 1).mean().min() > 0.9
        assert (calls.iloc[40:] != 0).any(axis=1).mean() < 0.02


class TestContrastLists:
    def test_rows_of_each(self, adjusted) -> None:
        table = contrast_table(adjusted, PAIRS)
        assert list(table["term"].unique()) == PAIRS
        assert len(table) == 4500
        single = contrast_table(adjusted, PAIRS[2])
        pd.testing.assert_frame_equal(table.iloc[3000:].reset_index(drop=True), single)

    def test_joint_f_does_not_depend_on_how_it_is_written(self, adjusted) -> None:
        whole = adjusted.tidy(joint=True)
        for texts in (PAIRS, PAIRS[1:], ["2 * group[T.b] - group[T.c]", "group[T.c]"]):
            table = contrast_table(adjusted, texts, joint=True)
            assert (table["df1"] == 2).all()
            assert len(table) == 1500
            np.testing.assert_allclose(table["p_value"], whole["p_value"], rtol=1e-7)
            np.testing.assert_allclose(table["p_value_unadjusted"], whole["p_value_unadjusted"], rtol=1e-9)
        one = contrast_table(adjusted, PAIRS[:1], joint=True)
        np.testing.assert_allclose(one["p_value"], contrast_table(adjusted, PAIRS[0])["p_value"], rtol=1e-9)

    def test_the_method_takes_lists(self, adjusted) -> None:
        pd.testing.assert_frame_equal(adjusted.contrast(PAIRS), contrast_table(adjusted, PAIRS))
        joint = adjusted.contrast(PAIRS, joint=True)
        assert joint["term"].unique().tolist() == ["; ".join(PAIRS)]

    def test_refusals(self, adjusted) -> None:
        with pytest.raises(InputError, match="No contrast"):
            contrast_table(adjusted, [])
        with pytest.raises(FormulaError, match="not a design column"):
            contrast_table(adjusted, [PAIRS[0], "group[d]"])
        with pytest.raises((FormulaError, NotEstimableError)):
            adjusted.decide(terms=["group[b]"])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"method": "nested"}, MethodError, "separate"),
        ({"p_adjust": "qvalue"}, MethodError, "bonferroni"),
        ({"p_value": 2.0}, InputError, "between 0 and 1"),
        ({"lfc": -1.0}, InputError, "at least 0"),
        ({"compat": "edgeR"}, MethodError, "limma"),
        ({"which": "both"}, MethodError, "unadjusted"),
    ],
)
def test_bad_arguments(adjusted, options, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        adjusted.decide(**options)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_false_discoveries_with_factors(method: str) -> None:
    """Mean false discovery proportion in what each rule controls, over 30 confounded studies with estimated factors.

    Tests of one contrast, all tests, or features.
    """
    proportions = []
    true = np.outer(np.arange(800) < 100, [True, False, True])
    for seed in range(30):
        X, table = study(100 + seed, m=800, effect=1.5)
        res = la.adjust(X, "~ group", table, method="cate", n_factors=1)
        found, real = res.decide(method, p_value=0.1, terms=PAIRS).to_numpy() != 0, true
        if method == "separate":
            found, real = found[:, :1], true[:, :1]
        elif method != "global":
            found, real = found.any(axis=1), true.any(axis=1)
        proportions.append((found & ~real).sum() / max(found.sum(), 1))
    assert np.mean(proportions) < 0.1 + 3 * np.std(proportions) / np.sqrt(30)
