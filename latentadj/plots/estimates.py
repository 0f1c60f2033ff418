"""Effects along something that is known about the features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from latentadj.diagnostics.estimate_structure import MEAN, estimate_trend, trend_values
from latentadj.diagnostics.significance import single_column
from latentadj.diagnostics.zscores import zscores
from latentadj.plots.levels import levels_of
from latentadj.plots.panels import outside_legend
from latentadj.plots.style import BLUE, GREY, ORANGE, new_axes, plain, tidy_frame
from latentadj.results import AdjustmentResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Quartile of the standard normal distribution.
QUARTILE = 0.6744897501960817
#: Labels that are drawn; what is left out has the fewest features, and the axis says how many.
MOST_LEVELS = 30
_MOST_POINTS = 6000
_COLOURS = {"unadjusted": ORANGE, "adjusted": BLUE}


def effect_trend(
    result: AdjustmentResult,
    by: Any = MEAN,
    term: str | None = None,
    feature_data: pd.DataFrame | None = None,
    ax: Axes | None = None,
    *,
    bins: int = 20,
) -> Axes:
    """Draw the statistics of a tested column along a covariate of the features, with and without factors.

    Parameters
    ----------
    result : AdjustmentResult
    by : str or array-like of shape (n_features,), default="mean"
        "mean", the name of a factor (its loadings), a column of `feature_data`, or values.
    term : str, optional
        A tested column; the first by default.
    feature_data : pandas.DataFrame, optional
        Annotation of the features, indexed by feature ID.
    ax : matplotlib Axes, optional
        A new figure by default.
    bins : int, default=20
        Groups of features of equal number, along a numeric covariate.

    Returns
    -------
    matplotlib Axes
        The table behind it is ``diagnostics.estimate_trend(result, by, term, feature_data)``: medians as lines, middle
        halves as bands. Without effects, half of the features are between the dotted lines, whatever the covariate.

    Raises
    ------
    InputError
        For an unknown name, or a covariate that cannot be used.
    MissingExtraError
        Without Matplotlib.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 300))
    >>> ax = effect_trend(la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=1), "factor1")
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('factor1 loading', 'statistic (normal scale)')
    """
    table = estimate_trend(result, by, term, feature_data, bins)
    values = trend_values(result, by, feature_data)
    labels = bool(table["centre"].isna().all())
    ax = new_axes(7.0, 3.8) if ax is None else ax
    shown = _largest(table) if labels else []
    for shift, which in enumerate(table["which"].unique()):
        part = table[table["which"] == which]
        if labels:
            _draw_levels(
                ax, part.set_index("level").loc[shown], which, 0.3 * (shift - 0.5 * (table["which"].nunique() - 1))
            )
        else:
            _draw_line(ax, part, which)
    name = single_column(result, term)
    if not labels:
        _draw_points(ax, values, zscores(result, name))
    _finish(ax, name, values, shown, table)
    return ax


def _draw_line(ax: Axes, part: pd.DataFrame, which: str) -> None:
    colour = _COLOURS[which]
    words = "with factors" if which == "adjusted" else "without factors"
    ax.fill_between(part["centre"], part["q25"], part["q75"], color=colour, alpha=0.22, lw=0, zorder=2)
    ax.plot(part["centre"], part["median"], "o-", ms=3.5, lw=1.5, color=colour, label=words, zorder=3)


def _draw_levels(ax: Axes, part: pd.DataFrame, which: str, shift: float) -> None:
    """A dot and a bar for every level of a label."""
    place = np.arange(len(part)) + shift
    words = "with factors" if which == "adjusted" else "without factors"
    ax.vlines(place, part["q25"], part["q75"], color=_COLOURS[which], lw=4, alpha=0.35)
    ax.plot(place, part["median"], "o", ms=4.5, color=_COLOURS[which], label=words)


def _draw_points(ax: Axes, values: pd.Series, z: np.ndarray) -> None:
    kept = np.flatnonzero(np.isfinite(z) & values.notna().to_numpy())
    step = max(len(kept) // _MOST_POINTS, 1)
    kept = kept[::step]
    size = float(np.clip(5000 / max(len(kept), 1), 1.5, 10))
    label = f"features{f' (1 of {step})' * (step > 1)}"
    ax.scatter(values.iloc[kept], z[kept], s=size, color=GREY, lw=0, alpha=0.3, zorder=1, rasterized=True)
    ax.scatter([], [], s=14, color=GREY, lw=0, alpha=0.7, label=label)


def _largest(table: pd.DataFrame) -> list[str]:
    """Levels with most features, in the order of their names."""
    counts = table.groupby("level")["n"].max().sort_values(ascending=False, kind="stable")
    return list(levels_of(pd.Series(counts.index[:MOST_LEVELS], name="level"), None).names)


def _finish(ax: Axes, term: str, values: pd.Series, levels: list[str], table: pd.DataFrame) -> None:
    ax.axhline(0.0, color="black", lw=0.8)
    for side in (-1, 1):
        ax.axhline(side * QUARTILE, color="black", lw=1, ls=":", label="half of the nulls" if side > 0 else None)
    reach = float(np.nanmax(np.abs(table[["q25", "q75"]].to_numpy())))
    ax.set_ylim(-max(4.0, 1.3 * reach), max(4.0, 1.3 * reach))
    hidden = table["level"].nunique() - len(levels) if levels else 0
    cut = f" ({hidden} more levels not shown)" if hidden > 0 else ""
    ax.set(xlabel=plain(values.name, 40) + cut, ylabel="statistic (normal scale)")
    if levels:
        many = len(levels) > 8
        names = [plain(level, 14) for level in levels]
        ax.set_xticks(range(len(levels)), names, rotation=90 if many else 0, fontsize=8 if many else 9)
    ax.set_title(f"{plain(term, 48)}: effects along {plain(values.name, 30)}", fontsize=10, loc="left")
    tidy_frame(ax)
    outside_legend(ax)
