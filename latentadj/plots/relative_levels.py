"""Relative log expression of the samples, before and after adjustment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from latentadj.diagnostics import relative_log_expression
from latentadj.diagnostics.explored import explored_study
from latentadj.plots.levels import Levels, level_handles, levels_of
from latentadj.plots.panels import TITLES, one_or_tuple, outside_legend, panel_axes
from latentadj.plots.style import BLUE, plain, require_matplotlib, tidy_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Samples that get a box each, and a name each; more make a band.
MOST_BOXES, MOST_NAMES = 100, 60
#: Levels that are told apart; from the size of the palette on they are named along the axis, where there is room.
MOST_BATCHES, PALETTE_SIZE = 40, 8


def rle(data: Any, sample_data: pd.DataFrame | None = None, batch: Any = None, ax: Any = None) -> Any:
    """Draw how far each sample's values are from the features' medians, before and after adjustment.

    Parameters
    ----------
    data : AdjustmentResult, or matrix of samples x features
        On a scale where effects add up (logarithms).
    sample_data : pandas.DataFrame, optional
        Sample table; by default the one that came with `data`.
    batch : str or array-like of shape (n_samples,), optional
        Column of the sample table, or labels: samples are put in the order of its levels and coloured by them.
    ax : matplotlib Axes or pair of Axes, optional
        One for the picture after adjustment alone, two for both. A new figure with both by default.

    Returns
    -------
    matplotlib Axes or tuple of two Axes
        The table behind it is ``diagnostics.relative_log_expression(data)``. Boxes hold the middle half of the
        features, whiskers all but 5 % on each side; more than 100 samples make bands of the same quantiles.

    Raises
    ------
    InputError
        For a result read from disk, or an unknown column.
    MissingExtraError
        Without Matplotlib.

    Notes
    -----
    Gandolfo and Speed (2018), PLoS ONE 13:e0191629.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(6, 50))
    >>> ax = rle(X, pd.DataFrame({"plate": list("aabbcc")}), batch="plate")
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['a', 'b', 'c']
    """
    study = explored_study(data, sample_data, what="Relative log expression")
    levels = None if batch is None else _batches(study.values_of(batch, "batch"))
    table = relative_log_expression(data, sample_data)
    axes, shown = panel_axes(ax, list(study.panels), (9.4, 2.9), stacked=True)
    order = np.arange(study.n_samples) if levels is None else np.argsort(levels.codes, kind="stable")
    parts = {when: table[table["when"] == when].iloc[order] for when in shown}
    reach = max(float(np.nanmax(np.abs(part[["low", "high"]].to_numpy()))) for part in parts.values())
    for panel, when in zip(axes, shown, strict=True):
        _draw_panel(panel, parts[when], None if levels is None else levels.labels[order], levels)
        panel.set(ylim=(-1.08 * reach, 1.08 * reach), ylabel="deviation from medians")
        if len(study.panels) > 1:
            panel.set_title(TITLES[when], fontsize=10, loc="left")
    _name_samples(axes, parts[shown[-1]], levels)
    if levels is not None and len(levels.names) <= PALETTE_SIZE:
        outside_legend(axes[0], plain(levels.title), handles=level_handles(levels))
    elif levels is not None:
        _name_batches(axes[-1], levels.codes[order], levels)
    return one_or_tuple(axes)


def _batches(values: pd.Series) -> Levels:
    return levels_of(values, MOST_BATCHES if len(values) > MOST_NAMES else PALETTE_SIZE)


def _draw_panel(ax: Axes, table: pd.DataFrame, labels: Any, levels: Levels | None) -> None:
    position = np.arange(len(table))
    colours = np.array([BLUE if levels is None else levels.colours[label] for label in _or_blank(labels, table)])
    draw = _boxes if len(table) <= MOST_BOXES else _bands
    draw(ax, position, table, colours)
    ax.axhline(0.0, color="black", lw=0.8, zorder=0)
    ax.set_xlim(-0.8, len(table) - 0.2)
    tidy_frame(ax)


def _or_blank(labels: Any, table: pd.DataFrame) -> Any:
    return [""] * len(table) if labels is None else labels


def _boxes(ax: Axes, position: Any, table: pd.DataFrame, colours: Any) -> None:
    collections = require_matplotlib("matplotlib.collections")
    low, q25, median, q75, high = (table[name].to_numpy() for name in ("low", "q25", "median", "q75", "high"))
    ax.bar(position, q75 - q25, 0.72, bottom=q25, color=colours, alpha=0.75)
    whiskers = [[(x, a), (x, b)] for x, a, b in zip(position, low, q25, strict=True)]
    whiskers += [[(x, a), (x, b)] for x, a, b in zip(position, q75, high, strict=True)]
    ax.add_collection(collections.LineCollection(whiskers, colors=np.tile(colours, 2), linewidths=1.0))
    middles = [[(x - 0.36, m), (x + 0.36, m)] for x, m in zip(position, median, strict=True)]
    ax.add_collection(collections.LineCollection(middles, colors="black", linewidths=1.2))


def _bands(ax: Axes, position: Any, table: pd.DataFrame, colours: Any) -> None:
    """One band per run of samples of one colour, each sample as wide as its place."""
    starts = np.flatnonzero(np.r_[True, colours[1:] != colours[:-1]])
    for start, stop in zip(starts, np.r_[starts[1:], len(colours)], strict=True):
        part = table.iloc[start:stop]
        edges = np.arange(start, stop + 1) - 0.5
        for lower, upper, alpha in (("low", "high", 0.3), ("q25", "q75", 0.75)):
            a, b = (np.append(part[name].to_numpy(), part[name].to_numpy()[-1]) for name in (lower, upper))
            ax.fill_between(edges, a, b, step="post", color=colours[start], alpha=alpha, lw=0)
    ax.step(position, table["median"], where="mid", color="black", lw=0.7)


def _name_batches(ax: Axes, codes: Any, levels: Levels) -> None:
    """Name more levels than there are colours where their samples stand."""
    starts = np.searchsorted(codes, np.arange(len(levels.names)))
    middles = 0.5 * (starts + np.append(starts[1:], len(codes)) - 1)
    ax.set_xticks(middles, [plain(name, 14) for name in levels.names], rotation=90, fontsize=8)


def _name_samples(axes: list[Any], table: pd.DataFrame, levels: Levels | None) -> None:
    last = axes[-1]
    for ax in axes:
        ax.set_xticks([])
    by = f", by {plain(levels.title)}" if levels is not None else ""
    last.set_xlabel(f"{len(table):,} samples{by}")
    if len(table) <= MOST_NAMES:
        size = 8 if len(table) <= 25 else 6
        last.set_xticks(range(len(table)), [plain(name, 16) for name in table["sample"]], rotation=90, fontsize=size)
