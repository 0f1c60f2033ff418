"""Type-I error at 0.05 and power of every calibration: statistics of known shape, and whole studies.

Made-up statistics: 5000, centre 0.2, standard deviation 1.2 where 1 is claimed (raw level 0.107), effects 3.5 +- 1;
200 controls. Studies: family "base" (60 samples, 2000 features, 5 % effects, 100 controls) by CATE, and the same with
one factor fitted where there are three, so that confounding is left.
"""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest

import latentadj as la
from latentadj.calibration import EmpiricalNull, resolve_calibration
from latentadj.inference import resolve_inference
from latentadj.results import test_contrasts
from latentadj.simulation import FAMILIES, simulate
from tests.calibration.made_up import shifted, statistics

pytestmark = pytest.mark.slow
CALIBRATIONS = {
    "none": None,
    "mad": "mad",
    "empirical_null": "empirical_null",
    "matching": EmpiricalNull(fit="matching"),
    "bacon": "bacon",
    "control_variance": "control_variance",
    "rsvar": "rsvar",
    "control_ecdf": "control_ecdf",
    "evar": "evar",
}
INFERENCES = ("ordinary", "moderated", "moderated_trend", "moderated_robust", "pooled")


def calibrated(tests, name, controls):
    calibration = resolve_calibration(CALIBRATIONS[name])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tests if calibration is None else calibration.calibrate(tests, controls)


def rates(p, null, controls):
    """Level at 0.05 of nulls that are not controls, and power at 0.001."""
    tested = null & ~controls
    power = np.mean(p[~null] < 0.001) if (~null).any() else np.nan
    return np.mean(p[tested] < 0.05), power


@pytest.fixture(scope="module")
def made_up_table():
    table = {}
    for share, one_sided in ((0.0, False), (0.05, False), (0.2, False), (0.2, True)):
        found = {name: [] for name in CALIBRATIONS}
        for seed in range(20):
            z, null = shifted(5000, share, seed, one_sided=one_sided)
            controls = np.arange(5000) >= 4800
            for name in CALIBRATIONS:
                p = calibrated(statistics(z), name, controls).p_value[:, 0]
                found[name].append(rates(p, null, controls))
        table[share, one_sided] = {name: np.mean(values, axis=0) for name, values in found.items()}
    return table


@pytest.fixture(scope="module")
def study_table():
    table = {}
    for label, share, n_factors in (("null", 0.0, 3), ("5 %", 0.05, 3), ("null, left", 0.0, 1), ("5 %, left", 0.05, 1)):
        scenario = replace(FAMILIES["base"], effect_share=share)
        found = {name: [] for name in (*CALIBRATIONS, *INFERENCES)}
        for seed in range(10):
            study = simulate(scenario, seed)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                result = la.adjust(study.X, study.design, method="cate", n_factors=n_factors, inference="moderated")
            controls, null = study.truth.controls, study.truth.is_null.reshape(-1)
            for name in CALIBRATIONS:
                p = calibrated(result.tests, name, controls).p_value[:, 0]
                found[name].append(rates(p, null, controls))
            for name in INFERENCES:
                prior = resolve_inference(name).variances(result.fit)
                tests = test_contrasts(result.fit, prior, result.tests.contrasts, result.tests.names)
                found[name].append(rates(tests.p_value[:, 0], null, controls))
        table[label] = {name: np.mean(values, axis=0) for name, values in found.items()}
    return table


def show(capsys, table):
    with capsys.disabled():
        for setting, row in table.items():
            print(
                f"\n{setting}: " + "; ".join(f"{name} {level:.3f}/{power:.2f}" for name, (level, power) in row.items())
            )


def test_levels_of_made_up_statistics(made_up_table, capsys):
    show(capsys, made_up_table)
    null, some, many, one_sided = made_up_table.values()
    assert all(abs(row["none"][0] - 0.107) < 0.004 for row in made_up_table.values())
    for name in ("mad", "empirical_null", "bacon"):
        assert 0.045 < null[name][0] < 0.056
        assert some[name][0] < 0.055
        assert many[name][0] < 0.05, "effects inflate the null: the level is below its nominal value"
        assert one_sided[name][0] < 0.05
    assert some["empirical_null"][0] > 0.043
    assert many["mad"][0] < 0.02
    assert many["empirical_null"][1] > 1.3 * many["mad"][1], "what the deviation loses with 20 % effects"
    for row in made_up_table.values():  # controls know nothing of a centre: 0.2 and 1.2 together are a spread of 1.22
        for name in ("control_variance", "control_ecdf"):
            assert 0.043 < row[name][0] < 0.057
    assert many["control_variance"][1] > many["empirical_null"][1]


def test_levels_of_studies(study_table, capsys):
    show(capsys, study_table)
    for label in ("null", "5 %"):
        row = study_table[label]
        for name in ("none", "ordinary", "moderated", "moderated_trend", "moderated_robust", "empirical_null"):
            assert 0.042 < row[name][0] < 0.058, name
        for name in ("control_variance", "control_ecdf"):  # 100 controls, 10 studies: standard error 0.005
            assert 0.04 < row[name][0] < 0.062, name
    for label in ("null, left", "5 %, left"):
        row = study_table[label]
        assert row["none"][0] > 0.07, "without confounding left the check would show nothing"
        for name in ("mad", "empirical_null", "bacon", "control_variance", "control_ecdf", "evar"):
            assert row[name][0] < 0.07, name
            assert np.isnan(row[name][1]) or row[name][1] < 0.1, "a level is bought back, power is not"


def test_one_variance_for_all_is_wrong_where_features_differ():
    """A tenth of the features is three times as noisy; the average level hides what happens to them."""
    levels = {"pooled": [], "moderated": []}
    noisy = np.arange(4000) < 400
    for seed in range(4):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(24, 4000)) * np.where(noisy, 3.0, 1.0)
        design = la.Design.from_arrays(rng.normal(size=24))
        for name, found in levels.items():
            p = la.adjust(X, design, n_factors=0, inference=name).tests.p_value[:, 0]
            found.append((np.mean(p[noisy] < 0.05), np.mean(p[~noisy] < 0.05)))
    assert np.mean(levels["pooled"], axis=0)[0] > 0.3
    assert np.mean(levels["pooled"], axis=0)[1] < 0.02
    assert np.mean(levels["moderated"], axis=0)[0] < 0.1


def test_one_variance_is_right_where_features_are_alike():
    levels = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        design = la.Design.from_arrays(rng.normal(size=8))
        p = la.adjust(rng.normal(size=(8, 4000)), design, n_factors=0, inference="pooled").tests.p_value
        levels.append(np.mean(p < 0.05))
    assert abs(np.mean(levels) - 0.05) < 0.004
