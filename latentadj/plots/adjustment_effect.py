"""What is left of each variable's variation after adjustment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from latentadj.diagnostics.adjustment_effect import adjustment_effect as effect_table
from latentadj.exceptions import InputError
from latentadj.plots.panels import outside_legend
from latentadj.plots.style import BLUE, GREY, ORANGE, new_axes, plain, tidy_frame
from latentadj.results import AdjustmentResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Variables that are drawn; what is left out explains least, and the axis says how many.
MOST_VARIABLES = 20


def adjustment_effect(
    result: AdjustmentResult,
    biology: Sequence[str] | None = None,
    batch: Sequence[str] | None = None,
    sample_data: pd.DataFrame | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw how much of the variation of biology is kept, and how much of that of batches removed.

    Parameters
    ----------
    result : AdjustmentResult
        With the data at hand.
    biology, batch : sequence of str, optional
        Columns of the sample table whose variation is wanted and unwanted; by default those in the tested part of the
        formula, and all others.
    sample_data : pandas.DataFrame, optional
        Sample table; by default the one that came with the result.
    ax : matplotlib Axes, optional
        A new figure by default.

    Returns
    -------
    matplotlib Axes
        The table behind it is ``diagnostics.adjustment_effect(result, biology, batch)``: an arrow for each variable
        from its variation before adjustment to that after it, beyond what an unrelated variable would show.

    Raises
    ------
    InputError
        For a result read from disk, without a sample table, or without a usable variable.
    MissingExtraError
        Without Matplotlib.

    Examples
    --------
    >>> import latentadj as la
    >>> data = la.load_bladder()
    >>> res = la.adjust(data.X.iloc[:, :2000], "~ cancer", data.sample_data, method="cate", n_factors=2)
    >>> [label.get_text() for label in adjustment_effect(res).get_yticklabels()]
    ['cancer (biology)', 'outcome', 'batch']
    """
    table = effect_table(result, biology, batch, sample_data)
    if table.empty:
        raise InputError("No variable of the sample table can be used, so there is nothing to compare.")
    order = np.lexsort([-table["before"].to_numpy(), (table["role"] != "biology").to_numpy()])
    hidden = len(table) - MOST_VARIABLES
    table = table.iloc[order[:MOST_VARIABLES]]
    ax = new_axes(6.4, 1.4 + 0.36 * len(table)) if ax is None else ax
    _draw(ax, table)
    names = [plain(name) + " (biology)" * (role == "biology") for name, role in table[["variable", "role"]].to_numpy()]
    ax.set_yticks(range(len(table)), names)
    ax.set_ylim(len(table) - 0.4, -0.6)
    cut = f" ({hidden} more variables not shown)" if hidden > 0 else ""
    ax.set_xlabel("share of the variation, beyond chance" + cut)
    ax.set_title("What adjustment left of each variable", fontsize=10, loc="left")
    ax.axvline(0.0, color="black", lw=0.8)
    tidy_frame(ax)
    outside_legend(ax)
    return ax


def _draw(ax: Axes, table: pd.DataFrame) -> None:
    place = np.arange(len(table))
    ax.hlines(place, table["before"], table["after"], color=GREY, lw=1.6, zorder=1)
    ax.plot(table["before"], place, "o", ms=7, color=ORANGE, label="before")
    ax.plot(table["after"], place, "D", ms=6, color=BLUE, label="after")
