"""MOUTHWASH against vicar 0.1-11, and its type-I error.

vicar's iteration stops when the log-likelihood moves by less than 1e-4, from a random start; ours goes to the maximum.
Largest differences with ``compat="vicar"`` over bladderbatch, sim1 and sim2, each with and without scaled variances:
effects 1.1e-3 absolute at effects of size 1 (correlation 0.99999993 or better), standard errors 0.5 %, pi0 0.0035, xi
1 %, lfsr 0.06. That these are errors of the reference is tested: at its z and xi the likelihood is lower.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.testing import assert_allclose

import latentadj as la
from latentadj.core.confounded_mixture import profile
from latentadj.exceptions import MethodError
from latentadj.factors.mixture_link import MixtureOptions
from latentadj.factors.mouthwash import MOUTHWASH
from latentadj.simulation import FAMILIES, Scenario, simulate
from tests.reference_data import bladder_reference, load_reference, sim1, sim2

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")

N_FACTORS = {"bladderbatch": 2, "sim1": 3, "sim2": 2}
all_studies = pytest.mark.parametrize("name", N_FACTORS)


@cache
def study(name: str) -> tuple[np.ndarray, la.Design]:
    """The first 1000 features and the design that the package was given."""
    if name == "bladderbatch":
        data = bladder_reference()
        primary = (data.sample_data["cancer"] == "Cancer").to_numpy(float)
        return data.X[:, :1000], la.Design.from_arrays(primary, primary_names=["x"])
    data = {"sim1": sim1, "sim2": sim2}[name]()
    age = data.sample_data[["age"]].to_numpy(float)
    primary = data.sample_data["x"].to_numpy(float)
    return data.X, la.Design.from_arrays(primary, age, primary_names=["x"], nuisance_names=["age"])


def stored(name: str, key: str) -> dict[str, np.ndarray]:
    answers = load_reference("vicar_mouthwash", "answers")
    return dict(zip(answers[f"vicar_{key}__cols"], answers[f"{name}__vicar_{key}"].T))


def scalar(name: str, key: str) -> float:
    return float(load_reference("vicar_mouthwash", "answers")[f"{name}__vicar.{key}"])


def fitted(name: str, **options) -> la.AdjustmentResult:
    X, design = study(name)
    return la.adjust(X, design, method=MOUTHWASH(N_FACTORS[name], **options))


@all_studies
@pytest.mark.parametrize("scaled", [True, False])
class TestParity:
    def test_table(self, name: str, scaled: bool) -> None:
        key = "mouthwash" if scaled else "mouthwash_noscale"
        theirs, result = stored(name, key), fitted(name, compat="vicar", scale_variance=scaled)
        ours, n = result.estimate.posterior, len(theirs["betahat"])
        assert_allclose(ours.estimate[:n, 0], theirs["betahat"], atol=1.5e-3)
        assert np.corrcoef(ours.estimate[:n, 0], theirs["betahat"])[0, 1] > 0.9999999
        assert_allclose(ours.null_share, scalar(name, f"{key}.pi0"), atol=0.005)
        if scaled:
            assert_allclose(ours.std_error[:n, 0], theirs["sebetahat"], rtol=5e-3)
            assert_allclose(result.estimate.details["inflation"], scalar(name, "mouthwash.xi"), rtol=0.01)
        else:
            assert_allclose(ours.std_error[:n, 0], theirs["sebetahat"], rtol=1e-8)
        tolerance = 0.07 if scaled else 0.006
        for column, values in {
            "lfsr": ours.lfsr,
            "lfdr": ours.lfdr,
            "NegativeProb": ours.negative_probability,
            "PositiveProb": ours.positive_probability,
            "svalue": ours.s_value,
            "qvalue": ours.q_value,
        }.items():
            if column.endswith("value") and name != "sim2":
                continue  # ranks among all features; the extract has some
            assert_allclose(values[:n, 0], theirs[column], atol=tolerance, err_msg=column)

    def test_ours_is_the_higher_maximum(self, name: str, scaled: bool, monkeypatch) -> None:
        """The reference's z, from its effects, and its xi, from its errors, in our likelihood."""
        seen = []
        original = MixtureOptions.data
        monkeypatch.setattr(MixtureOptions, "data", lambda self, *args: seen.append(original(self, *args)) or seen[-1])
        key = "mouthwash" if scaled else "mouthwash_noscale"
        result, theirs = fitted(name, compat="vicar", scale_variance=scaled), stored(name, key)
        (data,), n = seen, len(theirs["betahat"])
        z = np.linalg.lstsq(data.loadings[:n], data.effects[:n] - theirs["betahat"], rcond=None)[0]
        log_inflation = 2 * np.log(theirs["sebetahat"][0] / data.std_error[0])
        reference = profile(data, z, log_inflation).value
        ours = result.estimate.details["log_likelihood"][0]
        assert reference < ours < reference + 2e-3


@all_studies
def test_default_is_near_the_reference_and_wider(name: str) -> None:
    default, package = fitted(name), fitted(name, compat="vicar")
    assert np.corrcoef(default.tests.estimate[:, 0], package.tests.estimate[:, 0])[0, 1] > 0.9
    assert np.all(default.estimate.details["reliability"] < 1)
    assert np.all(default.estimate.link.covariance[0, :, 0, :].diagonal() > 0)
    assert not package.estimate.link.covariance.any()


class TestOptions:
    @pytest.mark.parametrize(
        "options", [{"mixture": "uniform"}, {"mixture": "halfuniform"}, {"mixture": "uniform", "likelihood": "t"}]
    )
    def test_mixtures_agree_on_the_link(self, options: dict) -> None:
        default, other = fitted("sim1"), fitted("sim1", **options)
        assert other.estimate.posterior.priors[0].family == options["mixture"]
        assert_allclose(other.estimate.link.omega, default.estimate.link.omega, atol=0.05)
        assert_allclose(other.estimate.posterior.null_share, default.estimate.posterior.null_share, atol=0.1)

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"mixture": "gamma"}, "mixture='gamma'"),
            ({"likelihood": "cauchy"}, "likelihood='cauchy'"),
            ({"compat": "ruv"}, "compat='ruv'"),
            ({"null_weight": 0.2}, "null_weight=0.2"),
            ({"likelihood": "t"}, "mixture='uniform'"),
        ],
    )
    def test_what_is_refused(self, options: dict, words: str) -> None:
        with pytest.raises(MethodError, match=words):
            fitted("sim2", **options)

    def test_no_factors(self) -> None:
        X, design = study("sim2")
        assert_allclose(
            la.adjust(X, design, method=MOUTHWASH(0)).tests.estimate, la.adjust(X, design, method="none").tests.estimate
        )

    def test_without_primary_variable(self) -> None:
        X, _ = study("sim2")
        method = MOUTHWASH(2).fit(X)
        assert method.estimate_.link is None
        assert method.factors_.shape == (12, 2)


def test_several_columns_are_treated_one_by_one() -> None:
    """Each column's link and prior are those of an analysis in which the others are nuisance."""
    X, _ = study("sim1")
    rng = np.random.default_rng(0)
    columns = np.column_stack([sim1().sample_data["x"], rng.normal(size=60)])
    both = la.adjust(X, la.Design.from_arrays(columns, primary_names=["x", "u"]), method=MOUTHWASH(3))
    assert both.estimate.posterior.names == ("x", "u")
    for i, name in enumerate(["x", "u"]):
        design = la.Design.from_arrays(columns[:, i], columns[:, 1 - i], primary_names=[name], nuisance_names=["other"])
        alone = la.adjust(X, design, method=MOUTHWASH(3))
        assert_allclose(both.estimate.link.omega[i], alone.estimate.link.omega[0], rtol=1e-8)
        assert_allclose(
            both.estimate.link.covariance[i, :, i, :], alone.estimate.link.covariance[0, :, 0, :], rtol=1e-7
        )
        assert_allclose(both.estimate.posterior.lfsr[:, i], alone.estimate.posterior.lfsr[:, 0], atol=1e-7)


def test_posterior_belongs_to_the_refit() -> None:
    """Its estimates are the adjusted effects; features that do not vary have none."""
    X = study("sim1")[0].copy()
    X[:, 17] = 3.0
    result = la.adjust(X, study("sim1")[1], method=MOUTHWASH(3))
    posterior = result.estimate.posterior
    used = np.arange(1000) != 17
    assert np.isnan(posterior.lfsr[17]).all()
    assert_allclose(posterior.estimate[used], result.tests.estimate[used], rtol=1e-9)
    ratio = posterior.std_error[used] / result.tests.std_error[used]
    assert 0.9 < np.median(ratio) < 1.2
    truth = sim1().feature_data["beta"].to_numpy()
    assert np.mean((posterior.posterior_mean[used, 0] - truth[used]) ** 2) < 0.5 * np.mean(
        (result.tests.estimate[used, 0] - truth[used]) ** 2
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scenario", "n_factors"),
    [
        (Scenario(effect_share=0.0, n_features=500), 3),
        (Scenario(effect_share=0.0, n_features=500, confounding=0.0), 3),
        (Scenario(effect_share=0.0, n_features=500, n_factors=0, confounding=0.0), 2),
        (Scenario(effect_share=0.0, n_features=500, loading_sd=0.3), 3),
    ],
    ids=["confounded", "not confounded", "no factors but two fitted", "weak factors"],
)
@pytest.mark.parametrize("options", [{}, {"mixture": "uniform"}, {"scale_variance": False}], ids=str)
def test_type_one_error(scenario: Scenario, n_factors: int, options: dict) -> None:
    rates = []
    for seed in range(20):
        made = simulate(scenario, seed)
        p = la.adjust(made.X, made.design, method=MOUTHWASH(n_factors, **options)).tests.p_value
        rates.append(np.mean(p < 0.05))
    assert 0.04 < np.mean(rates) < 0.062


@pytest.mark.slow
@pytest.mark.parametrize("family", ["base", "strong confounding", "dense effects"])
def test_discoveries(family: str) -> None:
    """Share of false ones among s-values of at most 0.1, and among adjusted p-values."""
    by_s, by_p = [], []
    for seed in range(8):
        made = simulate(replace(FAMILIES[family], n_features=1000), seed)
        result = la.adjust(made.X, made.design, method=MOUTHWASH(3))
        null = made.truth.is_null
        for found, kept in (
            (result.estimate.posterior.s_value[:, 0] <= 0.1, by_s),
            (result.tidy()["p_adjusted"].to_numpy() <= 0.1, by_p),
        ):
            kept.append(np.sum(found & null) / max(found.sum(), 1))
    assert np.mean(by_s) < 0.13
    assert np.mean(by_p) < 0.13
