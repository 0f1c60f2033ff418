"""Metrics against their definitions and against scikit-learn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import norm
from sklearn.metrics import average_precision_score, roc_auc_score

import latentadj as la
from latentadj.compare import Findings
from latentadj.compare.cell import jaccard
from latentadj.compare.metrics import (
    area_under_roc,
    average_precision,
    calibration_metrics,
    control_metrics,
    error_metrics,
    factor_metrics,
    histogram_metrics,
    interval_metrics,
    metric_groups,
    ranking_metrics,
)
from latentadj.compare.naming import derived_seed
from latentadj.simulation import Scenario, simulate


@pytest.fixture(scope="module")
def study():
    return simulate(Scenario(n_samples=40, n_features=400, n_factors=2, effect_sd=1.5, effect_share=0.2), 1)


@pytest.fixture(scope="module")
def found(study):
    return Findings.of(la.adjust(study.X, study.design, method="cate", n_factors=2))


@pytest.mark.parametrize("ties", [False, True])
def test_areas_agree_with_scikit_learn(ties):
    rng = np.random.default_rng(0)
    p, positive = rng.uniform(size=300), rng.random(300) < 0.2
    if ties:
        p = np.round(p, 1)
    assert_allclose(area_under_roc(p, positive, ~positive), roc_auc_score(positive, -p), rtol=1e-12)
    assert_allclose(average_precision(p, positive, ~positive), average_precision_score(positive, -p), rtol=1e-12)


def test_areas_of_one_kind_are_unknown():
    nothing = np.zeros(3, dtype=bool)
    assert np.isnan(area_under_roc(np.ones(3), nothing, ~nothing))
    assert np.isnan(average_precision(np.ones(3), ~nothing, nothing))


def test_areas_leave_out_features_of_unknown_truth(study, found):
    effects = study.truth.effects.copy()
    effects[:100] = np.nan
    partly = replace(study, truth=replace(study.truth, effects=effects))
    rows = slice(100, None)
    expected = roc_auc_score(study.truth.has_effect[rows], -found.p_value[rows])
    assert_allclose(ranking_metrics(found, partly, 0.1)["auc"], expected, rtol=1e-12)


def test_errors_by_hand(study, found):
    null, hits = study.truth.is_null, found.discoveries(0.1)
    measured = error_metrics(found, study, 0.1)
    assert measured["type1_001"] == np.mean(found.p_value[null] < 0.001)
    assert measured["fdp"] == np.sum(hits & null) / np.sum(hits)
    assert measured["power"] == np.mean(hits[~null])


def test_untestable_features_are_not_discovered(study, found):
    p = found.p_value.copy()
    p[study.truth.has_effect] = np.nan
    assert error_metrics(replace(found, p_value=p), study, 0.1)["power"] == 0.0


def test_calibration_of_exact_normal_scores(study):
    """Scores of standard deviation 1.5 have that MAD, and an inflation of its square."""
    null = study.truth.is_null
    z = np.zeros(null.size)
    z[null] = 1.5 * norm.ppf((np.arange(null.sum()) + 0.5) / null.sum())
    wide = Findings(2 * norm.sf(np.abs(z)), np.sign(z), np.ones(null.size))
    measured = calibration_metrics(wide, study, 0.1)
    assert_allclose([measured["median_z"], measured["mad_z"]], [0, 1.5], atol=0.02)
    assert_allclose(measured["inflation"], 2.25, rtol=0.02)
    assert measured["shape"] == "inflated"


def test_calibration_without_signs(study):
    """F tests have no signs: the spread about 0 is still 1 for uniform p-values."""
    p = np.random.default_rng(0).uniform(size=400)
    measured = calibration_metrics(Findings(p), study, 0.1)
    assert np.isnan(measured["median_z"])
    assert measured["mad_z"] == pytest.approx(1.0, abs=0.15)


def test_intervals(study):
    effects = study.truth.effects
    error = np.where(effects == 0, 0.1, -0.5 * np.sign(effects))
    measured = interval_metrics(Findings(np.ones(400), effects + error, np.full(400, 0.2)), study, 0.1)
    assert measured["coverage"] == study.truth.is_null.mean()
    assert measured["bias"] == pytest.approx(-0.5)
    assert measured["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)))


def test_recovery_by_principal_angles(study):
    Z = study.truth.factors - study.truth.factors.mean(axis=0)
    q = np.linalg.qr(np.column_stack([np.ones(40), Z]), mode="complete")[0]
    other = q[:, 4]  # orthogonal to both factors and to constants
    half = q[:, 1] + other  # at 45 degrees from the first direction
    for factors, recovery, angle in [
        (study.truth.factors @ [[1.0, 2.0], [0.0, 1.0]], 1.0, 0.0),
        (q[:, [1]], 0.5, 90.0),
        (np.column_stack([half, q[:, 2]]), 0.75, 45.0),
        (np.empty((40, 0)), 0.0, 90.0),
    ]:
        measured = factor_metrics(Findings(np.ones(400), factors=factors, n_factors=factors.shape[1]), study, 0.1)
        assert_allclose([measured["recovery"], measured["largest_angle"]], [recovery, angle], atol=1e-5)
        assert measured["k_error"] == factors.shape[1] - 2


def test_every_direction_is_no_recovery(study):
    measured = factor_metrics(Findings(np.ones(400), factors=np.eye(40)[:, :38], n_factors=38), study, 0.1)
    assert np.isnan(measured["recovery"])


def test_controls_the_method_did_not_see(study, found):
    p = np.full(400, 0.5)
    p[study.truth.controls] = 1e-6
    held = study.truth.checked_controls
    p[held] = (np.arange(held.sum()) + 0.5) / held.sum()
    measured = control_metrics(replace(found, p_value=p), study, 0.1)
    assert measured["controls_below_05"] == pytest.approx(0.05, abs=0.005)
    assert measured["control_uniformity"] > 0.99


def test_histogram_counts_null_features(study, found):
    counts = [int(n) for n in histogram_metrics(found, study, 0.1)["histogram"].split()]
    assert len(counts) == 20
    assert sum(counts) == study.truth.is_null.sum()
    assert counts[0] == np.sum(found.p_value[study.truth.is_null] < 0.05)


def test_jaccard():
    lists = [np.array([1, 1, 0, 0], dtype=bool), np.array([1, 0, 1, 0], dtype=bool)]
    assert jaccard(lists) == pytest.approx(1 / 3)
    assert jaccard([np.zeros(3, dtype=bool)] * 2) == 1.0


def test_groups_come_in_one_order():
    assert metric_groups(["factors", "errors"]) == ("errors", "factors")


def test_seeds_are_fixed_for_all_time_and_apart():
    assert derived_seed(0, "study", "base", 0) == derived_seed(0, "study", "base", 0)
    seeds = {derived_seed(s, a, b, r) for s in range(3) for a in "ab" for b in ("", "ab") for r in range(50)}
    assert len(seeds) == 600
    assert derived_seed(0, "a", "bc") != derived_seed(0, "ab", "c")
