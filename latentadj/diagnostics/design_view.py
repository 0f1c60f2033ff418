"""What the design looks like: correlations of its columns, and groups of levels that no sample connects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from latentadj.design import Design
from latentadj.design.covariates import prepare_frame, require_columns, with_text_columns
from latentadj.design.crosstables import cross_table
from latentadj.diagnostics.check import CheckResult
from latentadj.exceptions import InputError
from latentadj.results import AdjustmentResult


def design_correlation(design: Design | AdjustmentResult) -> pd.DataFrame:
    """Correlate the columns of a design with each other, and mark those that depend on each other.

    Parameters
    ----------
    design : Design or AdjustmentResult
        Of a result, the design with its factors.

    Returns
    -------
    pandas.DataFrame
        ``column, other, role, other_role, correlation, aliased``, a row per ordered pair of columns that vary.
        `aliased` is True for pairs within an exact linear relation.

    Raises
    ------
    InputError
        When no column varies.

    Examples
    --------
    >>> table = pd.DataFrame({"sex": list("fmfm"), "batch": list("aabb")})
    >>> found = design_correlation(Design.from_formula("~ sex | batch", table))
    >>> found["correlation"].round(12).tolist()
    [1.0, 0.0, 0.0, 1.0]
    """
    found = design.full_design if isinstance(design, AdjustmentResult) else design
    centred = found.matrix - found.matrix.mean(axis=0)
    length = np.linalg.norm(centred, axis=0)
    varies = np.flatnonzero(length > 1e-12 * np.linalg.norm(found.matrix, axis=0))
    if not varies.size:
        raise InputError("No column of the design varies, so there is nothing to correlate.")
    scaled = centred[:, varies] / length[varies]
    correlation = np.clip(scaled.T @ scaled, -1.0, 1.0)
    names = np.array(found.names, dtype=object)[varies]
    roles = np.array(found.roles, dtype=object)[varies]
    k = len(varies)
    return pd.DataFrame(
        {
            "column": np.repeat(names, k),
            "other": np.tile(names, k),
            "role": np.repeat(roles, k),
            "other_role": np.tile(roles, k),
            "correlation": correlation.ravel(),
            "aliased": _aliased(found, list(names)).ravel(),
        }
    )


def sample_counts(data: Any, rows: str, columns: str) -> pd.DataFrame:
    """Count the samples of each pair of levels of two covariates.

    Parameters
    ----------
    data : AdjustmentResult, Design or pandas.DataFrame
        Whose sample table is looked at.
    rows, columns : str
        Names of two covariates with at most 12 distinct values, or labels. Samples without a value are left out.

    Returns
    -------
    pandas.DataFrame of int

    Raises
    ------
    InputError
        Without a sample table, for an unknown name, or for too many distinct numbers.

    Examples
    --------
    >>> table = pd.DataFrame({"sex": list("fmfm"), "batch": list("aabb")})
    >>> sample_counts(table, "sex", "batch").to_numpy().tolist()
    [[1, 1], [1, 1]]
    """
    if rows == columns:
        raise InputError(f"rows and columns are both {rows!r}. Name two different columns of the sample table.")
    table = _sample_table(data)
    require_columns([rows, columns], table)
    present = table[[rows, columns]].dropna()
    return cross_table(prepare_frame(present, [rows, columns]), rows, columns)


def connection_check(counts: pd.DataFrame) -> CheckResult:
    """Tell whether the levels of two covariates are connected by samples, so that both can be estimated.

    Parameters
    ----------
    counts : pandas.DataFrame of int
        From `sample_counts`.

    Returns
    -------
    CheckResult
        "complete" (no empty cell), "connected", or "disconnected" (levels fall into groups that share no level of
        the other covariate: differences between groups cannot be told apart). `statistics` holds ``n_groups``,
        ``n_empty`` and Cramer's V.

    Notes
    -----
    Rows and columns are the nodes of a graph and cells with samples its edges; with g connected parts the design of
    both covariates has rank ``rows + columns - g`` (Searle 1971, Linear Models, section 7.4).

    Examples
    --------
    >>> connection_check(pd.DataFrame([[3, 0], [0, 2]])).verdict
    'disconnected'
    """
    values = counts.to_numpy()
    values = values[values.sum(axis=1) > 0][:, values.sum(axis=0) > 0]
    n_groups = connected_groups(values)
    n_empty = int(np.count_nonzero(values == 0))
    numbers = {"n_groups": float(n_groups), "n_empty": float(n_empty), "cramers_v": cramers_v(values)}
    name = f"{counts.index.name} and {counts.columns.name}"
    if n_groups > 1:
        cause = f"Levels fall into {n_groups} groups that share no sample, so some differences cannot be told apart."
        advice = "Drop one of the two, merge levels, or add samples that connect the groups."
        return CheckResult(name, "disconnected", "warning", cause, advice, numbers)
    if n_empty:
        cause = (
            f"{n_empty} of {values.size} cells hold no sample; all differences can be estimated without interaction."
        )
        return CheckResult(name, "connected", "note", cause, "Do not add their interaction.", numbers)
    return CheckResult(name, "complete", "ok", "Every cell holds samples.", "Nothing to do.", numbers)


def connected_groups(counts: np.ndarray) -> int:
    """Count groups of levels that no sample connects.

    Examples
    --------
    >>> connected_groups(np.array([[1, 0], [1, 2]])), connected_groups(np.array([[1, 0], [0, 2]]))
    (1, 2)
    """
    return len(connected_parts(counts))


def connected_parts(counts: np.ndarray) -> list[tuple[list[int], list[int]]]:
    """Groups of levels that samples connect.

    Parameters
    ----------
    counts : ndarray of int, shape (r, c)

    Returns
    -------
    list of (list of int, list of int)
        Positions of the rows and of the columns of each group.

    Examples
    --------
    >>> connected_parts(np.array([[1, 0], [0, 2]]))
    [([0], [0]), ([1], [1])]
    """
    if not counts.size:
        return []
    rows, columns = np.nonzero(counts)
    height, size = counts.shape[0], sum(counts.shape)
    graph = coo_array((np.ones(len(rows)), (rows, columns + height)), shape=(size, size))
    n_groups, group = connected_components(graph, directed=False)
    members = [np.flatnonzero(group == i) for i in range(int(n_groups))]
    return [((part[part < height]).tolist(), (part[part >= height] - height).tolist()) for part in members]


def cramers_v(counts: np.ndarray) -> float:
    """Return Cramer's V of a table of counts: 0 for independence, 1 when one covariate determines the other.

    Examples
    --------
    >>> cramers_v(np.array([[3, 0], [0, 2]])), cramers_v(np.array([[1, 1], [1, 1]]))
    (1.0, 0.0)
    """
    smaller = min(counts.shape, default=0) - 1
    if smaller < 1:
        return float("nan")
    n = counts.sum()
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / n
    chi2 = float(np.sum((counts - expected) ** 2 / expected))
    return float(np.sqrt(min(chi2 / (n * smaller), 1.0)))


def _aliased(design: Design, names: list[str]) -> np.ndarray:
    """Pairs of columns that take part in one exact relation."""
    marked = np.zeros((len(names), len(names)), dtype=bool)
    for alias in design.aliases:
        members = [names.index(name) for name in (alias.column, *alias.relation) if name in names]
        marked[np.ix_(members, members)] = True
    np.fill_diagonal(marked, False)
    return marked


def _sample_table(data: Any) -> pd.DataFrame:
    table = data
    if isinstance(data, AdjustmentResult):
        table = data.sample_data
    elif isinstance(data, Design):
        table = data.covariate_frame
    if not isinstance(table, pd.DataFrame):
        raise InputError("There is no sample table to count samples in. Pass a DataFrame with a row per sample.")
    return with_text_columns(table)
