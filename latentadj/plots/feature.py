"""Values of one feature by batch and group, before and after adjustment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.diagnostics.feature_values import feature_values
from latentadj.exceptions import InputError
from latentadj.plots.levels import Levels, level_handles, levels_of
from latentadj.plots.panels import TITLES, one_or_tuple, outside_legend, panel_axes
from latentadj.plots.style import BLUE, plain, tidy_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Batches along the axis; the rarest are pooled when there are more.
MOST_BATCHES = 24
#: Samples that are drawn as points beside the boxes.
MOST_POINTS = 400


def feature_boxes(
    data: Any,
    feature: Any,
    group: Any = None,
    batch: Any = None,
    sample_data: pd.DataFrame | None = None,
    ax: Any = None,
) -> Any:
    """Draw one feature by batch (across) and group (in colour), before and after adjustment.

    Parameters
    ----------
    data : AdjustmentResult, or matrix of samples x features
    feature : str or int
        ID of the feature, or its position where features have no IDs.
    group, batch : str or array-like of shape (n_samples,), optional
        Columns of the sample table, or values; at least one of them.
    sample_data : pandas.DataFrame, optional
        Sample table; by default the one that came with `data`.
    ax : matplotlib Axes or pair of Axes, optional
        One for the picture after adjustment alone, two for both. A new figure with both by default.

    Returns
    -------
    matplotlib Axes or tuple of two Axes
        The table behind it is ``diagnostics.feature_values(data, feature, group, batch)``. Boxes hold the middle
        half of the samples, whiskers reach 1.5 times as far, points are samples.

    Raises
    ------
    InputError
        For an unknown feature or column, a result read from disk, or when neither group nor batch is named.
    MissingExtraError
        Without Matplotlib.

    Notes
    -----
    For display only: do not test adjusted data.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(8, 5))
    >>> table = pd.DataFrame({"plate": list("aabbccdd"), "sex": list("fmfmfmfm")})
    >>> ax = feature_boxes(X, 3, group="sex", batch="plate", sample_data=table)
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['a', 'b', 'c', 'd']
    """
    if group is None and batch is None:
        raise InputError("Name the column to draw the feature by: group=, batch= or both.")
    table = feature_values(data, feature, group, batch, sample_data)
    panels = list(dict.fromkeys(table["when"]))
    across = _named(table, "group" if batch is None else "batch", batch if batch is not None else group, MOST_BATCHES)
    hue = None if group is None or batch is None else _named(table, "group", group, None)
    width = float(np.clip(1.6 + 0.28 * len(across.names) * (1 if hue is None else len(hue.names)), 3.4, 8.0))
    axes, shown = panel_axes(ax, panels, (width, 3.6))
    values = table["value"][np.isfinite(table["value"])]
    room = 0.06 * (values.max() - values.min()) or 0.5
    for panel, when in zip(axes, shown, strict=True):
        chosen = (table["when"] == when).to_numpy()
        _draw_panel(panel, table["value"].to_numpy()[chosen], across, hue)
        panel.set(ylim=(values.min() - room, values.max() + room), xlabel=plain(across.title))
        title = plain(feature, 30) if len(panels) == 1 else f"{TITLES[when]}: {plain(feature, 30)}"
        panel.set_title(title, fontsize=10, loc="left")
    axes[0].set_ylabel("value")
    if hue is not None:
        outside_legend(axes[-1], plain(hue.title), handles=level_handles(hue))
    return one_or_tuple(axes)


def _named(table: pd.DataFrame, column: str, given: Any, most: int | None) -> Levels:
    """Levels of the samples, titled by the column that was named."""
    first = table[table["when"] == table["when"].iloc[0]][column].reset_index(drop=True)
    title = given if isinstance(given, str) else str(getattr(given, "name", None) or column)
    return levels_of(first.rename(title)) if most is None else levels_of(first.rename(title), most)


def _draw_panel(ax: Axes, values: NDArray[np.float64], across: Levels, hue: Levels | None) -> None:
    count = 1 if hue is None else len(hue.names)
    step = 0.84 / count
    for i, place in enumerate(across.names):
        for j in range(count):
            chosen = (across.labels == place) & (hue is None or hue.labels == hue.names[j]) & np.isfinite(values)
            colour = BLUE if hue is None else hue.colours[hue.names[j]]
            _draw_box(ax, values[chosen], i + (j - (count - 1) / 2) * step, 0.8 * step, colour, len(values))
    crowded = len(across.names) > 8 or max(len(name) for name in across.names) > 8
    ax.set_xticks(range(len(across.names)), [plain(name, 14) for name in across.names], rotation=90 if crowded else 0)
    ax.set_xlim(-0.6, len(across.names) - 0.4)
    tidy_frame(ax)


def _draw_box(ax: Axes, values: NDArray[np.float64], place: float, width: float, colour: str, n_samples: int) -> None:
    if not values.size:
        return
    if values.size > 2:
        parts = ax.boxplot(
            [values],
            positions=[place],
            widths=[width],
            patch_artist=True,
            showfliers=n_samples > MOST_POINTS,
            manage_ticks=False,
            flierprops={"marker": ".", "ms": 2, "mec": colour},
            medianprops={"color": "black"},
        )
        parts["boxes"][0].set(facecolor=colour, alpha=0.45, edgecolor=colour)
        for line in (*parts["whiskers"], *parts["caps"]):
            line.set_color(colour)
    if n_samples <= MOST_POINTS:
        rank = np.argsort(np.argsort(values, kind="stable"), kind="stable")
        jitter = ((rank * 0.6180339887) % 1.0 - 0.5) * 0.7 * width
        ax.scatter(place + jitter, values, s=16, color=colour, edgecolors="white", lw=0.4, zorder=3)
