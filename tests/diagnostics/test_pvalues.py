"""The classes of p-value histograms, from p-values whose cause is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from latentadj.core.qvalue import pi0_estimate
from latentadj.diagnostics import classify_pvalues, pvalue_counts, term_pvalues
from latentadj.exceptions import InputError
from tests.diagnostics.studies import bladder, hidden_batch, quiet


def two_sided(z: np.ndarray) -> np.ndarray:
    return 2 * stats.norm.sf(np.abs(z))


def with_effects(z: np.ndarray, share: float, size: float) -> np.ndarray:
    return z + size * (np.arange(z.size) < share * z.size)


SHAPES = {
    "uniform": lambda z: two_sided(z),
    "uniform+spike": lambda z: two_sided(with_effects(z, 0.1, 4.0)),
    "inflated": lambda z: two_sided(1.6 * z),
    "conservative": lambda z: two_sided(0.6 * z),
    "u_shaped": lambda z: two_sided(with_effects(0.6 * z, 0.15, 5.0)),
    "discrete": lambda z: np.ceil(stats.norm.cdf(z) * 50) / 50,
}


@pytest.mark.parametrize("m", [2000, 20000])
@pytest.mark.parametrize("verdict", SHAPES)
def test_known_causes_get_their_class(verdict, m):
    found = [
        classify_pvalues(SHAPES[verdict](np.random.default_rng(seed).normal(size=m))).verdict for seed in range(20)
    ]
    # at 2,000 features the comparisons are decided by about two standard errors
    assert found.count(verdict) >= (20 if m == 20000 else 18)


@pytest.mark.parametrize("m", [150, 1000, 20000])
def test_uniform_pvalues_are_rarely_called_anything_else(m):
    # each of the comparisons needs three standard errors and 15 %, so a few per thousand draws can go wrong
    rng = np.random.default_rng(7)
    wrong = sum(classify_pvalues(rng.uniform(size=m)).verdict != "uniform" for _ in range(300))
    assert wrong <= 9


def test_spread_of_the_null_decides_about_inflation():
    rng = np.random.default_rng(1)
    verdicts = {s: classify_pvalues(two_sided(s * rng.normal(size=50000))).verdict for s in (1.0, 1.05, 1.3, 3.0)}
    assert verdicts[1.0] == "uniform"
    assert verdicts[1.05] != "inflated"
    assert verdicts[1.3] == verdicts[3.0] == "inflated"


def test_one_sided_tests_of_two_sided_effects_are_u_shaped():
    z = with_effects(with_effects(np.random.default_rng(0).normal(size=5000), 0.2, 4.0)[::-1], 0.2, -4.0)
    assert classify_pvalues(stats.norm.sf(z)).verdict == "u_shaped"


def test_a_hidden_balanced_factor_is_conservative_and_one_factor_repairs_it():
    result = hidden_batch(n_factors=3)
    null = np.arange(result.n_features) >= 60
    before = classify_pvalues(result.unadjusted_tests.p_value[null, 0])
    after = classify_pvalues(result.tests.p_value[null, 0])
    assert (before.verdict, after.verdict) == ("conservative", "uniform")
    assert before.level == "warning"
    assert after.level == "ok"


def test_a_hidden_confounder_is_inflated_and_one_factor_repairs_it():
    rng = np.random.default_rng(3)
    x = rng.normal(size=60)
    z = 0.6 * x + 0.8 * rng.normal(size=60)
    X = np.outer(z, rng.normal(size=3000)) + rng.normal(size=(60, 3000))
    result = quiet(X, x, n_factors=1)
    assert classify_pvalues(result.unadjusted_tests.p_value[:, 0]).verdict == "inflated"
    assert classify_pvalues(result.tests.p_value[:, 0]).verdict == "uniform"


def test_numbers_behind_the_verdict():
    p = two_sided(1.5 * np.random.default_rng(5).normal(size=40001))
    found = classify_pvalues(p).statistics
    # lambda is the median of z^2 over that of a chi-square, here 1.5^2; its standard error is about 0.02
    assert found["inflation"] == pytest.approx(2.25, abs=0.08)
    assert found["spread"] == pytest.approx(np.sqrt(found["inflation"]), rel=1e-12)
    assert found["inflation"] == pytest.approx(stats.chi2.isf(np.median(p), 1) / stats.chi2.median(1), rel=1e-10)
    assert found["pi0"] == pi0_estimate(p).pi0
    assert found["below_05"] == np.mean(p < 0.05)


def test_missing_values_are_left_out_and_few_have_no_shape():
    p = np.random.default_rng(0).uniform(size=1000)
    with_gaps = np.insert(p, [0, 500], np.nan)
    assert classify_pvalues(with_gaps).statistics == classify_pvalues(p).statistics
    assert classify_pvalues(p[:99]).verdict == "too_few"
    assert classify_pvalues([np.nan]).verdict == "too_few"


def test_underflowed_pvalues_are_a_spike_and_not_discrete():
    p = np.r_[np.zeros(900), np.random.default_rng(0).uniform(size=1000)]
    assert classify_pvalues(p).verdict == "uniform+spike"


def test_values_that_are_no_pvalues_are_refused():
    with pytest.raises(InputError, match=r"2 of 3 p-values are outside \[0, 1\]"):
        classify_pvalues([0.2, -1.0, 3.0])


def test_message_holds_name_class_cause_and_next_step():
    check = classify_pvalues(np.random.default_rng(0).uniform(size=500), name="age")
    assert str(check) == f"age: uniform. {check.cause} {check.next_step}"


def test_terms_with_several_columns_are_tested_jointly():
    result = bladder()
    name, p = term_pvalues(result)
    assert name == "cancer (joint F test)"
    np.testing.assert_array_equal(p, result.tidy("cancer", joint=True)["p_value"])
    name, p = term_pvalues(result, "cancer[T.Normal]", "unadjusted")
    assert name == "cancer[T.Normal]"
    np.testing.assert_array_equal(p, result.unadjusted_tests.p_value[:, 1])
    with pytest.raises(InputError, match="'sex' was not tested"):
        term_pvalues(result, "sex")


def test_counts_are_those_of_a_histogram():
    result = bladder()
    table = pvalue_counts(result, "cancer[T.Normal]", bins=20)
    p = result.tests.p_value[:, 1]
    assert table["adjusted"].tolist() == [
        int(np.sum((p >= low) & ((p < high) | (high == 1.0)))) for low, high in zip(table["low"], table["high"])
    ]
    assert table["adjusted"].sum() == table["unadjusted"].sum() == np.isfinite(p).sum()
    assert table["expected"].iloc[0] == pytest.approx(np.isfinite(p).sum() / 20)
