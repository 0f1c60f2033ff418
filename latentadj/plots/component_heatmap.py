"""Heatmaps of components against covariates, and of covariates against each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from latentadj.diagnostics import component_association
from latentadj.diagnostics import covariate_relations as relation_table
from latentadj.exceptions import InputError
from latentadj.plots.share_grid import draw_share_grid
from latentadj.plots.style import new_axes, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Largest picture; what is left out is the least associated, and the title says so.
MOST_COVARIATES = 20
_ALPHA = 0.05
_TITLES = {
    "before": "What the samples follow",
    "after": "What the samples follow after adjustment",
    "residuals": "What the residuals follow",
}


def component_heatmap(
    data: Any,
    sample_data: pd.DataFrame | None = None,
    ax: Axes | None = None,
    *,
    when: str = "before",
    n_components: int = 8,
) -> Axes:
    """Draw how much of every leading component of the samples each covariate explains.

    Parameters
    ----------
    data : AdjustmentResult, or matrix of samples x features
    sample_data : pandas.DataFrame, optional
        Sample table; by default the one that came with `data`.
    ax : matplotlib Axes, optional
        A new figure by default.
    when : {"before", "after", "residuals"}, default="before"
        Of the data as they are, after the factors' part is subtracted, or of what the design and its factors leave.
    n_components : int, default=8

    Returns
    -------
    matplotlib Axes
        The table behind it is ``diagnostics.component_association(data, sample_data, when=when)``. Cells with an
        adjusted p-value below 0.05 carry an asterisk; below each component stands its share of the variation.
        Covariates that cannot be used are left out.

    Raises
    ------
    InputError
        Without a sample table or a usable covariate, or for a result read from disk.
    MissingExtraError
        Without Matplotlib.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(8, 50))
    >>> ax = component_heatmap(X, pd.DataFrame({"plate": list("aabbccdd"), "sex": list("fmfmfmfm")}))
    >>> ax.get_xlabel()
    'component and its share of the variation'
    """
    table = component_association(data, sample_data, when=when, n_components=n_components)
    return draw_associations(table, ax, when=when)


def draw_associations(table: pd.DataFrame, ax: Axes | None = None, *, when: str = "before") -> Axes:
    """Draw a table of components and covariates that is known already.

    Parameters
    ----------
    table : pandas.DataFrame
        From `latentadj.diagnostics.component_association`.
    ax : matplotlib Axes, optional
        A new figure by default.
    when : {"before", "after", "residuals"}, default="before"
        For the title.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    InputError
        When no covariate can be used.
    """
    grid = table.pivot(index="covariate", columns="component", values="statistic")[table["component"].unique()]
    grid = grid.dropna(how="all")
    if grid.empty:
        notes = table.drop_duplicates("covariate").head(5)
        reasons = "; ".join(f"{row.covariate}: {row.note}" for row in notes.itertuples())
        raise InputError(f"No covariate of the sample table can be used ({reasons or 'it has no columns'}).")
    order = np.argsort(-grid.max(axis=1).to_numpy(), kind="stable")
    hidden = len(grid) - MOST_COVARIATES
    grid = grid.iloc[order[:MOST_COVARIATES]]
    p = table.pivot(index="covariate", columns="component", values="p_adjusted").loc[grid.index, grid.columns]
    ax = new_axes(max(2.8 + 0.56 * grid.shape[1], 4.4), 1.6 + 0.34 * len(grid)) if ax is None else ax
    draw_share_grid(ax, grid.to_numpy(), p.to_numpy() < _ALPHA)
    _label(ax, table, grid)
    cut = f" ({hidden} more covariates not shown)" if hidden > 0 else ""
    ax.set_title(f"{_TITLES[when]}{cut}", fontsize=10, loc="left")
    return ax


def covariate_heatmap(sample_data: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw how strongly the covariates of a sample table go together.

    Parameters
    ----------
    sample_data : pandas.DataFrame of n_samples rows
    ax : matplotlib Axes, optional
        A new figure by default.

    Returns
    -------
    matplotlib Axes
        The table behind it is ``diagnostics.covariate_relations(sample_data)``: Cramer's V, eta, or the absolute
        correlation. Pairs of which one cannot be told apart from the other ("same", "nested" or "disconnected") carry
        an asterisk.

    Raises
    ------
    InputError
        With fewer than two columns that can be used.
    MissingExtraError
        Without Matplotlib.

    Examples
    --------
    >>> table = pd.DataFrame({"plate": list("aabbccdd"), "sex": list("fmfmfmfm")})
    >>> [label.get_text() for label in covariate_heatmap(table).get_xticklabels()]
    ['plate', 'sex']
    """
    return draw_relations(relation_table(sample_data), [str(name) for name in sample_data.columns], ax)


def draw_relations(table: pd.DataFrame, names: list[str], ax: Axes | None = None) -> Axes:
    """Draw a table of pairs of covariates that is known already.

    Parameters
    ----------
    table : pandas.DataFrame
        From `latentadj.diagnostics.covariate_relations`.
    names : list of str
        Columns of the sample table, in their order.
    ax : matplotlib Axes, optional
        A new figure by default.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    InputError
        For an empty table.
    """
    if table.empty:
        raise InputError("Fewer than two columns of the sample table can be used, so there are no pairs to draw.")
    strongest = pd.concat([table.set_index(side)["association"] for side in ("covariate", "other")])
    strongest = strongest.groupby(level=0).max().sort_values(ascending=False, kind="stable")
    kept = set(strongest.index[:MOST_COVARIATES])
    shown = [name for name in names if name in kept]
    grid, marked = _pairs(table, shown)
    ax = new_axes(2.6 + 0.5 * len(shown), 1.9 + 0.36 * len(shown)) if ax is None else ax
    draw_share_grid(ax, grid, marked, "association (V, η, |r|)")
    labels = [plain(name, 18) for name in shown]
    ax.set_xticks(range(len(shown)), labels, fontsize=9, rotation=90)
    ax.set_yticks(range(len(shown)), labels, fontsize=9)
    hidden = len(strongest) - len(shown)
    ax.set_title(f"Covariates{f' ({hidden} more not shown)' * (hidden > 0)}", fontsize=10, loc="left")
    return ax


def _pairs(table: pd.DataFrame, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Associations of the pairs in a square, and those that cannot be told apart."""
    position = {name: i for i, name in enumerate(names)}
    grid = np.full((len(names), len(names)), np.nan)
    marked = np.zeros(grid.shape, dtype=bool)
    for row in table.to_dict("records"):
        if row["covariate"] in position and row["other"] in position:
            i, j = position[row["covariate"]], position[row["other"]]
            grid[i, j] = grid[j, i] = row["association"]
            marked[i, j] = marked[j, i] = row["verdict"] in ("same", "nested", "disconnected")
    return grid, marked


def _label(ax: Axes, table: pd.DataFrame, grid: pd.DataFrame) -> None:
    shares = table.drop_duplicates("component").set_index("component")["share"]
    ax.set_yticks(range(len(grid)), [plain(name) for name in grid.index], fontsize=9)
    ticks = [f"{str(name).split()[-1]}\n{shares[name]:.0%}" for name in grid.columns]
    ax.set_xticks(range(grid.shape[1]), ticks, fontsize=8.5)
    wide = grid.shape[1] > 3
    ax.set_xlabel("component" + " and its share of the variation" * wide, fontsize=9)
