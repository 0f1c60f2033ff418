"""Pictures of comparisons show the numbers of their tables."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import pyplot
from numpy.testing import assert_allclose

from latentadj.compare import compare, null_check
from latentadj.exceptions import InputError
from latentadj.plots.comparison import comparison_metric, null_histogram, power_fdp
from latentadj.simulation import Scenario

ONE = Scenario("one", n_samples=20, n_features=150, n_factors=1)
TWO = Scenario("two $x$", n_samples=16, n_features=150, n_factors=1)


@pytest.fixture(scope="module")
def found():
    return compare(["none", "cate"], [ONE, TWO], ("errors", "factors"), 3)


@pytest.fixture(autouse=True)
def closed():
    yield
    pyplot.close("all")


@pytest.mark.parametrize("metric", ["type1_05", "type1_001", "fdp", "power", "recovery", "cpu_seconds", "n_factors"])
def test_points_are_the_means(found, metric):
    ax = comparison_metric(found, metric)
    table = found.table(metric)
    for container, scenario in zip(ax.containers, table.index, strict=True):
        drawn, wanted = container.lines[0].get_xdata(), table.loc[scenario].to_numpy(dtype=float)
        known = wanted > 0
        assert_allclose(np.asarray(drawn)[known], wanted[known])
    assert [text.get_text() for text in ax.get_yticklabels()] == ["none", "cate"]
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels[-2:] == ["one", r"two \$x\$"]


def test_power_against_false_discoveries(found):
    ax = power_fdp(found)
    points = {(line.get_xdata()[0], line.get_ydata()[0]) for line in ax.lines if len(line.get_xdata()) == 1}
    wanted = found.summary()
    for fdp, power in zip(wanted["fdp"], wanted["power"], strict=True):
        assert (fdp, power) in points
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["none", "cate", "one", r"two \$x\$"]


def test_null_histogram():
    X = np.random.default_rng(0).normal(size=(16, 200))
    check = null_check(X, np.repeat([0, 1], 8), method="none", n_repeats=3, confounding=0)
    axes = null_histogram(check)
    assert_allclose([bar.get_height() for bar in axes[0].patches], check.histogram()["count"])
    with pytest.raises(InputError, match="2 axes"):
        null_histogram(check, pyplot.subplots(1, 2)[1])


def test_what_is_not_known_is_refused(found):
    with pytest.raises(InputError, match="not measured"):
        comparison_metric(found, "beauty")
    nothing = compare(["none"], [Scenario("null", n_samples=12, n_features=50, effect_share=0.0)], "errors", 1)
    with pytest.raises(InputError, match="not known"):
        power_fdp(nothing)
    with pytest.raises(InputError, match="no scenario"):
        comparison_metric(nothing, "power")
