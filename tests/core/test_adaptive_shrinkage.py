"""Adaptive shrinkage: numerical integration, ashr's answers, invariances, and calibration on simulated truth."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import integrate, stats
from scipy.optimize import least_squares

from latentadj.core.adaptive_shrinkage import (
    check_estimates,
    fit_prior,
    normal_equivalent_errors,
    posterior_summary,
    s_values,
)
from latentadj.core.mixture_prior import (
    FAMILIES,
    MixturePrior,
    component_slopes,
    log_component_densities,
    mixture_components,
)
from latentadj.exceptions import InputError
from tests.reference_data import load_reference

every_family = pytest.mark.parametrize("family", FAMILIES)
CASES = [("normal", np.inf), ("uniform", np.inf), ("halfuniform", np.inf), ("uniform", 5.0), ("halfuniform", 2.0)]


def made_up(m=1500, null=0.7, seed=0, df=np.inf, sd=3.0):
    rng = np.random.default_rng(seed)
    effects = np.where(rng.random(m) < null, 0.0, sd * rng.normal(size=m))
    s = np.exp(0.3 * rng.normal(size=m))
    noise = rng.normal(size=m) if np.isinf(df) else rng.standard_t(df, size=m)
    return effects + s * noise, s, effects


def prior_density(prior, b):
    total = 0.0
    for k in range(1, prior.size):
        lower, upper, w = prior.lower[k], prior.upper[k], prior.weights[k]
        if prior.family == "normal":
            total += w * stats.norm.pdf(b, scale=upper)
        else:
            total += w * (lower <= b <= upper) / (upper - lower)
    return total


class TestAgainstIntegration:
    @pytest.mark.parametrize(("family", "df"), CASES)
    @pytest.mark.parametrize("x", [0.0, 0.8, -3.0, 6.0])
    def test_posterior(self, family, df, x):
        prior = mixture_components(family, np.array([0.5, 2.0, 7.0]))
        prior = prior.with_weights(np.arange(1.0, prior.size + 1) / np.arange(1.0, prior.size + 1).sum())
        s = 1.3
        error = stats.norm if np.isinf(df) else stats.t(df)

        def joint(b, power=0):
            return b**power * prior_density(prior, b) * error.pdf((x - b) / s) / s

        def integral(lo, hi, power=0):
            edges = sorted({lo, hi, *[p for p in (-7.0, -2.0, -0.5, 0.0, 0.5, 2.0, 7.0) if lo < p < hi]})
            parts = [integrate.quad(joint, a, b, args=(power,), epsabs=1e-13) for a, b in pairwise(edges)]
            return sum(value for value, _ in parts)

        reach = 45.0 if family == "normal" else 7.0
        at_zero = prior.weights[0] * error.pdf(x / s) / s
        total = integral(-reach, reach) + at_zero
        mean = integral(-reach, reach, 1) / total
        sd = np.sqrt(integral(-reach, reach, 2) / total - mean**2)
        found = posterior_summary(prior, [x], [s], df)
        assert_allclose(found.negative, integral(-reach, 0.0) / total, atol=1e-9)
        assert_allclose(found.positive, integral(0.0, reach) / total, atol=1e-9)
        assert_allclose(found.zero, at_zero / total, atol=1e-9)
        assert_allclose(found.mean, mean, atol=1e-8)
        assert_allclose(found.sd, sd, rtol=1e-7)
        density = np.exp(log_component_densities(prior, np.array([x]), np.array([s]), np.array([df])))
        assert_allclose(density @ prior.weights, total, rtol=1e-8)

    @pytest.mark.parametrize(("family", "df"), CASES)
    def test_slopes_are_derivatives(self, family, df):
        prior = mixture_components(family, np.array([0.05, 1.0, 6.0]))
        x, s, df = np.array([-4.0, 0.3, 2.0, 9.0]), np.array([0.7, 1.0, 2.0, 1.5]), np.full(4, df)
        log_f = log_component_densities(prior, x, s, df)
        first, second, by_scale = component_slopes(prior, x, s, df, log_f)
        h = 1e-4
        below, above = (log_component_densities(prior, x + step, s, df) for step in (-h, h))
        assert_allclose(first, (above - below) / (2 * h), atol=2e-6)
        assert_allclose(second - first**2, (above - 2 * log_f + below) / h**2, atol=2e-5)
        below, above = (log_component_densities(prior, x, s * np.exp(step), df) for step in (-h, h))
        assert_allclose(by_scale, (above - below) / (2 * h), rtol=1e-5, atol=2e-6)


class TestAshr:
    """All 200 features of sim2 through ashr's default: uniform mixture, t likelihood, penalty 10.

    ashr solves for the proportions on a low-rank approximation of the likelihood matrix, to a relative 1e-6; ours are
    exact, and everything is within 2e-5. With ashr's proportions, recovered from its own lfdr, the summaries agree to
    1e-8, the digits that are stored.
    """

    COLUMNS = {
        "NegativeProb": "negative",
        "PositiveProb": "positive",
        "lfsr": "lfsr",
        "lfdr": "zero",
        "PosteriorMean": "mean",
        "PosteriorSD": "sd",
    }

    @pytest.fixture
    def stored(self):
        answers = load_reference("vicar_mouthwash", "answers")
        return dict(zip(answers["vicar_ash_ruv4__cols"], answers["sim2__vicar_ash_ruv4"].T))

    def test_fit(self, stored):
        x, s, df = stored["betahat"], stored["sebetahat"], stored["df"]
        fit = fit_prior(x, s, df)
        found = posterior_summary(fit.prior, x, s, df)
        for theirs, ours in self.COLUMNS.items():
            assert_allclose(getattr(found, ours), stored[theirs], atol=2e-5, err_msg=theirs)
        assert_allclose(s_values(found.lfsr), stored["svalue"], atol=5e-6)
        assert_allclose(s_values(found.zero), stored["qvalue"], atol=5e-6)

    def test_posterior_under_their_proportions(self, stored):
        x, s, df = stored["betahat"], stored["sebetahat"], stored["df"]
        prior = fit_prior(x, s, df).prior
        held = np.flatnonzero(prior.weights > 0)

        def with_odds(log_odds):
            w = np.zeros(prior.size)
            w[held] = np.exp(np.append(0.0, log_odds))
            return prior.with_weights(w / w.sum())

        start = np.log(prior.weights[held][1:] / prior.weights[held][0])
        solved = least_squares(
            lambda odds: (posterior_summary(with_odds(odds), x, s, df).zero - stored["lfdr"]) * 1e4,
            start,
            xtol=1e-15,
            ftol=1e-15,
            gtol=1e-15,
        )
        found = posterior_summary(with_odds(solved.x), x, s, df)
        for theirs, ours in self.COLUMNS.items():
            assert_allclose(getattr(found, ours), stored[theirs], rtol=1e-7, atol=1e-8, err_msg=theirs)


class TestInvariance:
    @every_family
    def test_units(self, family):
        x, s, _ = made_up()
        one = posterior_summary(fit_prior(x, s, mixture=family).prior, x, s)
        other = posterior_summary(fit_prior(-7 * x, 7 * s, mixture=family).prior, -7 * x, 7 * s)
        assert_allclose(other.zero, one.zero, atol=1e-9)
        assert_allclose(other.negative, one.positive, atol=1e-9)
        assert_allclose(other.mean, -7 * one.mean, atol=1e-7)
        assert_allclose(other.sd, 7 * one.sd, rtol=1e-7)

    @every_family
    def test_feature_order_and_chunks(self, family, monkeypatch):
        x, s, _ = made_up()
        order = np.random.default_rng(3).permutation(x.size)
        one = posterior_summary(fit_prior(x, s, mixture=family).prior, x, s)
        monkeypatch.setattr("latentadj.core.adaptive_shrinkage.CHUNK", 97)
        other = posterior_summary(fit_prior(x[order], s[order], mixture=family).prior, x[order], s[order])
        assert_allclose(other.lfsr, one.lfsr[order], atol=1e-10)

    def test_alpha_one_is_shrinkage_of_standardised_effects(self):
        x, s, _ = made_up()
        fit, unit = fit_prior(x, s, 20.0, alpha=1.0), fit_prior(x / s, np.ones_like(s), 20.0)
        one, other = (
            posterior_summary(fit.prior, x, s, 20.0, alpha=1.0),
            posterior_summary(unit.prior, x / s, s / s, 20.0),
        )
        assert_allclose(fit.prior.weights, unit.prior.weights, atol=1e-10)
        assert_allclose(one.mean, s * other.mean, rtol=1e-9)
        assert_allclose(one.sd, s * other.sd, rtol=1e-9)
        assert_allclose(one.lfsr, other.lfsr, rtol=1e-9)

    def test_infinite_df_is_the_limit(self):
        x, s, _ = made_up(400)
        many, infinite = (posterior_summary(fit_prior(x, s, df).prior, x, s, df) for df in (1e9, np.inf))
        assert_allclose(many.lfsr, infinite.lfsr, atol=1e-6)

    def test_unusable_features_keep_their_place(self):
        x, s, _ = made_up(300)
        bad_x, bad_s = x.copy(), s.copy()
        bad_x[3], bad_s[7], bad_s[9], bad_s[11] = np.nan, 0.0, np.inf, np.nan
        good = np.setdiff1d(np.arange(300), [3, 7, 9, 11])
        found = posterior_summary(fit_prior(bad_x, bad_s).prior, bad_x, bad_s)
        expected = posterior_summary(fit_prior(x[good], s[good]).prior, x[good], s[good])
        assert_array_equal(np.flatnonzero(np.isnan(found.lfsr)), [3, 7, 9, 11])
        assert_allclose(found.lfsr[good], expected.lfsr, rtol=1e-9)
        assert np.isnan(posterior_summary(fit_prior([np.nan], [1.0]).prior, [np.nan], [1.0]).mean).all()


class TestStatistics:
    @pytest.mark.parametrize(
        ("family", "df"), [("normal", np.inf), ("uniform", np.inf), ("halfuniform", np.inf), ("uniform", 6.0)]
    )
    def test_rates_mean_what_they_say(self, family, df):
        """Among the called, the share of wrong signs is the average lfsr; the posterior mean beats the estimate."""
        x, s, effects = made_up(20_000, df=df, seed=11)
        found = posterior_summary(fit_prior(x, s, df, mixture=family).prior, x, s, df)
        called = s_values(found.lfsr) <= 0.1
        sign = np.where(found.positive > found.negative, 1, -1)
        wrong = np.mean(np.sign(effects[called]) != sign[called])
        assert called.sum() > 1000
        assert 0.06 < wrong < 0.11  # conservative: the penalty favours the null
        assert np.mean((found.mean - effects) ** 2) < 0.6 * np.mean((x - effects) ** 2)
        assert np.all(found.negative + found.positive + found.zero == pytest.approx(1.0))

    def test_null_data(self):
        x, s, _ = made_up(5000, null=1.0, seed=2)
        fit = fit_prior(x, s)
        assert fit.prior.null_weight > 0.95
        assert posterior_summary(fit.prior, x, s).lfsr.min() > 0.2
        assert abs(fit.log_bayes_factor) < 3

    def test_the_penalty_favours_the_null(self):
        x, s, _ = made_up(300)
        shares = [fit_prior(x, s, null_weight=w).prior.null_weight for w in (1.0, 10.0, 100.0)]
        assert shares[0] < shares[1] < shares[2]
        likelihoods = [fit_prior(x, s, null_weight=w).log_likelihood for w in (1.0, 10.0, 100.0)]
        assert likelihoods[0] > likelihoods[1] > likelihoods[2]

    def test_t_errors_taken_as_normal_look_like_effects(self):
        """Few degrees of freedom: with the t likelihood, and with the widened normal errors, no sign is sure at 0.1."""
        x, s, _ = made_up(5000, null=1.0, seed=5, df=4.0)
        wide = normal_equivalent_errors(x, s, 4.0)
        assert_allclose(2 * stats.norm.sf(np.abs(x) / wide), 2 * stats.t.sf(np.abs(x) / s, 4.0), rtol=1e-9)
        assert posterior_summary(fit_prior(x, s).prior, x, s).lfsr.min() < 0.01
        assert posterior_summary(fit_prior(x, s, 4.0).prior, x, s, 4.0).lfsr.min() > 0.1
        assert posterior_summary(fit_prior(x, wide, mixture="normal").prior, x, wide).lfsr.min() > 0.1

    def test_an_estimate_far_out(self):
        x, s = np.array([0.1, -0.2, 1e4, -3e3]), np.array([1.0, 1.0, 1.0, 0.01])
        for family in FAMILIES:
            found = posterior_summary(fit_prior(x, s, mixture=family).prior, x, s)
            assert np.isfinite(found.mean).all()
            assert_allclose(found.mean[2:], x[2:], rtol=1e-3)
            assert_allclose(found.lfsr[2:], 0.0, atol=1e-12)


def test_s_values_are_running_means_with_ties_shared():
    rates = np.array([0.5, 0.1, 0.5, 0.2, np.nan, 0.1])
    expected = [np.mean(rates[rates <= r]) if r == r else np.nan for r in rates]
    assert_allclose(s_values(rates), expected)


def test_prior_variance():
    normal = MixturePrior("normal", np.array([0.0, -2.0]), np.array([0.0, 2.0]), np.array([0.5, 0.5]))
    uniform = MixturePrior("uniform", np.array([0.0, 0.0]), np.array([0.0, 3.0]), np.array([0.0, 1.0]))
    assert normal.variance == pytest.approx(2.0)
    assert uniform.variance == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([1.0], [1.0, 2.0], np.inf, "uniform", 10), "shape"),
        (([1.0], [1.0], np.inf, "triangle", 10), "triangle"),
        (([1.0], [1.0], np.inf, "uniform", 0.5), "null_weight"),
        (([1.0], [1.0], 5.0, "normal", 10), "uniform"),
    ],
)
def test_what_is_refused(arguments, words):
    with pytest.raises(InputError, match=words):
        check_estimates(*arguments)
