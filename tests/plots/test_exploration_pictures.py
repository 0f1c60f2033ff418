"""Pictures of exploration and of results: they show their tables, keep to the palette, and can be read at any size."""

from __future__ import annotations

import importlib
import time
from dataclasses import replace

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

import latentadj as la
from latentadj import diagnostics, plots
from latentadj.exceptions import ControlsError, InputError, MissingExtraError
from latentadj.inference import ModeratedT
from latentadj.plots import style
from latentadj.plots.clouds import name_points
from latentadj.plots.levels import levels_of
from tests.diagnostics.studies import bladder, hidden_batch, large, quiet, small
from tests.plots.test_pictures import overlaps

STUDIES = {"bladder": bladder, "hidden batch": hidden_batch, "1000 samples": large, "10 samples": small}


def known(result) -> np.ndarray:
    return np.arange(0, result.n_features, 7)


def batch_of(result) -> str:
    """A column of labels of the study's table."""
    names = [str(name) for name in result.sample_data.columns]
    return "batch" if "batch" in names else next(name for name in names if name.startswith("plate"))


def two_terms(result) -> list[str]:
    return [str(result.sample_data.columns[0]), batch_of(result)]


RESULT_PICTURES = {
    "qq": plots.qq,
    "z_histogram": plots.z_histogram,
    "volcano": plots.volcano,
    "ma": plots.ma,
    "effects": lambda r, ax=None: plots.effects(r, controls=known(r), ax=ax),
    "mean_variance": plots.mean_variance,
    "control_histogram": lambda r, ax=None: plots.control_histogram(r, known(r), ax=ax),
    "control_curve": lambda r, ax=None: plots.control_curve(r, known(r), ax=ax),
    "design_correlation": plots.design_correlation,
    "run_order": lambda r, ax=None: plots.run_order(r, np.arange(r.n_samples), color=batch_of(r), ax=ax),
}
DATA_PICTURES = {
    "rle": lambda r, ax=None: plots.rle(r, batch=batch_of(r), ax=ax),
    "variance_bars": lambda r, ax=None: plots.variance_bars(r, terms=two_terms(r), ax=ax),
    "pvca": lambda r, ax=None: plots.pvca(r, terms=two_terms(r), ax=ax),
    "variance_violins": lambda r, ax=None: plots.variance_violins(r, terms=two_terms(r), ax=ax),
    "dendrogram": lambda r, ax=None: plots.dendrogram(r, ax=ax),
    "feature_boxes": lambda r, ax=None: plots.feature_boxes(r, r.feature_ids[0], batch=batch_of(r), ax=ax),
}
PICTURES = {**RESULT_PICTURES, **DATA_PICTURES}


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def figure_of(axes):
    return (axes[0] if isinstance(axes, tuple) else axes).figure


@pytest.mark.parametrize("picture", PICTURES)
@pytest.mark.parametrize("study", STUDIES)
def test_no_text_covers_another_at_any_size(study, picture):
    assert overlaps(figure_of(PICTURES[picture](STUDIES[study]()))) == []


@pytest.mark.parametrize("picture", PICTURES)
def test_axes_in_axes_out_and_nothing_else_changes(picture):
    result, settings = hidden_batch(), dict(mpl.rcParams)
    ax = plt.subplots()[1]
    figures = plt.get_fignums()
    assert PICTURES[picture](result, ax=ax) is ax
    assert plt.get_fignums() == figures
    assert dict(mpl.rcParams) == settings
    assert ax.get_title(loc="left")


@pytest.mark.parametrize("picture", PICTURES)
def test_a_new_figure_is_made_only_once(picture):
    PICTURES[picture](hidden_batch())
    assert len(plt.get_fignums()) == 1


@pytest.mark.parametrize("picture", RESULT_PICTURES)
def test_results_without_data_or_factors_can_be_drawn(picture):
    RESULT_PICTURES[picture](replace(hidden_batch(), matrix=None))
    if picture != "run_order":
        RESULT_PICTURES[picture](replace(bladder(0), matrix=None))


@pytest.mark.parametrize("picture", DATA_PICTURES)
def test_what_needs_the_data_says_so(picture):
    with pytest.raises(InputError, match="needs the data, which a saved result does not hold"):
        DATA_PICTURES[picture](replace(hidden_batch(), matrix=None))


@pytest.mark.parametrize("picture", DATA_PICTURES)
def test_a_matrix_and_a_sample_table_will_do(picture):
    result = hidden_batch()
    X = pd.DataFrame(result.matrix.values, index=list(result.sample_ids))
    table = result.sample_data.iloc[::-1]
    draw = {
        "rle": lambda: plots.rle(X, table, "batch"),
        "variance_bars": lambda: plots.variance_bars(X, table),
        "pvca": lambda: plots.pvca(X, table),
        "variance_violins": lambda: plots.variance_violins(X, table),
        "dendrogram": lambda: plots.dendrogram(X, table),
        "feature_boxes": lambda: plots.feature_boxes(X, 0, "group", "batch", table),
    }
    assert isinstance(draw[picture](), mpl.axes.Axes)


@pytest.mark.parametrize("picture", PICTURES)
def test_without_matplotlib_the_message_names_the_command(picture, monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(MissingExtraError, match=r'pip install "latentadj\[plot\]"'):
        PICTURES[picture](hidden_batch())


def test_quantiles_show_their_table_and_lambda():
    result = hidden_batch()
    ax = plots.qq(result, "group[T.control]")
    table = diagnostics.pvalue_quantiles(result, "group[T.control]")
    inflation = diagnostics.inflation_factors(result, "group[T.control]")
    points = {scatter.get_label(): scatter.get_offsets() for scatter in ax.collections[1:]}
    for which, words in {"adjusted": "with", "unadjusted": "without factors"}.items():
        label = next(name for name in points if name.startswith(words + " ") or name.startswith(words + ":"))
        part = table[table["which"] == which]
        np.testing.assert_allclose(points[label], part[["expected", "observed"]])
        assert label.endswith(f"λ = {inflation[which]:.2f}")


def test_quantiles_beyond_the_axis_are_triangles():
    ax = plots.qq(bladder(), "cancer[T.Cancer]")
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert "beyond the axis" in labels
    assert max(scatter.get_offsets()[:, 1].max() for scatter in ax.collections[1:]) < ax.get_ylim()[1]


def test_z_histogram_shows_counts_normal_and_fit():
    result = hidden_batch()
    ax = plots.z_histogram(result)
    filled, outline = ax.patches
    table = diagnostics.zscore_counts(result, bins=len(filled.get_data().values))
    np.testing.assert_array_equal(filled.get_data().values, table["adjusted"])
    np.testing.assert_array_equal(outline.get_data().values, table["unadjusted"])
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), table["normal"])
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), table["fitted"])
    fit = diagnostics.zscore_fit(result).set_index("which")
    assert f"MAD {fit.loc['unadjusted', 'mad']:.2f}" in ax.get_legend().get_texts()[1].get_text()


def test_rle_draws_a_box_per_sample_in_the_order_of_the_batches():
    result = hidden_batch()
    before, after = plots.rle(result, batch="group")
    table = diagnostics.relative_log_expression(result).set_index(["when", "sample"])
    names = [label.get_text() for label in after.get_xticklabels()]
    groups = result.sample_data.loc[names, "group"].tolist()
    assert groups == sorted(groups)
    for ax, when in ((before, "before"), (after, "after")):
        rows = table.loc[when].loc[names]
        bottoms = [bar.get_y() for bar in ax.patches]
        np.testing.assert_allclose(bottoms, rows["q25"])
        np.testing.assert_allclose([bar.get_y() + bar.get_height() for bar in ax.patches], rows["q75"])
    colours = {to_hex(bar.get_facecolor()).upper() for bar in before.patches}
    assert colours == set(style.PALETTE[:2])
    assert before.get_ylim() == after.get_ylim()


def test_a_thousand_samples_make_bands_and_many_batches_are_named_along_the_axis():
    result = large()
    before, _ = plots.rle(result, batch=batch_of(result))
    assert not before.patches
    table = diagnostics.relative_log_expression(result)
    drawn = np.concatenate([line.get_ydata() for line in before.lines if len(line.get_ydata()) == 1000])
    np.testing.assert_allclose(np.sort(drawn), np.sort(table.loc[table["when"] == "before", "median"]))
    assert (
        len([label for label in figure_of(before).axes[1].get_xticklabels() if label.get_text().startswith("plate")])
        == 30
    )


def test_bars_show_shares_and_chance():
    result = hidden_batch()
    ax = plots.variance_bars(result)
    table = diagnostics.variance_summary(result).set_index(["when", "term"])
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names[-1] == "residuals"
    for bars, when in zip(ax.containers, ("before", "after")):
        np.testing.assert_allclose([bar.get_width() for bar in bars], table.loc[when].loc[names, "mean"])
    assert (np.diff(table.loc["before"].loc[names[:-2], "mean"]) <= 0).all()
    marks = ax.collections[0].get_segments()
    drawn = [segment[0][0] for segment in marks]
    terms = [name for name in names if name not in ("shared", "residuals")]
    np.testing.assert_allclose(drawn, table.loc["before"].loc[terms, "chance"])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["by chance", "before", "after"]


def test_bars_say_how_many_terms_they_leave_out():
    ax = plots.variance_bars(large())
    hidden = large().sample_data.shape[1] - 16  # all can be used
    assert ax.get_xlabel() == f"share of variation ({hidden} more terms not shown)"


def test_violins_stand_at_their_medians():
    result = hidden_batch()
    ax = plots.variance_violins(result, terms=["group", "batch"])
    before = diagnostics.variance_partition(result, terms=["group", "batch"])
    dots = [line.get_xydata()[0] for line in ax.lines if len(line.get_ydata()) == 1]
    dots = [y for x, y in dots if x % 1 > 0.5]  # a little to the left of their places
    names = [label.get_text() for label in ax.get_xticklabels()]
    np.testing.assert_allclose(sorted(dots), sorted(before[names].median()))


def test_cross_table_writes_counts_and_hatches_empty_cells():
    ax = plots.cross_table(bladder(), "cancer", "batch")
    counts = diagnostics.sample_counts(bladder(), "cancer", "batch").to_numpy()
    assert sorted(int(text.get_text()) for text in ax.texts) == sorted(counts[counts > 0])
    assert len(ax.patches) == np.sum(counts == 0)
    assert all(to_hex(patch.get_edgecolor()).upper() == style.ORANGE for patch in ax.patches)
    assert ax.get_title(loc="left").startswith("empty cells, all levels connected")
    assert overlaps(ax.figure) == []


def test_cross_table_of_confounded_covariates_says_so():
    table = pd.DataFrame({"batch": list("aabb"), "group": list("xxyy")})
    title = plots.cross_table(table, "batch", "group").get_title(loc="left")
    assert "not told apart" in title
    assert title.endswith("V = 1.00")


def test_exactly_dependent_columns_carry_a_cross():
    table = pd.DataFrame({"group": list("aabbccdd"), "site": list("nnnnssss"), "age": np.arange(8.0) ** 2})
    ax = plots.design_correlation(la.Design.from_formula("~ age | group + site", table))
    found = diagnostics.design_correlation(la.Design.from_formula("~ age | group + site", table))
    assert sum(text.get_text() == "×" for text in ax.texts) == found["aliased"].sum() == 6
    assert ax.get_title(loc="left").endswith("× exactly dependent")
    assert overlaps(ax.figure) == []


@pytest.mark.parametrize(
    ("draw", "across", "up"), [(plots.volcano, "estimate", "log10_p"), (plots.ma, "mean", "estimate")]
)
def test_discoveries_have_colours_by_sign(draw, across, up):
    result = hidden_batch()
    table = diagnostics.volcano_table(result, "group")
    ax = draw(result, "group", n_names=3)
    scatters = {to_hex(s.get_facecolor()[0]).upper(): s.get_offsets() for s in ax.collections if len(s.get_offsets())}
    for sign, colour in ((-1, style.BLUE), (1, style.ORANGE)):
        part = table.loc[table["significant"] == sign, [across, up]]
        if len(part):
            np.testing.assert_allclose(scatters[colour], part)
    assert (table["significant"] != 0).any()
    leading = set(table.nlargest(3, "log10_p")["feature"])
    assert {text.get_text() for text in ax.texts} <= leading
    assert ax.get_legend().get_title().get_text() == "FDR < 0.05"


def test_names_without_room_are_left_out():
    ax = plt.subplots()[1]
    name_points(ax, [0.5] * 30, [0.5] * 30, [f"feature{i}" for i in range(30)])
    assert 2 <= len(ax.texts) < 30
    assert overlaps(ax.figure) == []


def test_effects_highlight_controls():
    result = bladder()
    ax = plots.effects(result, "cancer[T.Normal]")
    table = diagnostics.effect_comparison(result, "cancer[T.Normal]")
    drawn = next(s for s in ax.collections if s.get_label() == f"controls: {result.controls.sum()}")
    np.testing.assert_allclose(drawn.get_offsets(), table.loc[table["control"], ["estimate_unadjusted", "estimate"]])
    assert to_hex(drawn.get_facecolor()[0]).upper() == style.ORANGE


def test_the_prior_is_drawn_with_its_trend_and_outliers():
    data = la.load_bladder()
    result = quiet(
        data.X.iloc[:, :1500],
        "~ cancer",
        data.sample_data,
        method="none",
        inference=ModeratedT(trend=True, robust=True),
    )
    ax = plots.mean_variance(result)
    table = diagnostics.mean_variance_table(result).sort_values("mean")
    x, y = ax.lines[0].get_data()
    np.testing.assert_allclose(y, np.interp(x, table["mean"], table["sigma_prior"]), rtol=1e-10)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert f"outlying: {table['outlier'].sum():,}" in labels
    assert labels[-1] == "prior"
    assert overlaps(ax.figure) == []


def test_control_histogram_and_curve_show_their_tables():
    result = bladder()
    ax = plots.control_histogram(result, term="cancer[T.Normal]")
    filled, outline = ax.patches
    counts = diagnostics.known_pvalue_counts(result, None, "cancer[T.Normal]", len(filled.get_data().values))
    np.testing.assert_array_equal(filled.get_data().values, counts["adjusted"])
    np.testing.assert_array_equal(outline.get_data().values, counts["unadjusted"])
    positives = np.arange(50)
    ax = plots.control_curve(result, positives, "cancer[T.Normal]")
    ranks = diagnostics.control_ranks(result, positives, "cancer[T.Normal]")
    for line, which in zip(ax.lines, ("unadjusted", "adjusted")):
        np.testing.assert_array_equal(line.get_xdata()[1:-1], ranks.loc[ranks["which"] == which, "rank"])
    with pytest.raises(ControlsError, match="no controls"):
        plots.control_histogram(hidden_batch())


def test_run_order_draws_the_factor_that_drifts_most():
    result = hidden_batch()
    tests = diagnostics.run_order_association(result).set_index("factor")
    ax = plots.run_order(result, color="batch")
    worst = tests["curve_p"].idxmin()
    assert ax.get_ylabel() == worst
    table = diagnostics.run_order_table(result)
    drawn = np.concatenate([np.asarray(points.get_offsets())[:, 1] for points in ax.collections])
    np.testing.assert_allclose(np.sort(drawn), np.sort(table.loc[table["factor"] == worst, "score"]))
    assert f"p = {tests.loc[worst, 'curve_p']:.2g}" in ax.get_title(loc="left")
    assert [text.get_text() for text in ax.get_legend().get_texts()][:4] == ["1", "2", "3", "4"]
    with pytest.raises(InputError, match="no factor 'factor99'"):
        plots.run_order(result, factor="factor99")


def test_colours_of_a_run_follow_their_samples():
    result = hidden_batch()
    ax = plots.run_order(result, color="batch")
    table = diagnostics.run_order_table(result)
    part = table[table["factor"] == ax.get_ylabel()].set_index("sample")
    second = result.sample_data.index[result.sample_data["batch"] == 2]
    drawn = next(points for points in ax.collections if points.get_label() == "2")
    np.testing.assert_allclose(np.sort(drawn.get_offsets()[:, 1]), np.sort(part.loc[second, "score"]))


def test_feature_boxes_draw_every_sample_in_its_place():
    result = hidden_batch()
    before, after = plots.feature_boxes(result, "g3", group="group", batch="batch")
    table = diagnostics.feature_values(result, "g3", "group", "batch")
    for ax, when in ((before, "before"), (after, "after")):
        drawn = np.concatenate([np.asarray(points.get_offsets()) for points in ax.collections])
        part = table[table["when"] == when]
        np.testing.assert_allclose(np.sort(drawn[:, 1]), np.sort(part["value"]))
        place = np.round(drawn[:, 0]).astype(int)
        np.testing.assert_allclose(np.sort(drawn[place == 2, 1]), np.sort(part.loc[part["batch"] == 3, "value"]))
    assert [text.get_text() for text in after.get_legend().get_texts()] == ["case", "control"]
    assert overlaps(before.figure) == []
    with pytest.raises(InputError, match="group=, batch= or both"):
        plots.feature_boxes(result, "g3")
    with pytest.raises(InputError, match="3 axes"):
        plots.feature_boxes(result, "g3", "group", ax=plt.subplots(1, 3)[1])


def test_the_tree_shows_every_merge_and_strips_follow_the_leaves():
    result = hidden_batch()
    ax = plots.dendrogram(result, strips=["batch", "age"], when="before")
    tree = diagnostics.sample_clustering(result)
    heights = np.array([segment[1][1] for segment in ax.collections[0].get_segments()])
    np.testing.assert_allclose(heights, tree.merges[:, 2] / tree.merges[-1, 2])
    assert [label.get_text() for label in ax.get_xticklabels()] == [result.sample_ids[i] for i in tree.leaves]
    strip = np.asarray(ax.images[0].get_array())[0]
    levels = levels_of(result.sample_data["batch"])
    expected = [levels.colours[levels.labels[i]] for i in tree.leaves]
    assert [to_hex(colour).upper() for colour in strip] == expected
    assert ax.get_title(loc="left").startswith("Before adjustment")
    with pytest.raises(InputError, match="no column colour"):
        plots.dendrogram(result, strips=["colour"])


def test_rare_levels_share_a_grey_and_numbers_sort_as_numbers():
    values = pd.Series([f"b{i}" for i in range(12) for _ in range(12 - i)] + [None], name="batch")
    levels = levels_of(values)
    assert len(levels.names) == 8
    assert levels.names[:3] == ("b0", "b1", "b2")
    assert levels.names[-1] == "other (6 levels)"
    assert levels.colours[levels.names[-1]] == style.GREY
    assert set(list(levels.colours.values())[:-1]) <= set(style.PALETTE)
    assert levels_of(pd.Series([1.0, 2.0, 10.0], name="b"), None).names == ("1", "2", "10")


@pytest.fixture(scope="module")
def wide():
    """Twenty thousand features of sixty samples."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"group": np.repeat(["a", "b"], 30), "batch": np.tile(list("uvw"), 20)})
    X = rng.normal(size=(60, 20_000)) + rng.normal(size=(3, 20_000))[pd.factorize(table["batch"])[0]]
    result = quiet(X + np.outer(table["group"] == "a", rng.random(20_000) < 0.05), "~ group", table, n_factors=2)
    plots.rle(result), plots.volcano(result)  # tables and fonts are loaded once
    return result


@pytest.mark.parametrize("picture", PICTURES)
def test_twenty_thousand_features_take_less_than_a_second(picture, wide):
    started = time.process_time()
    PICTURES[picture](wide)
    assert time.process_time() - started < 1.0


def test_many_points_become_hexagons(wide):
    ax = plots.volcano(wide)
    assert max(len(c.get_offsets()) for c in ax.collections) < 10_000
    assert ax.get_legend().get_texts()[0].get_text().startswith("other: ")
    assert overlaps(ax.figure) == []
