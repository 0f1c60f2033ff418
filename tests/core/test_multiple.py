"""Adjusted p-values, pi0 and q-values against R (p.adjust, qvalue 2.30), definitions and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from latentadj.core.multiple import STOREY_LAMBDAS, adjust_pvalues, pi0_estimate, q_values
from latentadj.exceptions import InputError, MethodError
from tests.reference_data import load_reference

P_VALUES = load_reference("qvalue", "pvalues")
ANSWERS = load_reference("qvalue", "reference")
PI0 = load_reference("qvalue", "pi0")
CASES = sorted(P_VALUES)
LAMBDA_OPTIONS = {
    "smoother": {},
    "bootstrap": {"method": "bootstrap"},
    "log": {"smooth_log": True},
    "single": {"lambdas": [0.5]},
    "ten": {"lambdas": np.arange(10) * 0.1},
    "many": {"lambdas": np.linspace(0.01, 0.95, 95)},
    "uneven": {"lambdas": [0.1, 0.15, 0.3, 0.5, 0.55, 0.8]},
}


def kept(values):
    """Take the rows of which the reference answers are stored."""
    step = 1 if len(values) < 1000 else 4 if len(values) < 10_000 else 20
    return values[::step]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("method", ["bh", "by", "holm", "bonferroni"])
def test_adjusted_pvalues_equal_r(case, method):
    # the same few products in another order: round-off only
    np.testing.assert_allclose(
        kept(adjust_pvalues(P_VALUES[case], method)), ANSWERS[f"{case}__{method}"], rtol=1e-12, atol=0
    )


@pytest.mark.parametrize("method", ["bh", "by"])
def test_step_up_equals_scipy(method):
    p = np.random.default_rng(1).beta(0.4, 1.0, size=500)
    np.testing.assert_allclose(adjust_pvalues(p, method), false_discovery_control(p, method=method), rtol=1e-12)


def test_holm_rejects_as_the_definition_says():
    p = np.random.default_rng(2).beta(0.1, 1.0, size=60)
    ranked = np.sort(p)
    passed = ranked <= 0.05 / np.arange(60, 0, -1)
    n_rejected = 60 if passed.all() else int(np.argmin(passed))
    assert 0 < n_rejected < 60
    assert np.count_nonzero(adjust_pvalues(p, "holm") <= 0.05) == n_rejected


@pytest.mark.parametrize("method", ["bh", "by", "holm", "bonferroni", "none"])
def test_missing_values_stay_and_do_not_count(method):
    p = np.array([0.01, np.nan, 0.2, 0.03, np.nan])
    adjusted = adjust_pvalues(p, method)
    assert np.isnan(adjusted[[1, 4]]).all()
    np.testing.assert_array_equal(adjusted[[0, 2, 3]], adjust_pvalues(p[[0, 2, 3]], method))


@pytest.mark.parametrize("function", [adjust_pvalues, q_values])
def test_empty_and_all_missing_come_back(function):
    assert function(np.array([])).shape == (0,)
    assert np.isnan(function(np.full(3, np.nan))).all()


def test_input_is_not_changed():
    p = np.array([0.5, 0.1, np.nan, 0.9, 0.2])
    before = p.copy()
    for method in ("bh", "by", "holm", "bonferroni", "none"):
        adjust_pvalues(p, method)[:] = 7.0
    q_values(p, pi0=0.5)[:] = 7.0
    np.testing.assert_array_equal(p, before)


@pytest.mark.parametrize("function", [adjust_pvalues, q_values, pi0_estimate])
def test_unusable_pvalues_are_named(function):
    with pytest.raises(InputError, match=r"2 of 3 p-values lie outside \[0, 1\] \(the first is 1\.2\)"):
        function(np.array([0.5, 1.2, -0.1]))
    with pytest.raises(InputError, match=r"shape \(2, 2\)"):
        function(np.full((2, 2), 0.5))


def test_unknown_methods_are_named():
    with pytest.raises(MethodError, match="'fdr'"):
        adjust_pvalues([0.1], "fdr")
    with pytest.raises(MethodError, match="'spline'"):
        q_values([0.1], method="spline")
    with pytest.raises(MethodError, match="'spline'"):
        pi0_estimate([0.1], method="spline")


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("option", sorted(LAMBDA_OPTIONS))
def test_pi0_equals_qvalue(case, option):
    expected = float(PI0[f"{case}__{option}"])
    if np.isnan(expected):
        pytest.skip("qvalue stops here: no p-value reaches the largest cut-off")
    # 95 cut-offs put knots so close that the linear system of either program keeps about 10 digits
    tolerance = 1e-9 if option == "many" else 1e-11
    assert pi0_estimate(P_VALUES[case], **LAMBDA_OPTIONS[option]).pi0 == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("case", [case for case in CASES if case != "small"])
def test_pi0_curves_equal_qvalue(case):
    result = pi0_estimate(P_VALUES[case])
    np.testing.assert_array_equal(result.lambdas, STOREY_LAMBDAS)
    np.testing.assert_allclose(result.pi0_lambda, ANSWERS[f"{case}__curve"], rtol=1e-14)
    np.testing.assert_allclose(result.pi0_smooth, ANSWERS[f"{case}__curve_smoother"], rtol=0, atol=1e-11)


@pytest.mark.parametrize("case", [case for case in CASES if case != "small"])
@pytest.mark.parametrize("method", ["smoother", "bootstrap"])
def test_q_values_equal_qvalue(case, method):
    # q is pi0 times ratios of the p-values, so it inherits the agreement of pi0
    np.testing.assert_allclose(
        kept(q_values(P_VALUES[case], method=method)), ANSWERS[f"{case}__q_{method}"], rtol=0, atol=1e-11
    )


@pytest.mark.parametrize("case", CASES)
def test_positive_fdr_equals_qvalue_where_that_is_defined(case):
    ours, theirs = kept(q_values(P_VALUES[case], pi0=0.7, pfdr=True)), ANSWERS[f"{case}__q_pfdr"]
    defined = ~np.isnan(theirs)
    # the reference computes 1 - (1 - p)^m literally, which keeps 9 digits at p = 1e-7
    np.testing.assert_allclose(ours[defined], theirs[defined], rtol=1e-8)
    assert not np.isnan(ours[~np.isnan(kept(P_VALUES[case]))]).any()


def test_positive_fdr_has_its_limit_at_zero():
    p = np.linspace(0.1, 1.0, 10)
    at_zero, near_zero = (q_values(np.append(p, x), pi0=0.5, pfdr=True)[-1] for x in (0.0, 1e-14))
    assert at_zero == pytest.approx(near_zero, rel=1e-12)


def test_pi0_of_one_is_benjamini_hochberg():
    p = P_VALUES["missing"]
    np.testing.assert_allclose(q_values(p, pi0=1.0), adjust_pvalues(p, "bh"), rtol=1e-14)


def test_pi0_estimate_is_close_to_the_truth():
    rng = np.random.default_rng(5)
    estimates = []
    for _ in range(40):
        p = np.concatenate([rng.uniform(size=7000), rng.beta(0.1, 8.0, size=3000)])
        estimates.append([pi0_estimate(p, method=m).pi0 for m in ("smoother", "bootstrap")])
    # the sd of one estimate is about 0.03; the mean of 40 then has a standard error of 0.005
    np.testing.assert_allclose(np.mean(estimates, axis=0), 0.7, atol=0.02)


def test_q_values_control_the_false_discovery_rate():
    rng = np.random.default_rng(6)
    is_null = np.arange(2000) < 1600
    proportions, n_found = [], 0
    for _ in range(60):
        p = np.where(is_null, rng.uniform(size=2000), rng.beta(0.1, 20.0, size=2000))
        called = q_values(p) <= 0.1
        n_found += called.sum()
        proportions.append((called & is_null).sum() / max(called.sum(), 1))
    # one proportion has sd 0.02, their mean 0.003: the interval is more than five standard errors wide each
    # way
    assert n_found / 60 > 200
    assert 0.08 < np.mean(proportions) < 0.12


def test_pi0_failures_say_what_to_do():
    with pytest.raises(InputError, match=r"must be positive.*pi0=1 is safe"):
        pi0_estimate(np.full(50, 0.01))
    with pytest.raises(InputError, match=r"lambda=0\.95.*smooth_log=False"):
        pi0_estimate(P_VALUES["small"], smooth_log=True)
    with pytest.raises(InputError, match="empty or all NaN"):
        pi0_estimate([np.nan])
    with pytest.raises(InputError, match="pi0=0"):
        q_values([0.1, 0.2], pi0=0)


@pytest.mark.parametrize(
    ("lambdas", "message"),
    [([0.1, 0.2], "at least four"), ([0.1, 0.2, 0.3, 1.0], r"\[0, 1\)"), ([0.1, 0.1, 0.3, 0.5], "twice")],
)
def test_unusable_cut_offs_are_named(lambdas, message):
    with pytest.raises(InputError, match=message):
        pi0_estimate(P_VALUES["sim1"], lambdas=lambdas)


def test_default_cut_offs_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        STOREY_LAMBDAS[0] = 0.5
