"""Minimum-effect tests against limma's treat, against integration, and under the null."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from latentadj.core.multiple import adjust_pvalues
from latentadj.core.treat import MinimumEffectTests, minimum_effect_tests
from latentadj.core.variance import squeeze_variances
from latentadj.exceptions import InputError
from tests.core.limma_pieces import STORED_10, STUDIES, fitted, pieces

VARIANTS = {"treat02": (0.2, False), "treat_fc12_trend": (np.log2(1.2), True)}


def treated(name: str, threshold: float, trend: bool) -> tuple[MinimumEffectTests, np.ndarray]:
    fit = fitted(name)
    prior = squeeze_variances(fit.sigma2, fit.df_resid, covariate=fit.mean if trend else None)
    error = np.sqrt(fit.contrast_variance(np.eye(fit.coef.shape[1]), prior.s2_post))
    return minimum_effect_tests(fit.coef, error, prior.df_total, threshold), fit.coef


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", STUDIES)
def test_is_treat(name: str, variant: str) -> None:
    """Ten digits are stored; t inside the interval is an exact 0."""
    tests, _ = treated(name, *VARIANTS[variant])
    stored = pieces(name)
    for part, ours in (("t", tests.statistic), ("p", tests.p_value)):
        theirs = stored[f"limma_{variant}_{part}"]
        np.testing.assert_allclose(ours[: len(theirs)], theirs, rtol=STORED_10, err_msg=part)


@pytest.mark.parametrize("name", STUDIES)
def test_is_top_treat(name: str) -> None:
    """Row, logFC, AveExpr, t, P.Value and adj.P.Val of the top 30, in order; 12 digits are stored."""
    tests, coef = treated(name, 0.2, trend=False)
    table = pieces(name)["topTreat"]
    rows = table[:, 0].astype(int) - 1
    p = tests.p_value[:, 1]
    np.testing.assert_allclose(coef[rows, 1], table[:, 1], rtol=1e-10)
    np.testing.assert_allclose(tests.statistic[rows, 1], table[:, 3], rtol=1e-10)
    np.testing.assert_allclose(p[rows], table[:, 4], rtol=2e-10)
    np.testing.assert_allclose(adjust_pvalues(p)[rows], table[:, 5], rtol=2e-10)
    assert (np.diff(p[rows]) >= 0).all()
    assert p[rows[-1]] <= np.sort(p)[len(rows)] * (1 + 1e-9)


@pytest.mark.parametrize("df", [1.0, 1.4, 3.0, 12.5, 200.0, np.inf])
def test_average_is_the_integral_over_null_effects(df: float) -> None:
    """Adaptive quadrature reaches 1e-10; narrow and wide intervals, inside and far outside."""
    law = stats.norm if np.isinf(df) else stats.t(df)
    error = 0.3
    for estimate in (0.0, 0.2, -1.0, 4.0):
        for threshold in (1e-6, 0.1, 0.5, 0.7, 3.0):
            found = minimum_effect_tests([[estimate]], [[error]], df, threshold, null="average").p_value[0, 0]
            size = abs(estimate)

            def tails(effect: float, size: float = size) -> float:
                return float(law.sf((size - effect) / error) + law.sf((size + effect) / error))

            points = [size] if size < threshold else None
            expected = integrate.quad(tails, 0, threshold, epsrel=1e-12, epsabs=0, points=points)[0] / threshold
            np.testing.assert_allclose(found, expected, rtol=1e-9, err_msg=f"{df}, {estimate}, {threshold}")


@pytest.mark.parametrize("null", ["worst", "average"])
def test_without_a_threshold_it_is_the_t_test(null: str) -> None:
    rng = np.random.default_rng(0)
    estimate, error = rng.normal(size=(50, 2)) * 3, rng.uniform(0.5, 2, size=(50, 2))
    tests = minimum_effect_tests(estimate, error, 7.0, 0.0, null=null)
    np.testing.assert_allclose(tests.statistic, estimate / error, rtol=1e-14)
    np.testing.assert_allclose(tests.p_value, 2 * stats.t.sf(np.abs(estimate / error), 7), rtol=1e-12)


def test_worst_case_bounds_the_error_rate_in_the_whole_interval() -> None:
    """Effects at the end are the least favourable: 0.05 there, less inside; n = 40,000: 0.05 has error 0.0011."""
    rng = np.random.default_rng(1)
    m, df, threshold = 40_000, 6, 1.0
    error = np.sqrt(rng.chisquare(df, size=m) / df)
    rates = {}
    for effect in (0.0, 0.5, 1.0):
        estimate = effect + rng.normal(size=m)
        for null in ("worst", "average"):
            tests = minimum_effect_tests(estimate[:, None], error[:, None], df, threshold, null=null)
            rates[null, effect] = (tests.p_value < 0.05).mean()
    assert abs(rates["worst", 1.0] - 0.05) < 0.005
    assert rates["worst", 0.0] < rates["worst", 0.5] < 0.05
    assert rates["average", 0.0] < 0.05 < rates["average", 1.0]  # no bound at the end of the interval


def test_average_is_uniform_when_null_effects_are() -> None:
    """The mean error rate over effects uniform within the interval is the nominal one."""
    rng = np.random.default_rng(2)
    m, df = 60_000, 8
    estimate = rng.uniform(-0.8, 0.8, size=m) + rng.normal(size=m)
    error = np.sqrt(rng.chisquare(df, size=m) / df)
    p = minimum_effect_tests(estimate[:, None], error[:, None], df, 0.8, null="average").p_value
    assert abs((p < 0.05).mean() - 0.05) < 0.004


def test_missing_stays_missing_and_thresholds_may_differ() -> None:
    tests = minimum_effect_tests([[np.nan, 2.0], [1.0, 2.0]], [[1.0, 1.0], [np.nan, 1.0]], [5, 5], [0.1, 3.0])
    assert np.isnan(tests.p_value[:, 0]).all()
    assert np.isnan(tests.statistic[:, 0]).all()
    assert (tests.statistic[:, 1] == 0).all()
    averaged = minimum_effect_tests([[np.nan, 2.0]], [[1.0, 1.0]], 5, 0.5, null="average").p_value
    assert np.isnan(averaged[0, 0])
    assert np.isfinite(averaged[0, 1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"threshold": -1.0}, "not negative"),
        ({"threshold": [0.1, 0.2, 0.3]}, "do not fit"),
        ({"null": "upshot"}, "worst"),
        ({"std_error": [[1.0]]}, "both must be"),
        ({"df": [3.0]}, "do not fit"),
    ],
)
def test_bad_arguments(change: dict, message: str) -> None:
    arguments = {"estimate": np.ones((2, 1)), "std_error": np.ones((2, 1)), "df": 4.0, "threshold": 0.1} | change
    with pytest.raises(InputError, match=message):
        minimum_effect_tests(**arguments)
