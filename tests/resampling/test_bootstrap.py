"""Bootstrap tests and intervals: their parts, and their level and coverage where least squares fails."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import latentadj as la
from latentadj.exceptions import InputError, MethodError
from latentadj.models.robust import RobustLinearModel
from latentadj.resampling import bootstrap
from latentadj.simulation import Scenario, simulate


def result_of(values: np.ndarray, x: np.ndarray, **options) -> la.AdjustmentResult:
    return la.adjust(values, la.Design.from_arrays(x), method="none", inference="ordinary", **options)


@pytest.fixture(scope="module")
def plain() -> la.AdjustmentResult:
    study = simulate(Scenario(n_samples=30, n_features=80, n_factors=0, confounding=0.0), 2)
    return la.adjust(study.X, study.design, method="none")


def test_wild_uses_hc2(plain) -> None:
    """Estimates of least squares, moderated HC2 errors, and the interval around them."""
    found = bootstrap(plain, n_bootstrap=99)
    robust = la.adjust(plain.matrix.values, plain.design, method="none", model=RobustLinearModel("hc2"))
    np.testing.assert_allclose(found.estimate, plain.tests.estimate, rtol=1e-10)
    np.testing.assert_allclose(found.std_error, robust.tests.std_error, rtol=1e-8)
    np.testing.assert_allclose(found.estimate / found.std_error, found.statistic, rtol=1e-9)
    np.testing.assert_allclose(found.conf_low + found.conf_high, 2 * found.estimate, rtol=1e-9)
    ratio = (found.conf_high - found.conf_low) / (robust.tests.half_width() * 2)
    assert 0.8 < np.median(ratio) < 1.2
    assert np.corrcoef(found.p_value[:, 0], robust.tests.p_value[:, 0])[0, 1] > 0.97


def test_residual_uses_the_errors_of_least_squares(plain) -> None:
    found = bootstrap(plain, scheme="residual", n_bootstrap=199)
    np.testing.assert_allclose(found.std_error, plain.tests.std_error, rtol=1e-8)
    assert np.abs(found.p_pooled - plain.tests.p_value).mean() < 0.02
    ratio = (found.conf_high - found.conf_low) / (plain.tests.half_width() * 2)
    assert 0.85 < np.median(ratio) < 1.15


def test_the_errors_of_a_robust_result_are_kept() -> None:
    rng, labels = np.random.default_rng(0), np.repeat(np.arange(15), 2)
    model = RobustLinearModel("cr1", clusters=labels)
    result = result_of(rng.normal(size=(30, 20)), labels % 2, model=model)
    np.testing.assert_allclose(bootstrap(result, n_bootstrap=19).statistic, result.tests.statistic, rtol=1e-8)
    with_clusters = bootstrap(result, n_bootstrap=19, clusters=labels)
    assert np.abs(with_clusters.statistic - result.tests.statistic).max() > 1e-6, "CR2 where clusters are given"


def test_an_interval_and_its_test_agree(plain) -> None:
    """With the same number of draws, zero is outside of the interval about when the p-value is small."""
    found = bootstrap(plain, n_bootstrap=399)
    outside = (found.conf_low > 0) | (found.conf_high < 0)
    assert np.mean(outside == (found.p_value < 0.05)) > 0.95


def test_clusters_may_be_named(plain) -> None:
    table = pd.DataFrame({"group": np.repeat(["a", "b"], 15), "donor": np.arange(30) // 3})
    result = la.adjust(plain.matrix.values, "~ group", table, method="none")
    by_name = bootstrap(result, n_bootstrap=49, clusters="donor")
    by_value = bootstrap(result, n_bootstrap=49, clusters=np.arange(30) // 3)
    np.testing.assert_array_equal(by_name.p_value, by_value.p_value)
    assert by_name.tidy().shape == (80, 11)
    assert "49 draws" in repr(by_name)


def test_the_seed_decides(plain) -> None:
    first, again, other = (bootstrap(plain, n_bootstrap=49, random_state=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.conf_low, again.conf_low)
    assert np.abs(first.conf_low - other.conf_low).max() > 0


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"scheme": "pairs"}, MethodError, "wild"),
        ({"scheme": "residual", "clusters": np.arange(30) // 3}, MethodError, "one by one"),
        ({"level": 95}, InputError, "between 0 and 1"),
        ({"clusters": [1, 2]}, InputError, "30 samples"),
        ({"n_bootstrap": 0}, InputError, "at least one"),
    ],
)
def test_what_is_refused(plain, options: dict, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        bootstrap(plain, **{"n_bootstrap": 9, **options})


@pytest.mark.slow
def test_level_and_coverage_with_unequal_variances(capsys) -> None:
    """The smaller group is three times as noisy: 8 studies of 500 features, n 20, nothing true."""
    levels = {"least squares": [], "wild": [], "residual": [], "coverage": []}
    x = (np.arange(20) < 5).astype(float)
    for seed in range(8):
        rng = np.random.default_rng([seed, 8])
        result = result_of(rng.normal(size=(20, 500)) * np.where(x[:, None] > 0, 3.0, 1.0), x)
        wild = bootstrap(result, n_bootstrap=199, random_state=seed)
        levels["least squares"].append(np.mean(result.tests.p_value < 0.05))
        levels["wild"].append(np.mean(wild.p_value <= 0.05))
        levels["residual"].append(np.mean(bootstrap(result, scheme="residual", n_bootstrap=199).p_value <= 0.05))
        levels["coverage"].append(np.mean((wild.conf_low <= 0) & (wild.conf_high >= 0)))
    means = {name: float(np.mean(values)) for name, values in levels.items()}
    with capsys.disabled():
        print("\nunequal variances: " + ", ".join(f"{name} {value:.3f}" for name, value in means.items()))
    assert min(means["least squares"], means["residual"]) > 0.12
    assert 0.035 <= means["wild"] <= 0.075
    assert 0.9 <= means["coverage"] <= 0.97


@pytest.mark.slow
def test_level_with_clusters(capsys) -> None:
    """Ten clusters of three with correlation one half, half of them treated: 8 studies of 500 features."""
    labels = np.repeat(np.arange(10), 3)
    levels = {"least squares": [], "wild": [], "clusters": []}
    for seed in range(8):
        rng = np.random.default_rng([seed, 9])
        noise = rng.normal(size=(10, 500))[labels] + rng.normal(size=(30, 500))
        result = result_of(noise, labels % 2)
        levels["least squares"].append(np.mean(result.tests.p_value < 0.05))
        levels["wild"].append(np.mean(bootstrap(result, n_bootstrap=199).p_value <= 0.05))
        levels["clusters"].append(np.mean(bootstrap(result, n_bootstrap=199, clusters=labels).p_value <= 0.05))
    means = {name: float(np.mean(values)) for name, values in levels.items()}
    with capsys.disabled():
        print("\nclusters: " + ", ".join(f"{name} {value:.3f}" for name, value in means.items()))
    assert min(means["least squares"], means["wild"]) > 0.12
    assert 0.035 <= means["clusters"] <= 0.07
