"""Histogram of the test statistics on the normal scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from latentadj.diagnostics import zscore_counts, zscore_fit
from latentadj.diagnostics.significance import single_column
from latentadj.diagnostics.zscores import zscores
from latentadj.plots.style import BLUE, ORANGE, new_axes, plain, tidy_frame
from latentadj.results import AdjustmentResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def z_histogram(result: AdjustmentResult, term: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw the statistics of one tested column beside N(0, 1) and the normal distribution of their bulk.

    Parameters
    ----------
    result : AdjustmentResult
    term : str, optional
        A tested column; the first by default.
    ax : matplotlib Axes, optional
        A new figure by default.

    Returns
    -------
    matplotlib Axes
        The table behind it is ``diagnostics.zscore_counts(result, term)``; median and MAD are those of
        ``diagnostics.zscore_fit(result, term)``.

    Raises
    ------
    InputError
        For a term that was not tested, or that has several columns.
    MissingExtraError
        Without Matplotlib.

    Notes
    -----
    As in Wang, Zhao, Hastie and Owen (2017), Annals of Statistics 45:1863, figure 1: where most features are null, the
    bulk of calibrated statistics is N(0, 1).

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 300))
    >>> ax = z_histogram(la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=1))
    >>> ax.get_xlabel()
    'statistic on the normal scale'
    """
    column = single_column(result, term)
    bins = int(np.clip(result.n_features // 20, 12, 60))
    table, fit = zscore_counts(result, column, bins), zscore_fit(result, column).set_index("which")
    edges = np.append(table["low"].to_numpy(), table["high"].to_numpy()[-1:])
    middle = 0.5 * (edges[1:] + edges[:-1])
    k = result.n_factors
    ax = new_axes(5.6, 3.8) if ax is None else ax
    words = "no hidden factors" if k == 0 else f"with {k} factor{'s' * (k > 1)}"
    ax.stairs(table["adjusted"], edges, fill=True, color=BLUE, alpha=0.65, label=f"{words}, {_bulk(fit, 'adjusted')}")
    if k:
        label = f"without factors, {_bulk(fit, 'unadjusted')}"
        ax.stairs(table["unadjusted"], edges, color=ORANGE, lw=1.6, label=label)
    ax.plot(middle, table["normal"], color="black", lw=1.4, ls="--", label="N(0, 1)")
    if table["fitted"].notna().all():
        ax.plot(
            middle,
            table["fitted"],
            color="black",
            lw=1.2,
            label="N(median, MAD²) with factors" if k else "N(median, MAD²)",
        )
    ax.set(xlabel=_axis(result, column, edges[-1]), ylabel="features", xlim=(edges[0], edges[-1]))
    ax.set_ylim(0, 1.55 * max(float(table[["adjusted", "unadjusted", "normal"]].to_numpy().max()), 1.0))
    ax.set_title(plain(column, 48), fontsize=10, loc="left")
    ax.legend(loc="upper left", frameon=False, fontsize=8.5)
    tidy_frame(ax)
    return ax


def _axis(result: AdjustmentResult, column: str, furthest: float) -> str:
    """Name the axis, and say when the outermost bars hold what is further out."""
    which = ("adjusted", "unadjusted") if result.n_factors else ("adjusted",)
    beyond = any(np.nanmax(np.abs(zscores(result, column, panel)), initial=0.0) > furthest for panel in which)
    return "statistic on the normal scale" + f" (outer bars: beyond {furthest:g} too)" * beyond


def _bulk(fit: object, which: str) -> str:
    row = fit.loc[which]  # type: ignore[attr-defined]
    return f"median {row['median']:.2f}, MAD {row['mad']:.2f}"
