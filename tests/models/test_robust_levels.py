"""The level of sandwich errors where variances are unequal, samples come in clusters, or factors are hidden."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import latentadj as la
from latentadj.core.matrix import ArrayMatrix
from latentadj.core.regression import design_basis
from latentadj.exceptions import LatentAdjWarning
from latentadj.inference import ModeratedT, OrdinaryT
from latentadj.models.linear import LinearModel
from latentadj.models.robust import RobustLinearModel
from latentadj.results.statistics import test_contrasts as tests_of_contrasts


def p_values(model: RobustLinearModel | LinearModel, design: np.ndarray, values: np.ndarray, how) -> np.ndarray:
    found = model.fit(ArrayMatrix(values), design_basis(design))
    last = np.eye(design.shape[1])[:, -1:]
    return tests_of_contrasts(found, how.variances(found), last, ("x",)).p_value[:, 0]


def unequal(rng: np.random.Generator, n: int, n_noisy: int, m: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """One group three times as noisy in 30 % of the features, nothing true."""
    x = np.arange(n) < n_noisy
    sd = np.sqrt(10 / rng.chisquare(10, size=m)) * np.where(x[:, None] & (np.arange(m) < 0.3 * m), 3.0, 1.0)
    return np.column_stack([np.ones(n), x]).astype(float), rng.normal(size=(n, m)) * sd


def clustered(rng: np.random.Generator, n_clusters: int, m: int = 2000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Clusters of three with correlation one half, half of them treated, nothing true."""
    labels = np.repeat(np.arange(n_clusters), 3)
    noise = rng.normal(size=(n_clusters, m))[labels] + rng.normal(size=(3 * n_clusters, m))
    return np.column_stack([np.ones(len(labels)), labels % 2]).astype(float), noise, labels


def level(cases, model, how) -> float:
    return float(
        np.mean([np.mean(p_values(model(*rest), design, values, how) < 0.05) for design, values, *rest in cases])
    )


@pytest.mark.slow
@pytest.mark.parametrize("n", [12, 20, 40])
@pytest.mark.parametrize("how", [OrdinaryT(), ModeratedT()], ids=["ordinary", "moderated"])
def test_level_with_unequal_variances(n: int, how, capsys) -> None:
    """The noisy group is the smaller one, a quarter of the samples. 12 studies of 2000 features."""
    cases = [unequal(np.random.default_rng([n, i]), n, n // 4) for i in range(12)]
    levels = {
        "least squares": level(cases, LinearModel, how),
        "hc1, n - d": level(cases, lambda: RobustLinearModel("hc1", df="residual"), how),
        "hc2": level(cases, RobustLinearModel, how),
        "hc3": level(cases, lambda: RobustLinearModel("hc3"), how),
    }
    with capsys.disabled():
        print(f"\nn {n}: " + ", ".join(f"{name} {value:.3f}" for name, value in levels.items()))
    assert levels["least squares"] > 0.08, "otherwise nothing is shown"
    assert levels["hc1, n - d"] > 0.06
    assert 0.04 <= levels["hc2"] <= 0.055
    assert levels["hc3"] <= 0.047


@pytest.mark.slow
@pytest.mark.parametrize("n_clusters", [4, 6, 12])
@pytest.mark.parametrize("how", [OrdinaryT(), ModeratedT()], ids=["ordinary", "moderated"])
def test_level_with_clusters(n_clusters: int, how, capsys) -> None:
    """Clusters of three, treated as a whole. 12 studies of 2000 features."""
    cases = [clustered(np.random.default_rng([n_clusters, i]), n_clusters) for i in range(12)]
    levels = {
        "least squares": level(cases, lambda _: LinearModel(), how),
        "cr1, n - d": level(cases, lambda labels: RobustLinearModel("cr1", clusters=labels, df="residual"), how),
        "cr2": level(cases, lambda labels: RobustLinearModel(clusters=labels), how),
    }
    with capsys.disabled():
        print(f"\n{n_clusters} clusters: " + ", ".join(f"{name} {value:.3f}" for name, value in levels.items()))
    assert levels["least squares"] > 0.15, "otherwise nothing is shown"
    assert levels["cr1, n - d"] > 0.065
    assert 0.04 <= levels["cr2"] <= 0.056


@pytest.mark.slow
def test_level_with_leverage(capsys) -> None:
    """A skewed covariate whose extreme samples are noisier in 30 % of the features: 20 studies of n 20."""
    cases = []
    for i in range(20):
        rng = np.random.default_rng([7, i])
        x, m = rng.lognormal(size=20), 2000
        sd = np.where(np.arange(m) < 0.3 * m, (np.abs(x - np.median(x)) + 0.3)[:, None], 1.0)
        cases.append((np.column_stack([np.ones(20), x]), rng.normal(size=(20, m)) * sd))
    found = {kind: level(cases, lambda k=kind: RobustLinearModel(k), ModeratedT()) for kind in ("hc1", "hc2", "hc3")}
    plain = level(cases, LinearModel, ModeratedT())
    with capsys.disabled():
        print(f"\nleverage: least squares {plain:.3f}, " + ", ".join(f"{k} {v:.3f}" for k, v in found.items()))
    assert plain > 0.12
    assert found["hc1"] > 0.1
    assert found["hc2"] <= 0.055
    assert found["hc3"] <= 0.03


def confounded(seed: int, n: int, m: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    """Two hidden factors, one with R2 0.5 on the groups; a small group three times as noisy in 30 % of features."""
    rng = np.random.default_rng([seed, 5])
    x = (np.arange(n) < n // 4).astype(float)
    factors = rng.normal(size=(n, 2))
    factors[:, 0] = np.sqrt(0.5) * ((x - x.mean()) / x.std() + factors[:, 0])
    sd = np.sqrt(10 / rng.chisquare(10, size=m)) * np.where((x[:, None] > 0) & (np.arange(m) < 0.3 * m), 3.0, 1.0)
    return factors @ rng.normal(size=(2, m)) + rng.normal(size=(n, m)) * sd, x


@pytest.mark.slow
@pytest.mark.parametrize("n", [20, 40])
def test_level_under_confounding(n: int, capsys) -> None:
    """Hidden factors and unequal variances, nothing true: 8 studies of 1000 features."""
    arms = {"none": {"method": "none"}, "cate": {}, "quality": {"sample_weights": "quality"}}
    arms |= {kind: {"model": RobustLinearModel(kind)} for kind in ("hc2", "hc3")}
    levels = {name: [] for name in arms}
    for seed in range(8):
        X, x = confounded(seed, n)
        for name, options in arms.items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", LatentAdjWarning)
                result = la.adjust(X, la.Design.from_arrays(x), n_factors=2, **{"method": "cate", **options})
            p_value = result.tests.p_value[:, 0]
            levels[name].append([np.mean(p_value < 0.05), np.mean(p_value[:300] < 0.05)])
    means = {name: np.mean(values, axis=0) for name, values in levels.items()}
    with capsys.disabled():
        print(f"\nn {n}: " + ", ".join(f"{name} {a:.3f} (noisy features {b:.3f})" for name, (a, b) in means.items()))
    assert means["none"][0] > 0.3
    assert min(means["cate"][1], means["quality"][1]) > 0.1, "weights of samples do not help single features"
    assert 0.04 <= means["hc2"][0] <= 0.06
    assert means["hc3"][0] <= 0.05
    assert means["hc3"][1] <= 0.055
