"""Moderated variances against limma 3.54.1, against their defining equations, and against simulated truth."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, special, stats

from latentadj.core.variance import (
    VariancePrior,
    fit_f_distribution,
    fit_f_distribution_robustly,
    squeeze_variances,
    trigamma_inverse,
)
from latentadj.exceptions import InputError

STORE = Path(__file__).resolve().parents[1] / "reference" / "limma" / "variance.npz"
VARIANTS = {
    "plain": (False, False),
    "trend": (True, False),
    "robust": (False, True),
    "trend_robust": (True, True),
}
DATA_SETS = ("bladderbatch", "sim1", "sim2")
# The plain and trended fits are closed formulas: both sides are exact to rounding (measured 3e-14).
EXACT = 1e-11
# limma's root finder stops at 1e-8 in u = d0 / (1 + d0), hence a relative error of up to 1e-8 (1 + d0)^2 / d0
# in its d0; ours is solved to 1e-14. Measured: 2e-8 on the edge cases (d0 up to 600), 3e-10 on the data sets.
ROOT = 1e-7
ROOT_ON_DATA = 1e-9
# Stored t and p carry 10 significant digits: rounding error up to 5e-10; p also has the error of d0 above.
STATISTICS = 2e-9


@cache
def store() -> dict[str, np.ndarray]:
    with np.load(STORE) as archive:
        return {name: archive[name] for name in archive.files}


def case_names() -> list[str]:
    return [name.removeprefix("case_") for name in store() if name.startswith("case_")]


def answer(s2: np.ndarray, df: np.ndarray, level: np.ndarray, variant: str) -> VariancePrior:
    trend, robust = VARIANTS[variant]
    return squeeze_variances(s2, df, covariate=level if trend else None, robust=robust)


def columns(prior: VariancePrior) -> np.ndarray:
    shape = prior.s2_post.shape
    return np.column_stack(
        [np.broadcast_to(prior.df_prior, shape), np.broadcast_to(prior.s2_prior, shape), prior.s2_post]
    )


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", DATA_SETS)
def test_data_sets_match_limma(name: str, variant: str) -> None:
    s = store()
    prior = answer(s[f"{name}_s2"], s[f"{name}_df"], s[f"{name}_level"], variant)
    rows = s.get(f"{name}_rows", np.arange(s[f"{name}_s2"].size))
    tolerance = ROOT_ON_DATA if VARIANTS[variant][1] else EXACT
    np.testing.assert_allclose(columns(prior)[rows], s[f"{name}_{variant}"], rtol=tolerance)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", DATA_SETS)
def test_moderated_t_and_p_match_limma(name: str, variant: str) -> None:
    s = store()
    prior = answer(s[f"{name}_s2"], s[f"{name}_df"], s[f"{name}_level"], variant)
    coef = s[f"{name}_coef"]
    t = coef / (s[f"{name}_unscaled"] * np.sqrt(prior.s2_post[: len(coef), None]))
    df = np.broadcast_to(prior.df_total, prior.s2_post.shape)[: len(coef), None]
    np.testing.assert_allclose(t, s[f"{name}_{variant}_t"], rtol=STATISTICS)
    np.testing.assert_allclose(2 * special.stdtr(df, -np.abs(t)), s[f"{name}_{variant}_p"], rtol=STATISTICS)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", case_names())
def test_edge_cases_match_limma(name: str, variant: str) -> None:
    s2, df, level = store()[f"case_{name}"].T
    same = bool((df == df[0]).all())
    prior = answer(s2, df[0] if same else df, level, variant)
    tolerance = ROOT if VARIANTS[variant][1] else EXACT
    np.testing.assert_allclose(columns(prior), store()[f"{name}_{variant}"], rtol=tolerance)


def test_edge_cases_reach_every_branch() -> None:
    """The stored cases hold finite and infinite priors, with and without outliers, in the robust fit."""
    d0 = {name: store()[f"{name}_robust"][:, 0] for name in case_names()}
    assert np.isinf(d0["mixed_df_infinite_prior"]).all()
    two_outliers = d0["infinite_prior_two_outliers"]
    assert np.isfinite(two_outliers[:2]).all()
    assert np.isinf(two_outliers).sum() > 100
    assert d0["mixed_df_outliers"].min() < 0.5 < d0["mixed_df_outliers"].max() < 10
    assert d0["outlier_tail_underflows"].min() < 0.1


def test_trigamma_inverse_solves_its_equation() -> None:
    y = np.geomspace(1e-7, 1e9, 400)
    # Relative conditioning of the inverse is at most 1, so rounding of trigamma (few 1e-16) carries over.
    np.testing.assert_allclose(trigamma_inverse(special.polygamma(1, y)), y, rtol=1e-13)
    np.testing.assert_array_equal(trigamma_inverse([0, np.inf, -1, np.nan]), [np.inf, 0, np.nan, np.nan])


@pytest.mark.parametrize(("d", "d0", "s0"), [(4, 3.0, 0.2), (12, 20.0, 5.0), (50, 4.0, 1.0)])
@pytest.mark.parametrize("robust", [False, True])
def test_recovers_the_prior_it_was_drawn_from(d: int, d0: float, s0: float, robust: bool) -> None:
    s2 = s0 * np.random.default_rng(11).f(d, d0, size=40_000)
    prior = squeeze_variances(s2, d, robust=robust)
    # Monte Carlo error of d0 is below 4 % and of s0^2 below 2 % here (20 other seeds).
    assert np.median(prior.df_prior) == pytest.approx(d0, rel=0.12)
    assert prior.s2_prior == pytest.approx(s0, rel=0.05)


def test_trend_follows_the_level() -> None:
    rng = np.random.default_rng(5)
    level = rng.uniform(0, 10, 30_000)
    truth = np.exp(1.0 - 0.3 * level)
    s2 = truth * rng.f(8, 10, size=level.size)
    for robust in (False, True):
        prior = squeeze_variances(s2, 8, covariate=level, robust=robust)
        assert np.abs(np.log(prior.s2_prior / truth)).max() < 0.1
        assert np.median(prior.df_prior) == pytest.approx(10, rel=0.12)


def test_robust_root_satisfies_the_moment_equation() -> None:
    """Winsorised variance of log F(d, d0) at the returned d0, integrated adaptively, equals the sample's."""
    d, tails = 7, (0.05, 0.1)
    s2 = np.random.default_rng(2).f(d, 9, size=5000)
    s2[:50] *= 30  # the root is above the plain estimate, where the search starts
    d0 = fit_f_distribution_robustly(s2, d).df_prior
    assert d0 > 1.2 * fit_f_distribution(s2, d)[1]
    law = stats.f(d, d0)
    low, high = np.log(law.ppf(tails[0])), np.log(law.isf(tails[1]))

    def moment(k: int, centre: float) -> float:
        inner = integrate.quad(lambda z: (z - centre) ** k * law.pdf(np.exp(z)) * np.exp(z), low, high, epsabs=1e-13)[0]
        return inner + tails[0] * (low - centre) ** k + tails[1] * (high - centre) ** k

    z = np.log(s2)
    pulled = np.clip(z, *np.quantile(z, [tails[0], 1 - tails[1]]))
    # Both integrations are good to 1e-12; quantiles to about 1e-12.
    assert moment(2, moment(1, 0.0)) == pytest.approx(pulled.var(ddof=1), rel=1e-9)


def test_robust_prior_ignores_outliers_and_plain_does_not() -> None:
    rng = np.random.default_rng(8)
    s2 = rng.f(6, 15, size=4000)
    spoiled = s2.copy()
    spoiled[:80] *= 100
    clean, plain = squeeze_variances(s2, 6), squeeze_variances(spoiled, 6)
    robust = squeeze_variances(spoiled, 6, robust=True)
    bulk = np.median(robust.df_prior)
    assert plain.df_prior < 0.6 * clean.df_prior
    assert bulk == pytest.approx(clean.df_prior, rel=0.3)
    assert np.median(robust.df_prior[:80]) < 0.1 * bulk
    assert (np.diff(robust.df_prior[np.argsort(spoiled)]) <= 1e-12).all()


@pytest.mark.parametrize("robust", [False, True])
@pytest.mark.parametrize("trend", [False, True])
def test_null_false_positive_rate(robust: bool, trend: bool) -> None:
    rng = np.random.default_rng(21)
    n, d, d0 = 50_000, 4, 5
    level = rng.normal(size=n)
    sigma2 = np.exp(0.5 * level if trend else 0.0) * d0 / rng.chisquare(d0, n)
    s2 = sigma2 * rng.chisquare(d, n) / d
    prior = squeeze_variances(s2, d, covariate=level if trend else None, robust=robust)
    t = rng.normal(size=n) * np.sqrt(sigma2 / prior.s2_post)
    p = 2 * special.stdtr(prior.df_total, -np.abs(t))
    for nominal in (0.05, 0.01, 0.001):
        # 4.5 binomial standard errors plus 4 % for the estimation of the prior.
        slack = 4.5 * np.sqrt(nominal / n) + 0.04 * nominal
        assert np.mean(p < nominal) == pytest.approx(nominal, abs=slack)


@pytest.mark.parametrize("variant", VARIANTS)
def test_scale_and_order_do_not_matter(variant: str) -> None:
    s2, df, level = store()["case_mixed_df_outliers"].T
    base = columns(answer(s2, df, level, variant))
    scaled = columns(answer(2.0**20 * s2, df, level, variant)) / [1, 2.0**20, 2.0**20]
    order = np.random.default_rng(1).permutation(s2.size)
    shuffled = np.empty_like(base)
    shuffled[order] = columns(answer(s2[order], df[order], level[order], variant))
    # Logarithms of scaled variances round differently; the root amplifies that by about (1 + d0)^2 / d0.
    np.testing.assert_allclose(scaled, base, rtol=1e-10)
    np.testing.assert_allclose(shuffled, base, rtol=1e-10)


@pytest.mark.parametrize("seed", range(20))
def test_round_off_does_not_rank_features(seed: int) -> None:
    """A lowess curve through ten features leaves several with the same ratio but for the last digit."""
    rng = np.random.default_rng(seed)
    s2, level = rng.f(5, 2, size=10), rng.normal(size=10)
    one = squeeze_variances(s2, 5, covariate=level, robust=True)
    other = squeeze_variances(3.7 * s2, 5, covariate=2.3 * level - 11, robust=True)
    np.testing.assert_allclose(other.df_prior, one.df_prior, rtol=1e-8)  # root at 1e-14 in u, amplified


@pytest.mark.parametrize("variant", VARIANTS)
def test_constant_and_missing_features_change_nothing(variant: str) -> None:
    s2, df, level = store()["case_outliers"].T
    base = answer(s2, df[0], level, variant)
    extra = np.concatenate([[0.0, np.nan], s2, [0.0]])
    prior = answer(extra, df[0], np.concatenate([[1.0, np.nan], level, [0.5]]), variant)
    assert np.isnan(prior.s2_post[[0, 1, -1]]).all()
    np.testing.assert_array_equal(prior.s2_post[2:-1], base.s2_post)
    np.testing.assert_array_equal(np.broadcast_to(prior.df_total, extra.shape)[2:-1], base.df_total)


def test_known_variances_are_kept() -> None:
    prior = squeeze_variances([1.0, 2.0, 5.0], np.inf)
    np.testing.assert_array_equal(prior.s2_post, [1.0, 2.0, 5.0])
    assert prior.df_total == np.inf
    mixed = squeeze_variances([0.5, 1.0, 2.0, 7.0], [4.0, 4.0, 4.0, np.inf])
    alone = squeeze_variances([0.5, 1.0, 2.0], 4.0)
    assert mixed.df_prior == alone.df_prior
    assert mixed.s2_post[3] == 7.0
    assert mixed.df_total[3] == np.inf


def test_features_without_df_take_the_prior() -> None:
    s2 = np.array([0.1, 0.4, 2.0, 9.0, np.nan])
    prior = squeeze_variances(s2, [5.0, 5.0, 5.0, 5.0, 0.0])
    assert 0 < prior.df_prior < np.inf
    assert prior.s2_post[4] == prior.s2_prior
    assert prior.df_total[4] == prior.df_prior


@pytest.mark.parametrize("robust", [False, True])
@pytest.mark.parametrize("trend", [False, True])
@pytest.mark.parametrize("s2", [[], [2.0], [2.0, 0.0], [np.nan, np.nan], [0.0, 0.0, 0.0]])
def test_too_few_variances_are_left_alone(s2: list[float], trend: bool, robust: bool) -> None:
    values = np.array(s2, dtype=float)
    level = np.arange(values.size, dtype=float) if trend else None
    prior = squeeze_variances(values, 3, covariate=level, robust=robust)
    assert np.all(np.asarray(prior.df_prior) == 0)
    np.testing.assert_array_equal(prior.s2_post, np.where(values > 0, values, np.nan))


def test_total_df_is_capped_by_the_pooled_ones() -> None:
    prior = squeeze_variances([1.0, 1.1, 0.9], 4)
    assert prior.df_prior == np.inf
    assert prior.df_total == 12
    assert squeeze_variances([1.0, 1.1, 0.9, 1.2], [1.0, 2.0, 3.0, 4.0]).df_total.tolist() == [10.0] * 4


def test_infinite_prior_location() -> None:
    """Arithmetic mean; on request the geometric mean corrected for the bias of the logarithm."""
    s2, d = np.array([0.9, 1.0, 1.3]), 6
    assert fit_f_distribution(s2, d) == (pytest.approx(np.mean(s2), rel=1e-15), np.inf)
    legacy = np.exp(np.mean(np.log(s2)) - special.digamma(d / 2) + np.log(d / 2))
    fitted = squeeze_variances(s2, d, legacy_infinite_prior=True)
    assert fitted.s2_prior == pytest.approx(legacy, rel=1e-14)
    np.testing.assert_allclose(fitted.s2_post, legacy, rtol=1e-14)


def test_shapes_and_input_untouched() -> None:
    s2, df, level = store()["case_mixed_df"].T.copy()
    kept = s2.copy(), df.copy(), level.copy()
    plain, full = answer(s2, df[:1].repeat(s2.size), level, "plain"), answer(s2, df, level, "trend_robust")
    assert isinstance(plain.df_prior, float)
    assert isinstance(plain.s2_prior, float)
    assert isinstance(squeeze_variances(s2, 4).df_total, float)
    for value in (full.df_prior, full.s2_prior, full.s2_post, full.df_total, plain.df_total):
        assert value.shape == s2.shape
    for now, then in zip((s2, df, level), kept):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([[1.0]], 3), {}, r"\(p,\)"),
        (([1.0, -1.0, np.inf], 3), {}, "2 of 3 variances"),
        (([1.0, 2.0], -1), {}, "degrees of freedom"),
        (([1.0, 2.0], np.nan), {}, "degrees of freedom"),
        (([1.0, 2.0], [1, 2, 3]), {}, r"shape \(3,\).*2 variances"),
        (([1.0, 2.0], 3), {"covariate": [1.0]}, "covariate has shape"),
        (([1.0, 2.0], 3), {"covariate": [1.0, np.nan]}, "1 features"),
        (([1.0, 2.0], 3), {"robust": True, "winsor_tail": (0.05, 0.5)}, "winsor_tail"),
        (([1.0, 2.0], 3), {"robust": True, "winsor_tail": (0.05,)}, "winsor_tail"),
    ],
)
def test_bad_input_is_named(arguments: tuple, options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        squeeze_variances(*arguments, **options)


@pytest.mark.parametrize("s2", [[0.2, 0.9, 1.0, 1.4, 9.0], [1e-9, 0.5, 1.0, 2.0, 7.0], [0.0, np.nan, 1.0, 2.0, 9.0]])
def test_common_degrees_of_freedom_are_those_of_every_feature(s2):
    """One number takes a shorter way through the posterior than an array of equal ones."""
    short, long = squeeze_variances(s2, 4.0), squeeze_variances(s2, np.full(5, 4.0))
    np.testing.assert_allclose(short.s2_post, long.s2_post, rtol=1e-14)
    assert short.df_prior == pytest.approx(long.df_prior, rel=1e-13)


@pytest.mark.parametrize("low", [1e-9, 1e-6, 1e-4])
def test_the_floor_of_tiny_variances_is_the_median_s(low):
    """Whether the median has to be found is told from mean and minimum; the answer must not show it."""
    s2 = np.append(np.random.default_rng(0).chisquare(5, 999) / 5, low)
    floored = np.maximum(s2, 1e-5 * np.median(s2))
    assert fit_f_distribution(s2, 5.0) == pytest.approx(fit_f_distribution(floored, 5.0), rel=1e-13)
