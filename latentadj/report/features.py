"""The table of results of every formula term."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from latentadj.results import AdjustmentResult

MOST_TERMS = 6
#: Rows of all tables of a page together; a megabyte holds about 14,000.
MOST_GRID_ROWS = 50_000
_SINGLE = {
    "feature": "feature",
    "estimate": "estimate",
    "std_error": "std. error",
    "statistic": "statistic",
    "p_value": "p",
    "p_adjusted": "p_adjusted",
    "mean": "mean",
    "estimate_unadjusted": "estimate without factors",
    "p_value_unadjusted": "p_without_factors",
}
_JOINT = ("feature", "statistic", "p_value", "p_adjusted", "mean", "p_value_unadjusted")


def result_tables(result: AdjustmentResult, n: int | None = None) -> Iterator[tuple[str, pd.DataFrame]]:
    """Features of every formula term from the smallest p-value on, the columns of a term together.

    Parameters
    ----------
    result : AdjustmentResult
    n : int, optional
        Rows of each table; by default so many that all tables together have `MOST_GRID_ROWS` at most.

    Yields
    ------
    term : str
    table : pandas.DataFrame
        For a term with several columns the joint F test, with the estimate of each column beside it. There is a
        column of the status when that of any feature is not "ok".

    Examples
    --------
    >>> import latentadj as la
    >>> data = la.load_bladder()
    >>> res = la.adjust(data.X.iloc[:, :500], "~ cancer", data.sample_data, n_factors=2)
    >>> [(term, len(table), table["p"].is_monotonic_increasing) for term, table in result_tables(res)]
    [('cancer', 500, True)]
    """
    terms = tested_terms(result)
    chosen = list(terms.items())[:MOST_TERMS]
    rows = MOST_GRID_ROWS // max(len(chosen), 1) if n is None else n
    for term, names in chosen:
        yield term, _single(result, names[0], rows) if len(names) == 1 else _joint(result, term, names, rows)


def tested_terms(result: AdjustmentResult) -> dict[str, list[str]]:
    """Return the tested columns of every formula term.

    Parameters
    ----------
    result : AdjustmentResult

    Returns
    -------
    dict of str to list of str

    Examples
    --------
    >>> import latentadj as la
    >>> data = la.load_bladder()
    >>> tested_terms(la.adjust(data.X.iloc[:, :300], "~ cancer", data.sample_data, n_factors=1))
    {'cancer': ['cancer[T.Cancer]', 'cancer[T.Normal]']}
    """
    design = result.design
    columns: dict[str, list[str]] = {}
    for name in result.tests.names:
        columns.setdefault(design.terms[design.names.index(name)], []).append(name)
    return columns


def _single(result: AdjustmentResult, name: str, n: int) -> pd.DataFrame:
    best = result.top(n, name)
    return _with_status(best[list(_SINGLE)].rename(columns=_SINGLE), best)


def _joint(result: AdjustmentResult, term: str, names: list[str], n: int) -> pd.DataFrame:
    best = result.top(n, term)
    out = best[list(_JOINT)].rename(columns={**_SINGLE, "statistic": "F"})
    position = pd.Index(result.feature_ids).get_indexer_for(best["feature"])
    for i, name in enumerate(result.tests.names):
        if name in names:
            out.insert(len(out.columns) - 1, f"estimate {name}", result.tests.estimate[position, i])
    return _with_status(out, best)


def _with_status(table: pd.DataFrame, best: pd.DataFrame) -> pd.DataFrame:
    named = table.assign(feature=table["feature"].astype(str))
    return named if (best["status"] == "ok").all() else named.assign(status=best["status"].to_numpy())
