"""Quantiles of the p-values against those of a uniform distribution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from latentadj.diagnostics import inflation_factors, pvalue_quantiles, term_pvalues
from latentadj.plots.style import BLUE, GREY, ORANGE, new_axes, plain, tidy_frame
from latentadj.results import AdjustmentResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def qq(result: AdjustmentResult, term: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw sorted p-values against uniform ones, with and without factors.

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
        The table behind it is ``diagnostics.pvalue_quantiles(result, term)``. Points without factors that are far
        above the others stand on the upper edge as triangles.

    Raises
    ------
    InputError
        For a term that was not tested.
    MissingExtraError
        Without Matplotlib.

    Notes
    -----
    The band holds each rank with probability 0.95 where no feature depends on the term and features are independent.
    Lambda is the genomic inflation factor (Devlin and Roeder 1999, Biometrics 55:997).

    Examples
    --------
    >>> import latentadj as la
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(12, 300))
    >>> ax = qq(la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=1))
    >>> ax.get_ylabel()
    'observed −log₁₀ p'
    """
    table = pvalue_quantiles(result, term)
    inflation = inflation_factors(result, term)
    ax = new_axes(4.6, 4.2) if ax is None else ax
    adjusted = table[table["which"] == "adjusted"]
    reach = float(adjusted["expected"].max()) if len(adjusted) else 1.0
    ax.fill_between(adjusted["expected"], adjusted["low"], adjusted["high"], color=GREY, alpha=0.25, lw=0, zorder=0)
    ax.plot([0, reach], [0, reach], color=GREY, lw=1, zorder=1)
    top = 1.08 * max(float(adjusted["observed"].max()) if len(adjusted) else 1.0, 1.5 * reach)
    if result.n_factors:
        _points(
            ax,
            table[table["which"] == "unadjusted"],
            ORANGE,
            f"without factors: λ = {_two(inflation['unadjusted'])}",
            top,
        )
    words = (
        "no hidden factors"
        if result.n_factors == 0
        else f"with {result.n_factors} factor{'s' * (result.n_factors > 1)}"
    )
    _points(ax, adjusted, BLUE, f"{words}: λ = {_two(inflation['adjusted'])}", top)
    ax.set(xlabel="expected −log₁₀ p", ylabel="observed −log₁₀ p", xlim=(0, 1.04 * reach), ylim=(0, 1.3 * top))
    ax.set_title(plain(term_pvalues(result, term)[0], 48), fontsize=10, loc="left")
    ax.legend(loc="upper left", frameon=False, fontsize=8.5)
    tidy_frame(ax)
    return ax


def _points(ax: Axes, table: pd.DataFrame, colour: str, label: str, top: float) -> None:
    inside = table["observed"] <= top
    options: dict[str, Any] = {"color": colour, "lw": 0, "rasterized": len(table) > 500}
    ax.scatter(table["expected"][inside], table["observed"][inside], s=9, label=label, **options)
    beyond = table["expected"][~inside]
    if len(beyond):
        ax.scatter(beyond, [top] * len(beyond), s=16, marker="^", label="beyond the axis", **options)


def _two(value: float) -> str:
    return f"{value:.3g}" if value >= 10 else f"{value:.2f}"
