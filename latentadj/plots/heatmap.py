"""Heatmap of factors against covariates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from latentadj.diagnostics import factor_association, factor_shares
from latentadj.exceptions import InputError
from latentadj.plots.share_grid import NUMBERS_UP_TO, draw_share_grid
from latentadj.plots.style import new_axes, plain
from latentadj.results import AdjustmentResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Largest picture; what is left out is the least associated, and the title says so.
MOST_FACTORS, MOST_COVARIATES = 20, 20
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
    draw_share_grid(ax, shares.to_numpy(), adjusted_p.to_numpy() < _ALPHA)
    _label_axes(ax, result, shares)
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


def _title(hidden: tuple[int, int], given_design: bool, columns: int) -> str:
    title = "What the factors follow" if columns > 3 else "Factors"
    if given_design:
        title += ", given the design"
    cut = [f"{n} more {what}" for n, what in zip(hidden, ("covariates", "factors"), strict=True) if n > 0]
    return f"{title} ({', '.join(cut)} not shown)" if cut else title
