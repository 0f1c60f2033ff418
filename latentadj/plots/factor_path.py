"""What the answer depends on: discoveries, calibration and effects over the number of factors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from latentadj.diagnostics import FactorPath
from latentadj.plots.style import BLUE, GREY, ORANGE, PALETTE, new_axes, plain, require_matplotlib, tidy_frame
from latentadj.results import AdjustmentResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def factor_path(
    result: AdjustmentResult | FactorPath, term: str | None = None, axes: Any = None, level: float = 0.1
) -> Any:
    """Draw discoveries, overlap of hit lists and calibration against the number of factors.

    Parameters
    ----------
    result : AdjustmentResult or FactorPath
        A result makes its path with `AdjustmentResult.k_path`.
    term : str, optional
        A tested column; the first by default.
    axes : sequence of three matplotlib Axes, optional
        A new figure by default.
    level : float, default=0.1
        False discovery rate of the hit lists.

    Returns
    -------
    ndarray of three matplotlib Axes
        The table behind them is ``result.k_path().table(level)``. The number in use is marked in each.

    Raises
    ------
    InputError
        For a result read from disk, which does not hold the data.
    MissingExtraError
        Without Matplotlib.

    Notes
    -----
    Wang, Zhao, Hastie and Owen (2017) and Gagnon-Bartsch, Jacob and Speed (2013) advise to look at the answer over a
    range of numbers of factors: a plateau is a good sign.

    Examples
    --------
    >>> import latentadj as la
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(20, 300))
    >>> axes = factor_path(la.adjust(X, np.repeat([0, 1], 10), method="cate", n_factors=1))
    >>> [ax.get_ylabel() for ax in axes]
    ['discoveries', 'overlap of hit lists', 'calibration']
    """
    path = result if isinstance(result, FactorPath) else result.k_path()
    table = path.table(level)
    chosen = path.terms[0] if term is None else term
    table = table[table["term"] == chosen]
    axes = new_axes(10.5, 3.3, columns=3) if axes is None else axes
    _lines(axes[0], table, {"discoveries": ("discoveries", BLUE)}, "discoveries")
    overlaps = {"jaccard_used": ("with the number in use", BLUE), "jaccard_previous": ("with one fewer", ORANGE)}
    _lines(axes[1], table, overlaps, "overlap of hit lists")
    axes[1].set(ylim=(-0.03, 1.03), yticks=(0.0, 0.25, 0.5, 0.75, 1.0))
    _calibration(axes[2], table)
    for ax in axes:
        ax.axvline(path.used, color=GREY, lw=1.2, ls=":", zorder=0)
        ax.set_xlabel("number of factors")
        ax.xaxis.set_major_locator(require_matplotlib("matplotlib.ticker").MaxNLocator(integer=True))
        tidy_frame(ax)
    axes[0].set_title(f"{plain(chosen, 40)}\ndotted: {path.used} in use", fontsize=10, loc="left")
    return axes


def _lines(ax: Axes, table: pd.DataFrame, columns: dict[str, tuple[str, str]], label: str) -> None:
    for name, (words, colour) in columns.items():
        ax.plot(table["n_factors"], table[name], "o-", ms=4, lw=1.2, color=colour, label=words)
    ax.set_ylabel(label)
    if len(columns) > 1:
        # above the axes: lines go everywhere within
        place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0), "borderaxespad": 0.3}
        ax.legend(fontsize=8, frameon=False, ncols=2, columnspacing=1.2, handlelength=1.6, **place)


def _calibration(ax: Axes, table: pd.DataFrame) -> None:
    """Spread and inflation of the statistics; 1 is what a calibrated bulk has."""
    columns = {"mad_z": ("MAD of z", BLUE), "inflation": ("genomic inflation", ORANGE)}
    _lines(ax, table, columns, "calibration")
    ax.axhline(1.0, color=GREY, lw=1)
    if table["control_uniformity"].notna().any():
        twin = ax.twinx()
        colour = PALETTE[2]
        twin.plot(table["n_factors"], table["control_uniformity"], "s--", ms=4, lw=1, color=colour)
        twin.set_ylim(-0.03, 1.03)
        twin.set_ylabel("p of control uniformity", color=colour)
        twin.tick_params(axis="y", colors=colour)
        twin.spines["top"].set_visible(False)
