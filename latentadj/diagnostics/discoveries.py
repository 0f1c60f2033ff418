"""What the adjustment changed, and what it cost."""

from __future__ import annotations

import numpy as np
import pandas as pd

from latentadj.results import AdjustmentResult
from latentadj.results.table import adjusted_columns


def discovery_table(result: AdjustmentResult, level: float = 0.05) -> pd.DataFrame:
    """Count discoveries with and without factors, for every tested column.

    Parameters
    ----------
    result : AdjustmentResult
    level : float, default=0.05
        False discovery rate (Benjamini and Hochberg).

    Returns
    -------
    pandas.DataFrame
        ``term, tested, unadjusted, adjusted, both``: features with a p-value, discoveries without factors, with
        them, and in both lists.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 30))
    >>> res = la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=0)
    >>> discovery_table(res)["tested"].tolist()
    [30]
    """
    after, before = (adjusted_columns(t.p_value, "bh") < level for t in (result.tests, result.unadjusted_tests))
    tested = np.isfinite(result.tests.p_value)
    counts = {"tested": tested, "unadjusted": before, "adjusted": after, "both": before & after}
    return pd.DataFrame({"term": result.tests.names} | {name: hits.sum(axis=0) for name, hits in counts.items()})


def df_budget(result: AdjustmentResult) -> pd.DataFrame:
    """Account for the degrees of freedom, and for the precision that adjustment cost.

    Parameters
    ----------
    result : AdjustmentResult

    Returns
    -------
    pandas.DataFrame
        ``quantity, value``: samples, rank of the known design, factors, residual degrees of freedom without and
        with factors, those of the tests (with what was borrowed across features), and for each tested column
        the factor by which its standard error grows because the factors share variation with it.

    Notes
    -----
    The standard error grows by the square root of the variance inflation; see `ConfoundingTest`.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 30))
    >>> res = la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=1)
    >>> df_budget(res).set_index("quantity").loc["residual degrees of freedom with factors", "value"]
    np.float64(9.0)
    """
    rank = result.design.rank
    rows: list[tuple[str, float]] = [
        ("samples", result.n_samples),
        ("rank of the known design", rank),
        ("hidden factors", result.n_factors),
        ("residual degrees of freedom without factors", result.n_samples - rank),
        ("residual degrees of freedom with factors", float(np.median(result.fit.df_resid))),
        ("degrees of freedom of the tests (median)", float(np.nanmedian(result.tests.df))),
    ]
    inflation = zip(result.confounding.names, result.confounding.variance_inflation, strict=True)
    rows += [(f"standard error of {name} grows by", float(np.sqrt(value))) for name, value in inflation]
    return pd.DataFrame(rows, columns=["quantity", "value"]).astype({"value": np.float64})
