"""Heatmap of factors against covariates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.diagnostics import factor_association, factor_shares
from latentadj.exceptions import InputError
from latentadj.plots.style import SHARE_MAP, new_axes, plain
from latentadj.results import AdjustmentResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Largest picture; what is left out is the least associated, and the title says so.
MOST_FACTORS, MOST_COVARIATES = 20, 20
#: Cells carry numbers up to this many columns.
NUMBERS_UP_TO = 14
_ALPHA = 0.05


def factor_heatmap(
    result: AdjustmentResult,
    sample_data: pd.DataFrame | None = None,
    ax: Axes | None = None,
    *,
    given_design: bool = False,
) -> Axes:
    """Draw how much of every factor each covariate explains.

    Parameters
    ----------
    result : AdjustmentResult
    sample_data : pandas.DataFrame, optional
        Sample table; by default the one the study was analysed with.
    ax : matplotlib Axes, optional
        A new figure by default.
    given_design : bool, default=False
        Remove the study's design from factors and covariates first.

    Returns
    -------
    matplotlib Axes
        The table behind it is ``diagnostics.factor_association(result, sample_data)``. Covariates in the formula
        are marked with an asterisk behind the name, cells with an adjusted p-value below 0.05 with one
        behind the number (a dot in large pictures). Covariates that cannot be used are left out.

    Raises
    ------
    InputError
        Without factors, without a sample table, or when no covariate can be used.
    MissingExtraError
        Without Matplotlib.

    Examples
    --------
    >>> import latentadj as la
    >>> data = la.load_bladder()
    >>> res = la.adjust(data.X.iloc[:, :2000], "~ cancer", data.sample_data, method="sva", n_factors=2)
    >>> ax = factor_heatmap(res)
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['outcome', 'cancer*', 'batch']
    """
    shares, adjusted_p = _grids(result, sample_data, given_design)
    hidden = len(shares) - MOST_COVARIATES, shares.shape[1] - MOST_FACTORS
    shares = _leading(shares)
    adjusted_p = adjusted_p.loc[shares.index, shares.columns]
    rows, columns = shares.shape
    ax = new_axes(2.8 + 0.46 * columns, 1.5 + 0.34 * rows) if ax is None else ax
    image = ax.imshow(shares.to_numpy(), cmap=SHARE_MAP, vmin=0.0, vmax=1.0, aspect="auto")
    _label_axes(ax, result, shares)
    _fill_cells(ax, image, shares.to_numpy(), adjusted_p.to_numpy() < _ALPHA)
    bar = ax.figure.colorbar(image, ax=ax, fraction=0.05, pad=0.02)
    bar.set_label("share explained (R², η²)", fontsize=8.5)
    bar.ax.tick_params(labelsize=8)
    ax.set_title(_title(hidden, given_design, columns), fontsize=10, loc="left")
    return ax


def _grids(
    result: AdjustmentResult, sample_data: pd.DataFrame | None, given_design: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Shares and adjusted p-values, covariates x factors."""
    if result.n_factors == 0:
        raise InputError("The result has no factors, so there is nothing to associate covariates with.")
    table = factor_association(result, sample_data, given_design=given_design)
    k = result.n_factors
    index = table["covariate"].to_numpy()[::k]
    grids = [
        pd.DataFrame(table[name].to_numpy(dtype=np.float64).reshape(-1, k), index, result.factors.columns)
        for name in ("statistic", "p_adjusted")
    ]
    usable = grids[0].notna().any(axis=1).to_numpy()
    if not usable.any():
        reasons = "; ".join(f"{row.covariate}: {row.note}" for row in table.iloc[::k].head(5).itertuples())
        raise InputError(f"No covariate of the sample table can be used ({reasons or 'it has no columns'}).")
    return grids[0][usable], grids[1][usable]


def _leading(shares: pd.DataFrame) -> pd.DataFrame:
    """Covariates by their largest share, as many as fit."""
    order = np.argsort(-shares.max(axis=1).to_numpy(), kind="stable")[:MOST_COVARIATES]
    return shares.iloc[order, :MOST_FACTORS]


def _label_axes(ax: Axes, result: AdjustmentResult, shares: pd.DataFrame) -> None:
    rows, columns = shares.shape
    known = {name for names in result.design.variables for name in names}
    labels = [plain(name) + "*" * (str(name) in known) for name in shares.index]
    ax.set_yticks(range(rows), labels, fontsize=9)
    along = factor_shares(result).to_numpy()[:columns]
    wide = columns <= NUMBERS_UP_TO
    ticks = [f"{i + 1}\n{share:.0%}" if wide else f"{i + 1}" for i, share in enumerate(along)]
    ax.set_xticks(range(columns), ticks, fontsize=8.5 if wide else 7)
    ax.set_xlabel("factor" + " and its share of the residual variation" * (wide and columns > 3), fontsize=9)
    ax.tick_params(length=0)
    for side in ax.spines.values():
        side.set_visible(False)


def _fill_cells(ax: Axes, image: Any, shares: NDArray[np.float64], marked: NDArray[np.bool_]) -> None:
    """Numbers in small pictures, dots in large ones."""
    numbers = shares.shape[1] <= NUMBERS_UP_TO
    for (i, j), value in np.ndenumerate(shares):
        if np.isnan(value):
            continue
        text = f"{value:.2f}{'*' * bool(marked[i, j])}" if numbers else "•" * bool(marked[i, j])
        ax.text(j, i, text, ha="center", va="center", fontsize=8, color=_ink(image.cmap(image.norm(value))))


def _ink(colour: tuple[float, float, float, float]) -> str:
    """Black or white, whichever reads better on a colour (relative luminance)."""
    red, green, blue = colour[:3]
    return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.5 else "black"


def _title(hidden: tuple[int, int], given_design: bool, columns: int) -> str:
    title = "What the factors follow" if columns > 3 else "Factors"
    if given_design:
        title += ", given the design"
    cut = [f"{n} more {what}" for n, what in zip(hidden, ("covariates", "factors"), strict=True) if n > 0]
    return f"{title} ({', '.join(cut)} not shown)" if cut else title
