"""P-values on a logarithmic scale: quantiles against uniform ones, and tables for volcano and mean-difference plots."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import betaincinv

from latentadj.core.tails import f_upper_log_p, t_two_sided_log_p
from latentadj.diagnostics.pvalues import classify_pvalues, term_pvalues
from latentadj.exceptions import InputError
from latentadj.results import AdjustmentResult

Array = NDArray[np.float64]

#: Smallest p-values that are all kept in a table of quantiles; of the others so many, evenly over log ranks.
ALL_OF, SOME_OF = 1000, 1000
#: Level of the band for single quantiles.
BAND = 0.95
VOLCANO_COLUMNS = ("feature", "estimate", "log10_p", "p_value", "p_adjusted", "mean", "status", "significant")


def log10_pvalues(result: AdjustmentResult, term: str | None = None, which: str = "adjusted") -> tuple[str, Array]:
    """Return ``-log10 p`` of one term, finite where a p-value underflows to 0.

    Parameters
    ----------
    result : AdjustmentResult
    term : str, optional
        As in `term_pvalues`.
    which : {"adjusted", "unadjusted", "uncalibrated"}, default="adjusted"

    Returns
    -------
    name : str
    values : ndarray of shape (n_features,)
        NaN where there is no p-value. Calibrated p-values that underflow count as the smallest number that can be
        written, 10 to the -308.

    Raises
    ------
    InputError
        For a term that was not tested.

    Examples
    --------
    >>> import latentadj as la
    >>> y = np.repeat([0.0, 1.0], 50)
    >>> X = np.random.default_rng(0).normal(size=(100, 30)) + np.outer(y, np.r_[1e4, np.zeros(29)])
    >>> res = la.adjust(X, la.Design.from_arrays(y), method="none")
    >>> bool(res.tests.p_value[0, 0] == 0), bool(log10_pvalues(res)[1][0] > 308)
    (True, True)
    """
    name, p = term_pvalues(result, term, which)
    with np.errstate(divide="ignore"):
        values: Array = -np.log10(np.maximum(p, np.finfo(np.float64).tiny))
    lost = np.flatnonzero(p == 0)
    if lost.size and not (which == "adjusted" and result.tests.calibration is not None):
        values[lost] = _from_statistics(result, name, which, lost)
    return name, values


def pvalue_quantiles(result: AdjustmentResult, term: str | None = None) -> pd.DataFrame:
    """Set sorted p-values against those of a uniform distribution, on the scale of ``-log10 p``.

    Parameters
    ----------
    result : AdjustmentResult
    term : str, optional
        As in `term_pvalues`.

    Returns
    -------
    pandas.DataFrame
        ``which, rank, expected, observed, low, high``: for "adjusted" and, with factors, "unadjusted" p-values the
        rank from the smallest up, ``-log10`` of the median p-value of that rank under uniformity, what was observed,
        and the band that holds a single rank with probability 0.95. The first 1,000 ranks are all there, of the others
        1,000, evenly on the logarithmic scale.

    Raises
    ------
    InputError
        For a term that was not tested.

    Notes
    -----
    The i-th smallest of m independent uniform variables has a Beta(i, m - i + 1) distribution. Features of a study
    are correlated, so that the observed line wanders more than the band says.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 300))
    >>> res = la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=0)
    >>> table = pvalue_quantiles(res)
    >>> len(table), bool((table["low"] <= table["expected"]).all())
    (300, True)
    """
    panels = ("adjusted", "unadjusted") if result.n_factors else ("adjusted",)
    return pd.concat([_quantiles(log10_pvalues(result, term, which)[1], which) for which in panels], ignore_index=True)


def inflation_factors(result: AdjustmentResult, term: str | None = None) -> dict[str, float]:
    """Return the genomic inflation factor without and with factors.

    Parameters
    ----------
    result : AdjustmentResult
    term : str, optional

    Returns
    -------
    dict of str to float
        By "adjusted" and, with factors, "unadjusted".

    Notes
    -----
    Median chi-square of one degree of freedom with the same p-values, over its expectation (Devlin and Roeder 1999,
    Biometrics 55:997).

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 300))
    >>> res = la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=0)
    >>> bool(0.5 < inflation_factors(res)["adjusted"] < 2)
    True
    """
    panels = ("adjusted", "unadjusted") if result.n_factors else ("adjusted",)
    return {w: classify_pvalues(term_pvalues(result, term, w)[1]).statistics["inflation"] for w in panels}


def volcano_table(
    result: AdjustmentResult, term: str | None = None, level: float = 0.05, lfc: float = 0.0, which: str = "adjusted"
) -> pd.DataFrame:
    """Effects and p-values of one tested column, with the discoveries marked.

    Parameters
    ----------
    result : AdjustmentResult
    term : str, optional
        A tested column; the first by default.
    level : float, default=0.05
        False discovery rate (Benjamini and Hochberg).
    lfc : float, default=0
        Size that an effect has to exceed as well to be marked. The error rate of such a double cut is not
        controlled; `AdjustmentResult.treat` tests against a threshold.
    which : {"adjusted", "unadjusted", "uncalibrated"}, default="adjusted"

    Returns
    -------
    pandas.DataFrame
        ``feature, estimate, log10_p, p_value, p_adjusted, mean, status, significant``; `log10_p` is ``-log10`` of the
        p-value, `significant` is 1 for discoveries with a positive effect, -1 with a negative one, else 0.

    Raises
    ------
    InputError
        For a term that was not tested, or that has several columns.

    Examples
    --------
    >>> import latentadj as la
    >>> y = np.repeat([0.0, 1.0], 6)
    >>> X = np.random.default_rng(0).normal(size=(12, 50)) - np.outer(y, np.r_[9.0, np.zeros(49)])
    >>> volcano_table(la.adjust(X, la.Design.from_arrays(y), method="none"))["significant"].head(3).tolist()
    [-1, 0, 0]
    """
    column = single_column(result, term)
    table = result.tidy(column, which=which)
    hits = (table["p_adjusted"].to_numpy() < level) & (np.abs(table["estimate"].to_numpy()) > lfc)
    marked = np.where(hits, np.sign(table["estimate"].to_numpy()), 0.0).astype(np.int64)
    log10_p = log10_pvalues(result, column, which)[1]
    return table.assign(log10_p=log10_p, significant=marked)[list(VOLCANO_COLUMNS)]


def single_column(result: AdjustmentResult, term: str | None = None) -> str:
    """Return the tested column that a term means: the first one by default, and one that stands alone.

    Raises
    ------
    InputError
        For a term that was not tested, or that has several columns.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 30))
    >>> single_column(la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=0))
    'x'
    """
    if not result.tests.names:
        raise InputError("No column of the design was tested, so there is nothing to draw.")
    if term is None or term in result.tests.names:
        return result.tests.names[0] if term is None else term
    names = list(result.tidy(term)["term"].unique())
    if len(names) > 1:
        raise InputError(f"term={term!r} has several columns: {', '.join(names)}. Name one of them.")
    return str(names[0])


def _from_statistics(result: AdjustmentResult, name: str, which: str, rows: NDArray[np.intp]) -> Array:
    """``-log10 p`` of some features from their t or F statistics."""
    column = name in result.tests.names
    term = name if column else name.removesuffix(" (joint F test)")
    table = result.tidy(term, which=which, joint=not column).iloc[rows]
    statistic, df = table["statistic"].to_numpy(), table["df"].to_numpy()
    if column:
        return -np.asarray(t_two_sided_log_p(statistic, df)) / np.log(10.0)
    return -np.asarray(f_upper_log_p(statistic, float(table["df1"].iloc[0]), df)) / np.log(10.0)


def _quantiles(values: Array, which: str) -> pd.DataFrame:
    present = np.sort(values[~np.isnan(values)])[::-1]
    ranks = _shown_ranks(len(present))
    tails = (0.5, (1.0 + BAND) / 2.0, (1.0 - BAND) / 2.0)
    expected, low, high = (-np.log10(betaincinv(ranks, len(present) - ranks + 1.0, tail)) for tail in tails)
    observed = present[ranks.astype(np.intp) - 1]
    return pd.DataFrame(
        {
            "which": which,
            "rank": ranks.astype(np.int64),
            "expected": expected,
            "observed": observed,
            "low": low,
            "high": high,
        }
    )


def _shown_ranks(n: int) -> Array:
    """All of the first ranks, and some of the others, the last among them."""
    first = np.arange(1, min(n, ALL_OF) + 1)
    if n <= ALL_OF:
        return first.astype(np.float64)
    others = np.unique(np.round(np.geomspace(ALL_OF, n, SOME_OF + 1)[1:]))
    return np.concatenate([first, others[others > ALL_OF]]).astype(np.float64)
