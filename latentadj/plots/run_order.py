"""A factor along the order or date of the runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from latentadj.diagnostics import run_order_association, run_order_table
from latentadj.diagnostics.run_order import drift_curve, scores_of
from latentadj.exceptions import InputError
from latentadj.plots.levels import Levels, levels_of
from latentadj.plots.panels import outside_legend
from latentadj.plots.style import BLUE, MARKERS, PALETTE, new_axes, plain, require_matplotlib, tidy_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Labels that get a colour and a marker of their own.
MOST_LEVELS = 16


def run_order(
    data: Any,
    order: Any = None,
    factor: str | None = None,
    sample_data: pd.DataFrame | None = None,
    ax: Axes | None = None,
    *,
    color: Any = None,
    of: str = "factors",
) -> Axes:
    """Draw one factor along the order or date of the runs, with a curve and the test of drift.

    Parameters
    ----------
    data : AdjustmentResult, or matrix of samples x features
        Without factors, principal components of the data take their place.
    order : str or array-like of shape (n_samples,), optional
        A numeric or date column of the sample table, or values; by default the first column of dates.
    factor : str, optional
        Name of a factor; by default the one that drifts most.
    sample_data : pandas.DataFrame, optional
        Sample table; by default the one that came with `data`.
    ax : matplotlib Axes, optional
        A new figure by default.
    color : str or array-like of shape (n_samples,), optional
        Column of the sample table, or labels, to colour the points by.
    of : {"factors", "residuals"}, default="factors"
        "residuals" takes the leading components of what the design of a result and its factors leave.

    Returns
    -------
    matplotlib Axes
        The tables behind it are ``diagnostics.run_order_table(data, order)`` and
        ``diagnostics.run_order_association(data, order)``.

    Raises
    ------
    InputError
        Without an order, or for one that is text or constant, or an unknown factor.
    MissingExtraError
        Without Matplotlib.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = np.outer(np.arange(40.0), rng.normal(size=200)) + rng.normal(size=(40, 200))
    >>> run_order(X, order=np.arange(40)).get_ylabel()
    'component 1'
    """
    tests = run_order_association(data, order, sample_data, of=of).set_index("factor")
    chosen = str(tests["curve_p"].fillna(1.0).idxmin()) if factor is None else factor
    if chosen not in tests.index:
        raise InputError(f"There is no factor {chosen!r}; there are {', '.join(tests.index)}.")
    table = run_order_table(data, order, sample_data, of=of)
    part = table[table["factor"] == chosen]
    ax = new_axes(6.4, 3.6) if ax is None else ax
    levels = None if color is None else _levels(data, sample_data, color, part)
    _draw_points(ax, part, levels)
    ax.plot(*drift_curve(part["order"], part["score"]), color="black", lw=1.6, label="curve of degree 3")
    test = tests.loc[chosen]
    ax.set(xlabel=plain(test["order"]), ylabel=plain(chosen))
    found = [f"{shape}: R² = {test[f'{shape}_r2']:.2f}, p = {test[f'{shape}_p']:.2g}" for shape in ("line", "curve")]
    ax.set_title(",  ".join(found), fontsize=10, loc="left")
    _tidy_dates(ax, part["order"])
    tidy_frame(ax)
    outside_legend(ax, None if levels is None else plain(levels.title))
    return ax


def _levels(data: Any, sample_data: pd.DataFrame | None, color: Any, part: pd.DataFrame) -> Levels:
    """Labels of the samples that are drawn, in their order."""
    study = scores_of(data, sample_data)[2]
    values = study.values_of(color, "color").set_axis(list(study.sample_ids))
    return levels_of(values.loc[part["sample"].tolist()], MOST_LEVELS)


def _draw_points(ax: Axes, part: pd.DataFrame, levels: Levels | None) -> None:
    size = float(np.clip(2400 / max(len(part), 1), 9, 30))
    if levels is None:
        ax.scatter(part["order"], part["score"], s=size, color=BLUE, alpha=0.8, lw=0, label=f"{len(part):,} samples")
        return
    labels = levels.labels
    for i, name in enumerate(levels.names):
        chosen = labels == name
        options: dict[str, Any] = {
            "color": levels.colours[name],
            "marker": MARKERS[(i + i // len(PALETTE)) % len(MARKERS)],
            "lw": 0,
            "label": plain(name),
        }
        ax.scatter(part["order"][chosen], part["score"][chosen], s=size, alpha=0.85, **options)


def _tidy_dates(ax: Axes, order: pd.Series) -> None:
    if pd.api.types.is_datetime64_any_dtype(order.dtype):
        dates = require_matplotlib("matplotlib.dates")
        locator = dates.AutoDateLocator(maxticks=7)
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
