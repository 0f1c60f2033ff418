"""Pictures of structure: they show their tables, and can be read at any size."""

from __future__ import annotations

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from latentadj import diagnostics, plots
from latentadj.diagnostics.prediction_audit import AUDIT_COLUMNS
from tests.diagnostics.studies import bladder, hidden_batch, large, small
from tests.plots.test_pictures import overlaps

STUDIES = {"bladder": bladder, "hidden batch": hidden_batch, "1000 samples": large, "10 samples": small}


def chromosomes(result) -> np.ndarray:
    return np.array([f"chr{i % 23 + 1}" for i in range(result.n_features)], dtype=object)


PICTURES = {
    "components": plots.component_heatmap,
    "residual components": lambda r, ax=None: plots.component_heatmap(r, ax=ax, when="residuals"),
    "covariates": lambda r, ax=None: plots.covariate_heatmap(r.sample_data, ax=ax),
    "residual scree": plots.residual_scree,
    "trend": lambda r, ax=None: plots.effect_trend(r, ax=ax),
    "trend by label": lambda r, ax=None: plots.effect_trend(r, chromosomes(r), ax=ax),
    "adjustment effect": lambda r, ax=None: plots.adjustment_effect(r, ax=ax),
    "residual run order": lambda r, ax=None: plots.run_order(r, np.arange(r.n_samples), ax=ax, of="residuals"),
}


def audit() -> pd.DataFrame:
    scores = {"raw": 0.9, "adjusted": 0.7, "confounds only": 0.6, "shuffled, adjusted": 0.5}
    rows = [
        (name, "a target with a long name", "roc_auc", i, 0, s + i / 50, 0.5)
        for name, s in scores.items()
        for i in range(3)
    ]
    rows += [(name, "batch", "balanced_accuracy", i, 0, 0.4, 0.25) for name in ("raw", "adjusted") for i in range(3)]
    return pd.DataFrame(rows, columns=list(AUDIT_COLUMNS))


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


#: Pictures that need many decompositions of the study.
COSTLY = {("1000 samples", "residual scree"), ("1000 samples", "path")}


def cases(names) -> list:
    pairs = [(study, name) for study in STUDIES for name in names]
    return [pytest.param(*pair, marks=pytest.mark.slow if pair in COSTLY else ()) for pair in pairs]


@pytest.mark.parametrize(("study", "picture"), cases(PICTURES))
def test_no_text_covers_another_at_any_size(study, picture):
    assert overlaps(PICTURES[picture](STUDIES[study]()).figure) == []


@pytest.mark.parametrize("picture", PICTURES)
def test_axes_in_axes_out(picture):
    ax = plt.subplots()[1]
    assert PICTURES[picture](hidden_batch(), ax=ax) is ax
    assert len(plt.get_fignums()) == 1


@pytest.mark.parametrize(("study", "picture"), cases(["path"]))
def test_the_path_and_its_legends_do_not_cover_lines(study, picture):
    axes = plots.factor_path(STUDIES[study]())
    assert overlaps(axes[0].figure) == []
    for ax in axes[1:]:
        # legends are above the axes
        assert ax.get_legend().get_window_extent().y0 >= ax.get_window_extent().y1 - 1


def test_residual_scree_shows_its_table():
    result = hidden_batch(n_factors=0, method="none")
    ax = plots.residual_scree(result)
    table = diagnostics.residual_scree(result)
    shown = len(ax.lines[0].get_ydata())
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), table["share"][:shown])
    marked = next(line for line in ax.lines if line.get_label() == "stands out")
    np.testing.assert_array_equal(marked.get_xdata(), table.loc[table["beyond"], "direction"])


def test_component_heatmap_shows_its_table_and_stars():
    result = hidden_batch()
    ax = plots.component_heatmap(result)
    table = diagnostics.component_association(result)
    names = [label.get_text() for label in ax.get_yticklabels()]
    for name, values in zip(names, np.asarray(ax.images[0].get_array())):
        np.testing.assert_array_equal(values, table.loc[table["covariate"] == name, "statistic"])
    assert names[0] == "batch"
    assert sum(text.get_text().endswith("*") for text in ax.texts) == (table["p_adjusted"] < 0.05).sum()


def test_trend_shows_its_table():
    result = hidden_batch()
    ax = plots.effect_trend(result, "factor1")
    table = diagnostics.estimate_trend(result, "factor1")
    for line, which in zip(ax.lines, ("unadjusted", "adjusted")):
        np.testing.assert_array_equal(line.get_ydata(), table.loc[table["which"] == which, "median"])


def test_adjustment_effect_shows_its_table():
    ax = plots.adjustment_effect(hidden_batch())
    table = diagnostics.adjustment_effect(hidden_batch()).set_index("variable")
    names = [label.get_text().removesuffix(" (biology)") for label in ax.get_yticklabels()]
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), table.loc[names, "before"])
    np.testing.assert_array_equal(ax.lines[1].get_xdata(), table.loc[names, "after"])


def test_audit_shows_its_summary():
    ax = plots.prediction_audit(audit())
    table = diagnostics.audit_summary(audit())
    assert sorted(bar.get_width() for bar in ax.patches) == pytest.approx(sorted(table["mean"]))
    assert overlaps(ax.figure) == []


def test_pca_of_a_matrix():
    result = hidden_batch()
    X = pd.DataFrame(result.matrix.values, index=list(result.sample_ids))
    ax = plots.pca(X, "batch", sample_data=result.sample_data.iloc[::-1])
    drawn = np.vstack([points.get_offsets() for points in ax.collections])
    table = diagnostics.component_table(X)
    expected = table.pivot(index="sample", columns="component", values="score").to_numpy()
    np.testing.assert_allclose(np.sort(drawn, axis=0), np.sort(expected, axis=0))
