"""The design as pictures: samples per cell, and correlations of its columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from latentadj.design import Design
from latentadj.diagnostics import connection_check, sample_counts
from latentadj.diagnostics import design_correlation as correlation_table
from latentadj.plots.style import ORANGE, SHARE_MAP, new_axes, plain, require_matplotlib
from latentadj.results import AdjustmentResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Largest pictures; the title says what is left out.
MOST_LEVELS, MOST_COLUMNS = 30, 30
#: Cells carry numbers up to this many.
NUMBERS_UP_TO = 14
#: Diverging, told apart with colour-vision deficiency.
_SIGNED_MAP = "PuOr_r"
_WORDS = {
    "complete": "samples in every cell",
    "connected": "empty cells, all levels connected",
    "disconnected": "levels fall apart into groups: not told apart",
}


def cross_table(data: Any, rows: str, columns: str, ax: Axes | None = None) -> Axes:
    """Draw the number of samples of each pair of levels of two covariates, with empty cells marked.

    Parameters
    ----------
    data : AdjustmentResult, Design or pandas.DataFrame
        Whose sample table is looked at.
    rows, columns : str
        Names of two covariates with at most 12 distinct values, or labels.
    ax : matplotlib Axes, optional
        A new figure by default.

    Returns
    -------
    matplotlib Axes
        The table behind it is ``diagnostics.sample_counts(data, rows, columns)``; the title says whether the levels
        are connected (``diagnostics.connection_check``) and gives Cramer's V.

    Raises
    ------
    InputError
        Without a sample table, for an unknown name, or for too many distinct numbers.
    MissingExtraError
        Without Matplotlib.

    Examples
    --------
    >>> import latentadj as la
    >>> ax = cross_table(la.load_bladder().sample_data, "cancer", "batch")
    >>> ax.get_ylabel(), ax.get_xlabel()
    ('cancer', 'batch')
    """
    counts = sample_counts(data, rows, columns)
    check = connection_check(counts)
    hidden = [n - MOST_LEVELS for n in counts.shape]
    shown = counts.iloc[:MOST_LEVELS, :MOST_LEVELS]
    height, width = shown.shape
    ax = new_axes(max(2.6 + 0.5 * width, 4.4), 1.4 + 0.36 * height) if ax is None else ax
    values = shown.to_numpy()
    image = ax.imshow(np.ma.masked_equal(values, 0), cmap=SHARE_MAP, vmin=0, aspect="auto")
    _mark_empty(ax, values)
    _write_numbers(ax, image, values, "d")
    ax.set_xticks(range(width), [plain(name, 12) for name in shown.columns], rotation=90 if width > 8 else 0)
    ax.set_yticks(range(height), [plain(name) for name in shown.index])
    ax.set(xlabel=plain(columns), ylabel=plain(rows))
    _bare(ax)
    ax.tick_params(labelsize=9)
    cut = f" ({max(hidden[0], 0)} rows, {max(hidden[1], 0)} columns not shown)" if max(hidden) > 0 else ""
    association = check.statistics["cramers_v"]
    ax.set_title(f"{_WORDS[check.verdict]}{cut}\nCramér’s V = {association:.2f}", fontsize=10, loc="left")
    return ax


def design_correlation(design: Design | AdjustmentResult, ax: Axes | None = None) -> Axes:
    """Draw the correlations of the design's columns, with those marked that depend on each other exactly.

    Parameters
    ----------
    design : Design or AdjustmentResult
        Of a result, the design with its factors.
    ax : matplotlib Axes, optional
        A new figure by default.

    Returns
    -------
    matplotlib Axes
        The table behind it is ``diagnostics.design_correlation(design)``. Tested columns carry an asterisk; a cross
        marks pairs within an exact linear relation.

    Raises
    ------
    InputError
        When no column varies.
    MissingExtraError
        Without Matplotlib.

    Examples
    --------
    >>> import latentadj as la
    >>> table = la.load_bladder().sample_data
    >>> ax = design_correlation(la.Design.from_formula("~ cancer | batch", table))
    >>> [label.get_text() for label in ax.get_yticklabels()][-2:]
    ['cancer[T.Cancer]*', 'cancer[T.Normal]*']
    """
    table = correlation_table(design)
    names = list(dict.fromkeys(table["column"]))
    grids = [table[name].to_numpy().reshape(len(names), -1) for name in ("correlation", "aliased")]
    tested = table["role"].to_numpy().reshape(len(names), -1)[:, 0] == "primary"
    left_out = len(names) - MOST_COLUMNS
    kept = np.sort(np.argsort(~tested, kind="stable")[:MOST_COLUMNS])
    correlation, aliased = (grid[np.ix_(kept, kept)] for grid in grids)
    labels = [plain(names[i]) + "*" * bool(tested[i]) for i in kept]
    ax = _draw_correlation(ax, correlation.astype(np.float64), aliased.astype(bool), labels)
    cut = f" ({left_out} more columns not shown)" if left_out > 0 else ""
    words = "× exactly dependent" if aliased.any() else "none exactly dependent"
    ax.set_title(f"Design columns{cut}: {words}", fontsize=10, loc="left")
    return ax


def _draw_correlation(ax: Axes | None, values: Any, aliased: Any, labels: list[str]) -> Axes:
    k = len(labels)
    ax = new_axes(3.4 + 0.4 * k, 2.2 + 0.36 * k) if ax is None else ax
    image = ax.imshow(values, cmap=_SIGNED_MAP, vmin=-1, vmax=1, aspect="auto")
    size = 9 if k <= NUMBERS_UP_TO else 7
    ax.set_xticks(range(k), labels, rotation=90, fontsize=size)
    ax.set_yticks(range(k), labels, fontsize=size)
    if k <= NUMBERS_UP_TO:
        shown = np.where(aliased | np.eye(k, dtype=bool), np.nan, values)
        _write_numbers(ax, image, shown, ".2f")
    for i, j in np.argwhere(aliased):
        ax.text(
            j,
            i,
            "×",
            ha="center",
            va="center",
            fontsize=13 if k <= NUMBERS_UP_TO else 8,
            color=_ink(image, values[i, j]),
        )
    bar = ax.figure.colorbar(image, ax=ax, fraction=0.05, pad=0.02)
    bar.set_label("correlation", fontsize=8.5)
    bar.ax.tick_params(labelsize=8)
    _bare(ax)
    return ax


def _mark_empty(ax: Axes, values: Any) -> None:
    patches = require_matplotlib("matplotlib.patches")
    for i, j in np.argwhere(values == 0):
        options = {"fill": False, "hatch": "////", "edgecolor": ORANGE, "lw": 0.0}
        ax.add_patch(patches.Rectangle((j - 0.46, i - 0.46), 0.92, 0.92, **options))


def _write_numbers(ax: Axes, image: Any, values: Any, form: str) -> None:
    if max(values.shape) > MOST_LEVELS or values.shape[1] > NUMBERS_UP_TO:
        return
    for (i, j), value in np.ndenumerate(values):
        if np.isfinite(value) and not (form == "d" and value == 0):
            ax.text(
                j,
                i,
                format(value if form == "d" else round(value, 2) + 0.0, form),
                ha="center",
                va="center",
                fontsize=8.5,
                color=_ink(image, value),
            )


def _ink(image: Any, value: float) -> str:
    """Black or white, whichever reads better on the cell's colour."""
    red, green, blue = image.cmap(image.norm(value))[:3]
    return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.5 else "black"


def _bare(ax: Axes) -> None:
    ax.tick_params(length=0)
    for side in ax.spines.values():
        side.set_visible(False)
