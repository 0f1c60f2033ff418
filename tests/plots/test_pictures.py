"""Every picture shows its table, is readable at any size, and says what is wrong when it cannot be drawn."""

from __future__ import annotations

import importlib
import itertools
from dataclasses import replace

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from latentadj import plots
from latentadj.diagnostics import component_table, factor_association, pvalue_counts, scree_table
from latentadj.exceptions import InputError, MissingExtraError
from latentadj.plots import style
from tests.diagnostics.studies import bladder, hidden_batch, large, quiet, small

STUDIES = {"bladder": bladder, "hidden batch": hidden_batch, "1000 samples": large, "10 samples": small}
PICTURES = {
    "histogram": plots.pvalue_histogram,
    "scree": plots.scree,
    "heatmap": plots.factor_heatmap,
    "pca": plots.pca,
    "pca by label": lambda result: plots.pca(result, str(result.sample_data.columns[1])),
}


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def drawn_texts(figure) -> list[tuple[str, object]]:
    """Every text that drawing the figure draws, with its box; ticks outside the limits are not drawn."""
    boxes = {}

    def spy(text, renderer, *args, **kwargs):
        if text.get_visible() and text.get_text().strip():
            boxes[id(text)] = (text.get_text(), text.get_window_extent(renderer))
        return original(text, renderer, *args, **kwargs)

    original = mpl.text.Text.draw
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mpl.text.Text, "draw", spy)
        figure.canvas.draw()
    return list(boxes.values())


def overlaps(figure) -> list[tuple[str, str]]:
    """Pairs of texts whose boxes share more than a pixel in both directions."""
    found = []
    for (text, a), (other, b) in itertools.combinations(drawn_texts(figure), 2):
        wide = min(a.x1, b.x1) - max(a.x0, b.x0)
        high = min(a.y1, b.y1) - max(a.y0, b.y0)
        if wide > 1 and high > 1:
            found.append((text, other))
    return found


@pytest.mark.parametrize("picture", PICTURES)
@pytest.mark.parametrize("study", STUDIES)
def test_no_text_covers_another_at_any_size(study, picture):
    axes = PICTURES[picture](STUDIES[study]())
    figure = (axes[0] if isinstance(axes, tuple) else axes).figure
    assert overlaps(figure) == []


def test_the_overlap_check_can_fail():
    figure, ax = plt.subplots()
    ax.text(0.5, 0.5, "one")
    ax.text(0.51, 0.5, "two")
    assert overlaps(figure) == [("one", "two")]


def test_histogram_shows_the_counts_with_and_without_factors():
    result = hidden_batch()
    ax = plots.pvalue_histogram(result)
    filled, outline = (patch for patch in ax.patches if hasattr(patch, "get_data"))
    bins = len(filled.get_data().values)
    table = pvalue_counts(result, bins=bins)
    np.testing.assert_array_equal(filled.get_data().values, table["adjusted"])
    np.testing.assert_array_equal(outline.get_data().values, table["unadjusted"])
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels[0] == f"with {result.n_factors} factor" + "s" * (result.n_factors > 1)
    assert labels[1] == "without factors"
    assert labels[2].startswith("true nulls, estimated: ")


def test_a_cut_bar_says_how_high_it_is():
    result = bladder()
    ax = plots.pvalue_histogram(result)
    first = pvalue_counts(result, bins=40).loc[0]
    assert ax.get_ylim()[1] < first["unadjusted"]
    assert f"{int(first['unadjusted']):,} without" in ax.texts[0].get_text()


def test_histogram_without_factors_has_no_outline():
    ax = plots.pvalue_histogram(bladder(0))
    assert ax.get_legend().get_texts()[0].get_text() == "no hidden factors"
    assert len([patch for patch in ax.patches if hasattr(patch, "get_data")]) == 1


def test_scree_shows_shares_null_band_and_every_rule():
    result = bladder()
    ax = plots.scree(result)
    table = scree_table(result)
    observed, median, upper = (ax.lines[i].get_ydata() for i in range(3))
    shown = len(observed)
    np.testing.assert_array_equal(observed, table["share"][:shown])
    np.testing.assert_array_equal(median, table["null_median"][:shown])
    np.testing.assert_array_equal(upper, table["null_upper"][:shown])
    lines = {line.get_xdata()[0] - 0.5: line.get_label() for line in ax.lines[3:]}
    assert set(lines) == {float(a.n_factors) for a in result.num_factors.answers}
    assert "(used)" in lines[float(result.n_factors)]
    assert ax.get_yscale() == "log"


def test_scree_marks_a_number_that_was_given():
    ax = plots.scree(bladder(2))
    assert any(line.get_label() == "2: given (used)" for line in ax.lines)


def test_heatmap_shows_the_table_largest_share_first():
    result = hidden_batch()
    ax = plots.factor_heatmap(result)
    table = factor_association(result)
    grid = np.asarray(ax.images[0].get_array())
    names = [label.get_text().rstrip("*") for label in ax.get_yticklabels()]
    assert set(names) == {"group", "batch", "age", "run"}
    for name, values in zip(names, grid):
        np.testing.assert_array_equal(values, table.loc[table["covariate"] == name, "statistic"])
    assert (np.diff(grid.max(axis=1)) <= 0).all()
    assert names[0] == "batch"
    starred = sum(text.get_text().endswith("*") for text in ax.texts)
    assert starred == (table["p_adjusted"] < 0.05).sum()
    assert [label.get_text() for label in ax.get_yticklabels() if label.get_text().endswith("*")] == ["group*"]


def test_a_large_heatmap_says_what_it_leaves_out():
    ax = plots.factor_heatmap(large())
    assert ax.images[0].get_array().shape == (20, 20)
    assert ax.get_title(loc="left").endswith("(25 more covariates, 5 more factors not shown)")


def test_pca_draws_the_components_before_and_after():
    result = hidden_batch()
    axes = plots.pca(result, "batch")
    table = component_table(result).pivot(index=["when", "sample"], columns="component", values="score")
    for ax, when in zip(axes, ("before", "after")):
        drawn = np.vstack([points.get_offsets() for points in ax.collections])
        np.testing.assert_allclose(np.sort(drawn, axis=0), np.sort(table.loc[when].to_numpy(), axis=0))
    legend = axes[1].get_legend()
    assert legend.get_title().get_text() == "batch"
    assert [text.get_text() for text in legend.get_texts()] == ["1", "2", "3", "4"]
    # levels differ by marker as well as by colour
    outlines = {points.get_paths()[0].vertices.tobytes() for points in axes[0].collections}
    assert len(outlines) == 4


def test_pca_in_one_axes_is_the_picture_after():
    ax = plt.subplots()[1]
    assert plots.pca(hidden_batch(), ax=ax) is ax
    assert ax.get_title(loc="left") == "After"


def test_pca_colours_numbers_dates_and_rare_labels():
    result = hidden_batch()
    assert plots.pca(result, "age")[0].figure.axes[-1].get_ylabel() == "age"
    assert plots.pca(result, "run")[0].figure.axes[-1].get_ylabel() == "run (days)"
    many = pd.Series([f"site{i % 19}" for i in range(40)])
    texts = [text.get_text() for text in plots.pca(result, many)[1].get_legend().get_texts()]
    assert texts[:3] == ["site0", "site1", "site2"]
    assert texts[-1] == "other (4 levels)"
    gaps = pd.Series([None if i % 5 == 0 else "ab"[i % 2] for i in range(40)])
    assert [t.get_text() for t in plots.pca(result, gaps)[1].get_legend().get_texts()] == ["a", "b", "missing"]


def test_given_axes_are_used_and_no_other_figure_is_made():
    result = hidden_batch()
    axes = plt.subplots(1, 5)[1]
    before = plt.get_fignums()
    assert plots.pvalue_histogram(result, ax=axes[0]) is axes[0]
    assert plots.scree(result, axes[1]) is axes[1]
    assert plots.factor_heatmap(result, ax=axes[2]) is axes[2]
    assert plots.pca(result, ax=axes[3:]) == tuple(axes[3:])
    assert plt.get_fignums() == before


def test_global_settings_stay_as_they_were():
    before = dict(mpl.rcParams)
    for draw in PICTURES.values():
        draw(hidden_batch())
    assert dict(mpl.rcParams) == before


def test_dollar_signs_are_text():
    ax = plots.factor_heatmap(large())
    ax.figure.canvas.draw()
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert any(r"\$" in label for label in labels)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plots.pvalue_histogram(bladder(), "sex"), "'sex' was not tested"),
        (lambda: plots.factor_heatmap(bladder(0)), "no factors"),
        (lambda: plots.pca(hidden_batch(), "plate"), "no column 'plate'"),
        (lambda: plots.pca(hidden_batch(), [1, 2, 3]), "3 values for 40 samples"),
        (lambda: plots.pca(hidden_batch(), ax=plt.subplots(1, 3)[1]), "3 axes"),
        (lambda: plots.pca(replace(hidden_batch(), matrix=None)), "saved result does not hold"),
        (lambda: plots.scree(replace(bladder(0), matrix=None)), "keeps no residual spectrum"),
        (lambda: plots.factor_heatmap(hidden_batch(), hidden_batch().sample_data[["id", "lab"]]), "lab: constant"),
    ],
)
def test_what_cannot_be_drawn_is_an_error_that_says_why(draw, message):
    with pytest.raises(InputError, match=message):
        draw()


def test_plain_arrays_can_be_drawn():
    rng = np.random.default_rng(0)
    result = quiet(rng.normal(size=(12, 300)), np.arange(12.0), n_factors=1)
    before, _ = plots.pca(result)
    assert before.figure.axes[-1].get_ylabel() == result.tests.names[0]
    assert plots.pvalue_histogram(result).get_xlabel() == "p-value"


def test_without_matplotlib_the_message_names_the_command(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    for draw in (plots.pvalue_histogram, plots.scree, plots.factor_heatmap, plots.pca):
        with pytest.raises(MissingExtraError, match=r'pip install "latentadj\[plot\]"'):
            draw(hidden_batch())


def test_colours_of_neighbouring_levels_differ_in_lightness_or_marker():
    assert len(set(style.PALETTE)) == len(style.PALETTE) == 8
    pairs = {(i % 8, style.MARKERS[(i + i // 8) % 8]) for i in range(16)}
    assert len(pairs) == 16
