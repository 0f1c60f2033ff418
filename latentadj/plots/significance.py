"""Effects against their p-values, and against the level of the features."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from latentadj.diagnostics import volcano_table
from latentadj.diagnostics.significance import single_column
from latentadj.plots.clouds import draw_cloud, name_points, padded_extent
from latentadj.plots.panels import outside_legend
from latentadj.plots.style import BLUE, GREY, ORANGE, new_axes, plain, tidy_frame
from latentadj.results import AdjustmentResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PALE = "#9A9A9A"


def volcano(
    result: AdjustmentResult,
    term: str | None = None,
    ax: Axes | None = None,
    *,
    level: float = 0.05,
    lfc: float = 0.0,
    n_names: int = 10,
    which: str = "adjusted",
) -> Axes:
    """Draw p-values against effects of one tested column, with the discoveries in colour.

    Parameters
    ----------
    result : AdjustmentResult
    term : str, optional
        A tested column; the first by default.
    ax : matplotlib Axes, optional
        A new figure by default.
    level : float, default=0.05
        False discovery rate (Benjamini and Hochberg).
    lfc : float, default=0
        Size that an effect has to exceed as well to be coloured.
    n_names : int, default=10
        Leading features that are named, as far as there is room.
    which : {"adjusted", "unadjusted", "uncalibrated"}, default="adjusted"

    Returns
    -------
    matplotlib Axes
        The table behind it is ``diagnostics.volcano_table(result, term, level, lfc, which)``. Many features are drawn
        as density.

    Raises
    ------
    InputError
        For a term that was not tested, or that has several columns.
    MissingExtraError
        Without Matplotlib.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 300))
    >>> ax = volcano(la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=1))
    >>> ax.get_ylabel()
    '−log₁₀ p'
    """
    table = volcano_table(result, term, level, lfc, which)
    ax = new_axes(6.4, 4.2) if ax is None else ax
    _draw(ax, table, "estimate", "log10_p", level, n_names)
    ax.set(xlabel="effect", ylabel="−log₁₀ p")
    ax.set_ylim(bottom=0.0)
    if lfc > 0:
        for edge in (-lfc, lfc):
            ax.axvline(edge, color=GREY, lw=0.8, ls=":")
    ax.set_title(plain(single_column(result, term), 48), fontsize=10, loc="left")
    return ax


def ma(
    result: AdjustmentResult,
    term: str | None = None,
    ax: Axes | None = None,
    *,
    level: float = 0.05,
    lfc: float = 0.0,
    n_names: int = 10,
    which: str = "adjusted",
) -> Axes:
    """Draw effects of one tested column against the features' mean levels (MA plot).

    Parameters
    ----------
    result, term, ax, level, lfc, n_names, which
        As in `volcano`.

    Returns
    -------
    matplotlib Axes
        The table behind it is ``diagnostics.volcano_table(result, term, level, lfc, which)``.

    Raises
    ------
    InputError
        For a term that was not tested, or that has several columns.
    MissingExtraError
        Without Matplotlib.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 300))
    >>> ax = ma(la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=1))
    >>> ax.get_xlabel()
    'mean level'
    """
    table = volcano_table(result, term, level, lfc, which)
    ax = new_axes(6.4, 4.2) if ax is None else ax
    ax.axhline(0.0, color="black", lw=0.8, zorder=0)
    _draw(ax, table, "mean", "estimate", level, n_names)
    ax.set(xlabel="mean level", ylabel="effect")
    ax.set_title(plain(single_column(result, term), 48), fontsize=10, loc="left")
    return ax


def _draw(ax: Axes, table: pd.DataFrame, across: str, up: str, level: float, n_names: int) -> None:
    x, y = table[across].to_numpy(), table[up].to_numpy()
    extent = padded_extent(x, y)
    sign = table["significant"].to_numpy()
    ax.set(xlim=extent[:2], ylim=extent[2:])
    for value, colour, words in ((0, _PALE, "other"), (-1, BLUE, "negative"), (1, ORANGE, "positive")):
        chosen = sign == value
        draw_cloud(ax, x[chosen], y[chosen], colour, f"{words}: {chosen.sum():,}", extent=extent)
    ax.set(xlim=extent[:2], ylim=extent[2:])
    tidy_frame(ax)
    outside_legend(ax, f"FDR < {level:g}", markerscale=1.5)
    leading = table[(sign != 0) & np.isfinite(x) & np.isfinite(y)].nlargest(n_names, "log10_p")
    name_points(ax, leading[across].tolist(), leading[up].tolist(), leading["feature"].tolist())
