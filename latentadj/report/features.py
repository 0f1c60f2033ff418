"""Tables of the top features."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from latentadj.results import AdjustmentResult

N_TOP = 50
MOST_TERMS = 6
_SINGLE = {
    "feature": "feature",
    "estimate": "estimate",
    "std_error": "std. error",
    "statistic": "statistic",
    "p_value": "p",
    "p_adjusted": "p_adjusted",
    "estimate_unadjusted": "estimate without factors",
    "p_value_unadjusted": "p_without_factors",
}
_JOINT = ("feature", "statistic", "p_value", "p_adjusted", "p_value_unadjusted")


def top_tables(result: AdjustmentResult, n: int = N_TOP) -> Iterator[tuple[str, pd.DataFrame]]:
    """Top features of every formula term, the columns of a term together.

    Parameters
    ----------
    result : AdjustmentResult
    n : int, default=50

    Yields
    ------
    term : str
    table : pandas.DataFrame
        For a term with several columns the joint F test, with the estimate of each column beside it.

    Examples
    --------
    >>> import latentadj as la
    >>> data = la.load_bladder()
    >>> res = la.adjust(data.X.iloc[:, :500], "~ cancer", data.sample_data, n_factors=2)
    >>> [(term, len(table)) for term, table in top_tables(res)]
    [('cancer', 50)]
    """
    design = result.design
    columns: dict[str, list[str]] = {}
    for name in result.tests.names:
        columns.setdefault(design.terms[design.names.index(name)], []).append(name)
    for term, names in list(columns.items())[:MOST_TERMS]:
        yield term, _single(result, names[0], n) if len(names) == 1 else _joint(result, term, names, n)


def _single(result: AdjustmentResult, name: str, n: int) -> pd.DataFrame:
    return result.top(n, name)[list(_SINGLE)].rename(columns=_SINGLE)


def _joint(result: AdjustmentResult, term: str, names: list[str], n: int) -> pd.DataFrame:
    best = result.top(n, term)
    out = best[list(_JOINT)].rename(columns={**_SINGLE, "statistic": "F"})
    position = pd.Index(result.feature_ids).get_indexer_for(best["feature"])
    for i, name in enumerate(result.tests.names):
        if name in names:
            out.insert(len(out.columns) - 1, f"estimate {name}", result.tests.estimate[position, i])
    return out
