"""Hierarchical clustering of the samples, with strips of annotation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from latentadj.diagnostics import SampleTree, sample_clustering
from latentadj.diagnostics.covariates import read_covariate
from latentadj.diagnostics.sample_clustering import leaf_positions
from latentadj.exceptions import InputError
from latentadj.plots.levels import Levels, is_numeric, levels_of, number_colours
from latentadj.plots.panels import outside_legend
from latentadj.plots.style import plain, require_matplotlib, tidy_frame
from latentadj.results import AdjustmentResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Strips that are drawn by default, and samples that are named.
MOST_STRIPS, MOST_NAMES = 5, 60
_STRIP, _GAP = 0.09, 0.03


def dendrogram(
    data: Any,
    sample_data: pd.DataFrame | None = None,
    strips: Sequence[str] | None = None,
    ax: Axes | None = None,
    *,
    when: str | None = None,
    distance: str = "euclidean",
    method: str = "ward",
) -> Axes:
    """Draw a hierarchical clustering of the samples, with a strip of colours for each covariate.

    Parameters
    ----------
    data : AdjustmentResult, or matrix of samples x features
    sample_data : pandas.DataFrame, optional
        Sample table; by default the one that came with `data`.
    strips : sequence of str, optional
        Its columns; by default the first five that can be used.
    ax : matplotlib Axes, optional
        A new figure by default.
    when : {"before", "after"}, optional
        Before or after the factors are subtracted; by default after, where there are factors.
    distance : {"euclidean", "correlation"}, default="euclidean"
    method : {"ward", "average", "complete"}, default="ward"
        As in `latentadj.diagnostics.sample_clustering`.

    Returns
    -------
    matplotlib Axes
        The table behind it is ``diagnostics.sample_clustering(data, sample_data, ...).table()``.

    Raises
    ------
    InputError
        For a result read from disk, an unknown column or option.
    MissingExtraError
        Without Matplotlib.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(8, 50))
    >>> ax = dendrogram(X, pd.DataFrame({"plate": list("aabbccdd")}))
    >>> [text.get_text() for text in ax.get_yticklabels() if text.get_text() == "plate"]
    ['plate']
    """
    if when is None:
        when = "after" if isinstance(data, AdjustmentResult) and data.n_factors else "before"
    tree = sample_clustering(data, sample_data, when=when, distance=distance, method=method)
    columns = _columns(tree, strips)
    ax = (
        require_matplotlib().subplots(figsize=(9.4, 3.2 + 0.3 * len(columns)), layout="constrained")[1]
        if ax is None
        else ax
    )
    top = _draw_tree(ax, tree)
    levels = _draw_strips(ax, tree, columns)
    _label(ax, tree, [str(column.name) for column in columns], top)
    _keys(ax, levels)
    ax.set_title(f"{when.capitalize()} adjustment, {distance} distance, {method} linkage", fontsize=10, loc="left")
    return ax


def _columns(tree: SampleTree, strips: Sequence[str] | None) -> list[pd.Series]:
    """Return the covariates that get a strip."""
    table = pd.DataFrame() if tree.sample_data is None else tree.sample_data
    if strips is None:
        usable = [name for name in table.columns if read_covariate(table[name], str(name)).kind != "skipped"]
        strips = usable[:MOST_STRIPS]
    unknown = [str(name) for name in strips if name not in table.columns]
    if unknown:
        known = ", ".join(map(str, table.columns)) or "none"
        raise InputError(f"The sample table has no column {', '.join(unknown)}; it has {known}.")
    return [table[name].rename(str(name)) for name in strips]


def _draw_tree(ax: Axes, tree: SampleTree) -> float:
    """Draw the merges with heights scaled to 1, and return the largest height."""
    n, x = len(tree.leaves), leaf_positions(tree)
    top = float(tree.merges[-1, 2]) or 1.0
    height = np.r_[np.zeros(n), tree.merges[:, 2] / top]
    left, right = tree.merges[:, 0].astype(np.intp), tree.merges[:, 1].astype(np.intp)
    up = height[n:]
    corners = [[x[left], height[left]], [x[left], up], [x[right], up], [x[right], height[right]]]
    lines = np.stack([np.column_stack(corner) for corner in corners], axis=1)
    collections = require_matplotlib("matplotlib.collections")
    width = 1.0 if n <= 200 else 0.5
    ax.add_collection(collections.LineCollection(list(lines), colors="#333333", linewidths=width))
    return top


def _draw_strips(ax: Axes, tree: SampleTree, columns: list[pd.Series]) -> list[Levels]:
    """Draw the strips below the tree, and return the levels that need a key."""
    found = []
    for i, column in enumerate(columns):
        if is_numeric(column):
            colours = number_colours(column)
        else:
            levels = levels_of(column)
            found.append(levels)
            rgba = require_matplotlib("matplotlib.colors").to_rgba_array(
                [levels.colours[name] for name in levels.names]
            )
            colours = rgba[levels.codes]
        bottom = -(i + 1) * (_STRIP + _GAP)
        extent = (-0.5, len(tree.leaves) - 0.5, bottom, bottom + _STRIP)
        ax.imshow(colours[tree.leaves][None], extent=extent, aspect="auto", interpolation="nearest")
    return found


def _label(ax: Axes, tree: SampleTree, names: list[str], top: float) -> None:
    n = len(tree.leaves)
    heights = require_matplotlib("matplotlib.ticker").MaxNLocator(4).tick_values(0.0, top)
    heights = heights[(heights > 0) & (heights <= top)]
    middles = [-(i + 1) * (_STRIP + _GAP) + _STRIP / 2 for i in range(len(names))]
    labels = [f"{height:g}" for height in heights] + [plain(name, 18) for name in names]
    ax.set_yticks([*(heights / top), *middles], labels)
    ax.set(xlim=(-0.8, n - 0.2), ylim=(-len(names) * (_STRIP + _GAP) - 0.01, 1.03))
    tidy_frame(ax)
    ax.spines["bottom"].set_visible(False)
    ax.spines["left"].set_bounds(0.0, 1.0)
    ax.set_xticks([])
    if n <= MOST_NAMES:
        shown = [plain(tree.sample_ids[i], 16) for i in tree.leaves]
        ax.set_xticks(range(n), shown, rotation=90, fontsize=8 if n <= 25 else 6)
        ax.tick_params(axis="x", length=0)
    else:
        ax.set_xlabel(f"{n:,} samples")


def _keys(ax: Axes, found: list[Levels]) -> None:
    """One legend for all strips of labels, a heading for each."""
    patches = require_matplotlib("matplotlib.patches")
    handles = []
    for levels in found:
        handles.append(patches.Patch(alpha=0, label=plain(levels.title)))
        handles += [patches.Patch(facecolor=levels.colours[name], label="  " + plain(name)) for name in levels.names]
    if handles:
        outside_legend(ax, handles=handles, fontsize=8 if len(handles) <= 18 else 6.5, handlelength=1.2)
