"""The spectrum of what the design and its factors leave, against its null."""

from __future__ import annotations

from typing import TYPE_CHECKING

from latentadj.diagnostics import residual_scree as residual_table
from latentadj.plots.spectrum import SHOWN, draw_shares, scale_axes
from latentadj.plots.style import ORANGE, new_axes, tidy_frame
from latentadj.results import AdjustmentResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def residual_scree(result: AdjustmentResult, ax: Axes | None = None) -> Axes:
    """Draw the shares of the variation that is left beside the design and its factors, and their null.

    Parameters
    ----------
    result : AdjustmentResult
        With the data at hand.
    ax : matplotlib Axes, optional
        A new figure by default.

    Returns
    -------
    matplotlib Axes
        The table behind it is ``diagnostics.residual_scree(result)``. Directions that stand out from permuted
        residuals are orange.

    Raises
    ------
    InputError
        For a result read from disk, or when the design leaves no residuals.
    MissingExtraError
        Without Matplotlib.

    Notes
    -----
    Buja and Eyuboglu (1992), Multivariate Behavioral Research 27:509.

    Examples
    --------
    >>> import latentadj as la
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(12, 300))
    >>> ax = residual_scree(la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=1))
    >>> ax.get_title(loc="left")
    'What the residuals hold: no direction stands out'
    """
    table = residual_table(result)
    left = int(table["beyond"].sum())
    table = table.rename(columns={"direction": "factor"}).iloc[: max(SHOWN, 2 * left + 4)]
    ax = new_axes(5.6, 3.6) if ax is None else ax
    draw_shares(ax, table)
    beyond = table[table["beyond"]]
    if left:
        ax.plot(beyond["factor"], beyond["share"], "o", color=ORANGE, ms=6, zorder=4, label="stands out")
    ax.set(xlabel="direction", ylabel="share of what is left", xlim=(0.3, len(table) + 0.7))
    scale_axes(ax)
    tidy_frame(ax)
    found = f"{left} direction{'s' * (left != 1)} stand{'s' * (left == 1)} out" if left else "no direction stands out"
    ax.set_title(f"What the residuals hold: {found}", fontsize=10, loc="left")
    ax.legend(loc="upper right", fontsize=8, facecolor="white", edgecolor="none", framealpha=0.9)
    return ax
