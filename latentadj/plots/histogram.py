"""P-value histogram, with and without factors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from latentadj.diagnostics import classify_pvalues, pvalue_counts, term_pvalues
from latentadj.plots.style import BLUE, ORANGE, new_axes, plain, tidy_frame
from latentadj.results import AdjustmentResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: The first bar is cut when it is this many times as high as any other.
CUT_ABOVE = 4.0
_WORDS = {
    "uniform": "even",
    "uniform+spike": "flat with a peak near 0",
    "inflated": "falling all the way: inflated, or effects nearly everywhere",
    "conservative": "too few small ones: conservative",
    "u_shaped": "piled up at both ends",
    "discrete": "mostly tied",
    "too_few": "too few for a shape",
}


def pvalue_histogram(result: AdjustmentResult, term: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw the p-values of one term: with factors filled, without them as an outline.

    Parameters
    ----------
    result : AdjustmentResult
    term : str, optional
        A tested column, or a formula term (several columns give the joint F test); the first term by default.
    ax : matplotlib Axes, optional
        A new figure by default.

    Returns
    -------
    matplotlib Axes
        The table behind it is ``diagnostics.pvalue_counts(result, term)``.

    Raises
    ------
    InputError
        For a term that was not tested.
    MissingExtraError
        Without Matplotlib.

    Notes
    -----
    The dashed line is the height that the estimated share of true nulls gives (Storey and Tibshirani 2003,
    PNAS 100:9440). Few p-values get fewer bins.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 300))
    >>> res = la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=1)
    >>> ax = pvalue_histogram(res)
    >>> ax.get_xlabel()
    'p-value'
    """
    name, p = term_pvalues(result, term)
    check = classify_pvalues(p, name=name)
    bins = int(np.clip(np.isfinite(p).sum() // 25, 10, 40))
    table = pvalue_counts(result, term, bins)
    edges = np.append(table["low"].to_numpy(), 1.0)
    ax = new_axes(5.6, 3.6) if ax is None else ax
    ax.stairs(table["adjusted"].to_numpy(), edges, fill=True, color=BLUE, alpha=0.75, label=_after(result))
    if result.n_factors:
        ax.stairs(table["unadjusted"].to_numpy(), edges, color=ORANGE, lw=1.6, label="without factors")
    pi0 = check.statistics["pi0"]
    if np.isfinite(pi0):
        height = pi0 * table["expected"].to_numpy()[0]
        ax.axhline(height, color="black", ls="--", lw=1.2, label=f"true nulls, estimated: {pi0:.0%}")
    ax.set(xlim=(0.0, 1.0), xlabel="p-value", ylabel="features")
    ax.set_title(f"{plain(name, 48)}\n{_WORDS[check.verdict]}", fontsize=10, loc="left")
    tidy_frame(ax)
    _fit_height(ax, table, result.n_factors > 0)
    ax.legend(loc="upper right", bbox_to_anchor=(1.0, 0.93), frameon=False, fontsize=8.5)
    return ax


def _after(result: AdjustmentResult) -> str:
    k = result.n_factors
    return "no hidden factors" if k == 0 else f"with {k} factor{'s' * (k > 1)}"


def _fit_height(ax: Axes, table: pd.DataFrame, with_factors: bool) -> None:
    """Leave room for the legend; cut a first bar that would flatten the others, and say how high it is."""
    counts = table[["adjusted", "unadjusted"]].to_numpy() if with_factors else table[["adjusted"]].to_numpy()
    tallest, second = float(counts.max()), float(counts[1:].max())
    top = max(tallest * 1.04, float(counts[len(counts) // 4 :].max()) * 1.55, 1.0)
    if tallest > CUT_ABOVE * second > 0:
        top = 2.0 * second
        parts = [
            f"{count:,} {word}" for count, word in zip(counts[0], ("with", "without"), strict=False) if count > top
        ]
        text = "cut: " + ", ".join(parts) + " factors" if with_factors else f"cut: {int(tallest):,}"
        ax.annotate(text, (1.5 / len(counts), 0.99), xycoords="axes fraction", fontsize=8, va="top", color="#333333")
    ax.set_ylim(0.0, top)
