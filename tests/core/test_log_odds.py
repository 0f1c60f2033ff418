"""Log-odds B against limma 3.54.1, against their definition by integration, and at their limits."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy import integrate, stats

from latentadj.core.log_odds import log_odds
from latentadj.core.matrix import ArrayMatrix
from latentadj.core.regression import RegressionFit, fit_regression
from latentadj.core.variance import squeeze_variances
from latentadj.exceptions import InputError
from tests.reference_data import ReferenceData, bladder_reference, load_reference, sim1, sim2

DATA = {"bladder": bladder_reference, "sim1": sim1, "sim2": sim2}
VARIANTS = {"plain": (False, False), "trend": (True, False), "robust": (False, True)}
# The case tables hold limma's own t and df, so only the formulas differ: rounding, measured 4e-15 relative.
EXACT = 1e-12
# From the data on, the error of sigma2 and of the robust root (1e-9 in d0) comes in; measured 2e-11 at |B| = 150.
FROM_DATA = 1e-9
# limma takes normal tails in B when its prior is infinite; see test_infinite_prior_keeps_the_df_of_the_p_value.
CASES = sorted(name for name in load_reference("limma_log_odds", "log_odds") if name.startswith("case_"))
MODERATE = [name for name in CASES if name != "case_infinite_prior"]


@cache
def store() -> dict[str, np.ndarray]:
    return load_reference("limma_log_odds", "log_odds")


@cache
def fitted(name: str) -> RegressionFit:
    data: ReferenceData = DATA[name]()
    return fit_regression(ArrayMatrix(data.X), store()[f"{name}_design"])


def case(name: str, variant: int) -> tuple[np.ndarray, ...]:
    """Unscaled error, t, df, s2_prior, B."""
    table = store()[name]
    return (table[:, 0], *table[:, 1 + 4 * variant : 5 + 4 * variant].T)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", DATA)
def test_data_sets_match_limma(name: str, variant: str) -> None:
    fit, (trend, robust) = fitted(name), VARIANTS[variant]
    prior = squeeze_variances(fit.sigma2, fit.df_resid, covariate=fit.mean if trend else None, robust=robust)
    unscaled = np.sqrt(np.diag(fit.cov_unscaled))
    t = fit.coef / (unscaled * np.sqrt(prior.s2_post)[:, None])
    found = log_odds(t, unscaled, prior.df_total, prior.s2_prior)
    stored = store()[f"{name}_lods"].reshape(-1, 3, t.shape[1])[:, list(VARIANTS).index(variant)]
    np.testing.assert_allclose(found[: len(stored)], stored, rtol=0, atol=FROM_DATA)


@pytest.mark.parametrize("variant", [0, 1], ids=["plain", "robust"])
@pytest.mark.parametrize("name", MODERATE)
def test_edge_cases_match_limma(name: str, variant: int) -> None:
    unscaled, t, df, s2_prior, expected = case(name, variant)
    found = log_odds(t[:, None], unscaled[:, None], df, s2_prior)[:, 0]
    np.testing.assert_allclose(found, expected, rtol=EXACT, atol=EXACT)


def test_edge_cases_reach_what_their_names_say() -> None:
    assert np.isnan(case("case_missing", 0)[4]).sum() > 50
    assert np.unique(case("case_mixed_df", 0)[2]).size == 4
    _, t, df, *_ = case("case_p_underflows_mixed_df", 0)
    hidden = 2 * stats.t.sf(np.abs(t), df) == 0
    assert (hidden & (df < df.max())).sum() > 2
    assert np.median(case("case_large_units", 0)[3]) > 1e6 * np.median(case("case_tiny_units", 0)[3])


def test_infinite_prior_keeps_the_df_of_the_p_value() -> None:
    """limma: normal tails in B, t tails with the pooled df in p; here both have the pooled df."""
    unscaled, t, df, s2_prior, expected = case("case_infinite_prior", 0)
    assert df[0] == 300 * 60
    found = log_odds(t[:, None], unscaled[:, None], df, s2_prior)[:, 0]
    gap = np.abs(found - expected)
    # With d = 18,000 the two tails differ by a few t^4 / d in the exponent, nothing for small t.
    assert gap.max() > 1e-6
    assert np.all(gap <= (t**4 + 10 * t**2) / df + 1e-9)
    np.testing.assert_array_equal(np.argsort(found), np.argsort(expected))


@pytest.mark.parametrize("df", [3.0, 40.0, np.inf])
def test_is_the_log_ratio_of_marginal_densities(df: float) -> None:
    """B minus the prior log-odds is log p(t | effect) - log p(t | none), integrated over the effect.

    Given the residual variance, t = (effect / (u s)) + noise, and an effect of variance v0 s^2 widens the law of
    t from T_df to sqrt(1 + v0 / u^2) T_df. Equal limits make v0 known.
    """
    rng = np.random.default_rng(4)
    u, v0, s2 = 0.4, 0.7, 3.0
    t = rng.standard_t(5, size=50)
    found = log_odds(t[:, None], [u], df, s2, limits=(np.sqrt(v0 * s2),) * 2, proportion=0.2)[:, 0]

    def marginal(x: float, wide: float) -> float:
        # t is normal given the chi-square draw w of the variance: an integral that does not use the t density.
        law = (lambda w: stats.norm.pdf(x, scale=wide)) if np.isinf(df) else None
        if law is not None:
            return law(1.0)
        inner = lambda w: stats.norm.pdf(x, scale=wide * np.sqrt(df / w)) * stats.chi2.pdf(w, df)  # noqa: E731
        return integrate.quad(inner, 0, df + 40 * np.sqrt(df), epsabs=1e-13, epsrel=1e-11, limit=200)[0]

    wide = np.sqrt(1 + v0 / u**2)
    expected = [np.log(marginal(x, wide) / marginal(x, 1.0)) + np.log(0.2 / 0.8) for x in t]
    # The integrals are good to 1e-9 relative, far tails of the chi-square being cut at 40 deviations.
    np.testing.assert_allclose(found, expected, atol=1e-7)


def test_finds_the_variance_of_simulated_effects() -> None:
    """With many effects of variance v0 the estimate, read back from B, is near v0."""
    rng = np.random.default_rng(8)
    m, u, v0 = 200_000, 0.5, 2.0
    effect = np.sqrt(v0) * rng.normal(size=m) * (rng.random(m) < 0.01)
    t = ((effect + u * rng.normal(size=m)) / u)[:, None]
    at_zero = log_odds(np.append(t, [[0.0]], axis=0), [u], np.inf, 1.0)[-1, 0] - np.log(0.01 / 0.99)
    estimated = u**2 * (np.exp(-2 * at_zero) - 1)
    # Spread over 20 other seeds: 3 %.
    assert estimated == pytest.approx(v0, rel=0.12)


def test_units_of_measurement_do_not_matter() -> None:
    rng = np.random.default_rng(1)
    t = rng.standard_t(9, size=(300, 2)) * 1.5
    base = log_odds(t, [0.3, 0.5], 9, 2.0, limits=(0.1, 4.0))
    scaled = log_odds(t, [0.3, 0.5], 9, 2.0 * 1e6, limits=(100.0, 4000.0))
    np.testing.assert_allclose(scaled, base, rtol=1e-12)


def test_without_moderation_limits_are_residual_deviations() -> None:
    t = np.random.default_rng(1).standard_t(9, size=(300, 1))
    expected = log_odds(t, [0.3], 9, 1.0)
    for s2_prior in (np.nan, np.full(300, np.nan)):
        np.testing.assert_array_equal(log_odds(t, [0.3], 9, s2_prior), expected)


def test_extreme_statistics_stay_finite_and_ordered() -> None:
    t = np.array([0.0, 1e-9, 1.0, 40.0, 1e8, 1e200, np.inf])[:, None]
    for df in (4.0, 1e6):
        for unscaled in (0.3, 1e-9):
            found = log_odds(t, [unscaled], df, 1.0)[:, 0]
            assert np.isfinite(found).all()
            assert (np.diff(found) >= 0).all()
            # As t grows, B tends to its limit (d / 2) log r + prior odds, r = 1 + v0 / u^2; all v0 = 16 here.
            limit = 0.5 * df * np.log1p(log_odds_v0(found[0])) + np.log(0.01 / 0.99)
            assert found[-1] == pytest.approx(limit, rel=1e-6)
    normal = log_odds(t[:-1], [0.3], np.inf, 1.0)[:, 0]
    assert (np.diff(normal) >= 0).all()


def log_odds_v0(at_zero: float) -> float:
    """v0 / u^2 read back from B at t = 0, where B is the prior log-odds minus half of log(1 + v0 / u^2)."""
    return float(np.expm1(-2 * (at_zero - np.log(0.01 / 0.99))))


def test_missing_entries_give_nan_and_do_not_move_others() -> None:
    rng = np.random.default_rng(2)
    t, u, df = rng.standard_t(6, size=(200, 2)) * 2, rng.uniform(0.2, 0.5, (200, 2)), np.full(200, 6.0)
    more = np.vstack([t, [[np.nan, 3.0], [9.0, np.nan], [9.0, 9.0], [9.0, 9.0]]])
    wider = np.vstack([u, [[0.3, np.nan], [np.nan, 0.3], [0.3, np.nan], [np.nan, 0.3]]])
    more_df = np.append(df, [6.0, 6.0, np.nan, np.nan])
    found = log_odds(more, wider, more_df, 1.0)
    np.testing.assert_allclose(found[:200], log_odds(t, u, df, 1.0), rtol=1e-13)
    assert np.isnan(found[200:]).all()
    assert np.isnan(log_odds(np.full((3, 1), np.nan), [0.3], 5.0, 1.0)).all()
    assert log_odds(np.empty((0, 2)), [0.3, 0.3], 5.0, 1.0).shape == (0, 2)


def test_columns_are_independent_and_signs_do_not_matter() -> None:
    t = np.random.default_rng(3).standard_t(6, size=(300, 3)) * [1, 2, 3]
    joint = log_odds(t, [0.2, 0.3, 0.4], 6, 1.0)
    for j, u in enumerate([0.2, 0.3, 0.4]):
        np.testing.assert_array_equal(joint[:, [j]], log_odds(-t[:, [j]], [u], 6, 1.0))


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ((np.ones(3), [0.3], 5), {}, "t\\[:, None\\]"),
        ((np.ones((3, 2)), [0.3], 5), {}, "stdev_unscaled \\(1,\\)"),
        ((np.ones((3, 1)), [0.3], [5, 5]), {}, "df \\(2,\\)"),
        ((np.ones((3, 1)), [0.3], 5), {"proportion": 0.0}, "proportion is 0.0"),
        ((np.ones((3, 1)), [0.3], 5), {"limits": (4.0, 0.1)}, "limits are"),
    ],
)
def test_wrong_input_is_named(arguments: tuple, options: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        log_odds(*arguments, 1.0, **options)
