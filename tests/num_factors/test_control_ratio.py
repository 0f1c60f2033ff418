"""Control ratio: every ratio, the cutoff and the answers of ruv's getK; refusals."""

from __future__ import annotations

import numpy as np
import pytest

from latentadj.core.control_ratio import noise_ratio, size_ratios
from latentadj.core.matrix import ArrayMatrix
from latentadj.design import Design
from latentadj.exceptions import ControlsError, MethodError
from latentadj.num_factors import ControlRatio
from latentadj.problem import AdjustmentProblem
from tests.num_factors.studies import simulated
from tests.reference_data import bladder_reference, load_reference, sim1, sim2


def with_controls(name):
    """The study as getK saw it: one primary column."""
    data = {"sim1": sim1, "sim2": sim2, "bladder": bladder_reference}[name]()
    if name == "bladder":
        design = Design.from_arrays((data.sample_data["cancer"] == "Cancer").to_numpy(float))
    else:
        design = Design.from_formula("~ x | age", data.sample_data)
    return AdjustmentProblem(ArrayMatrix(data.X), design, data.controls)


@pytest.mark.parametrize("name", ["sim1", "sim2", "bladder"])
def test_ratios_cutoff_and_answer_are_those_of_ruv(name):
    """Leave-one-control-out ratios of all factors; 1e-8 relative (bladder: 54 factors, 68 controls)."""
    reference, problem = load_reference("num_factors", "rules"), with_controls(name)
    found = ControlRatio().select(problem, problem.n_samples, np.random.default_rng(0))
    expected = reference[f"{name}__getK_ratios"]
    assert found.statistic == pytest.approx(expected, rel=1e-8)
    assert found.threshold == pytest.approx(np.full(len(expected), reference[f"{name}__getK_cutoff"][0]), rel=1e-12)
    assert found.n_factors == reference[f"{name}__getK"][0]


def test_ratios_match_regressions_without_each_control():
    rng = np.random.default_rng(0)
    loadings, effects = rng.normal(size=(25, 6)), rng.normal(size=25)
    for i in range(1, 7):
        ratios = []
        for c in range(25):
            rest = np.arange(25) != c
            slope = np.linalg.lstsq(loadings[rest, :i], effects[rest], rcond=None)[0]
            left = (effects[c] - loadings[c, :i] @ slope) / np.sqrt(1 + slope @ slope)
            ratios.append(abs(loadings[c, i - 1] / left))
        assert size_ratios(effects, loadings)[i - 1] == pytest.approx(np.median(ratios), rel=1e-10)


def test_factors_on_the_controls_stand_out():
    """Strong factors on many controls: their ratios are the large ones."""
    problem = simulated(60, 1000, 3, 0, strength=1.5)
    problem = AdjustmentProblem(problem.matrix, problem.design, np.arange(1000) % 2 == 0)
    found = ControlRatio(scale="unit").select(problem, 20, np.random.default_rng(0))
    assert found.statistic[2] > 2 * found.threshold[0]
    assert found.statistic[3:].max() < found.statistic[2]


def test_units_of_the_features_do_not_matter_with_unit_scale():
    problem = simulated(30, 400, 2, 0)
    controls = np.arange(400) < 60
    first = AdjustmentProblem(problem.matrix, problem.design, controls)
    X = problem.matrix.values * np.geomspace(1e-3, 1e3, 400)
    second = AdjustmentProblem(ArrayMatrix(X), problem.design, controls)
    a, b = (ControlRatio(scale="unit").select(p, 9, np.random.default_rng(0)).statistic for p in (first, second))
    assert np.allclose(a, b, rtol=1e-6)


def test_one_primary_column_at_a_time():
    """The other primary columns are adjusted for: the same as declaring them nuisance."""
    rng = np.random.default_rng(0)
    columns, X = rng.normal(size=(40, 2)), rng.normal(size=(40, 300))
    controls = np.arange(300) < 50
    both = AdjustmentProblem(ArrayMatrix(X), Design.from_arrays(columns), controls)
    second = AdjustmentProblem(ArrayMatrix(X), Design.from_arrays(columns[:, 1], columns[:, :1]), controls)
    a = ControlRatio(column=1).select(both, 10, rng)
    b = ControlRatio().select(second, 10, rng)
    assert np.allclose(a.statistic, b.statistic, rtol=1e-8)
    with pytest.raises(MethodError, match="column=2"):
        ControlRatio(column=2).select(both, 10, rng)


@pytest.mark.parametrize("controls", [None, np.arange(100) < 2])
def test_controls_are_needed(controls):
    problem = simulated(20, 100, 1, 0)
    with pytest.raises(ControlsError, match="negative controls"):
        ControlRatio().select(AdjustmentProblem(problem.matrix, problem.design, controls), 5, np.random.default_rng(0))


def test_cutoff_is_a_size_of_noise():
    """90th percentile of the largest root mean square loading of noise, 200 draws: 1 %."""
    rng = np.random.default_rng(0)
    largest = [np.linalg.svd(rng.normal(size=(30, 600)), compute_uv=False)[0] / np.sqrt(600) for _ in range(200)]
    assert noise_ratio(30, 600) == pytest.approx(np.quantile(largest, 0.9), rel=0.01)
