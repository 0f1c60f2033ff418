"""Results as one tidy table, a row per feature and tested term."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.core.log_odds import log_odds
from latentadj.core.matrix import iterate_slices
from latentadj.core.multiple import adjust_pvalues, q_values
from latentadj.core.regression import RegressionFit
from latentadj.exceptions import MethodError
from latentadj.results.statistics import JointTests, TestStatistics, over_tests

Array = NDArray[np.float64]

#: Columns of the tidy table, always these and in this order.
COLUMNS = (
    "feature",
    "term",
    "estimate",
    "std_error",
    "conf_low",
    "conf_high",
    "statistic",
    "df",
    "p_value",
    "p_adjusted",
    "mean",
    "n_obs",
    "status",
    "estimate_unadjusted",
    "p_value_unadjusted",
)
STYLES = ("latentadj", "limma")
#: Every feature.
ALL = slice(None)


def feature_status(fit: RegressionFit, tests: TestStatistics, rows: slice = ALL) -> NDArray[np.object_]:
    """Return ``ok``, ``constant``, ``too_few_values`` or ``not_estimable`` for tests of some rows, (n_rows, T)."""
    status = np.full(tests.p_value.shape, "ok", dtype=object)
    status[np.isnan(tests.p_value)] = "not_estimable"
    status[~np.isfinite(fit.sigma2[rows])] = "too_few_values"
    status[fit.constant[rows]] = "constant"
    return status


def _n_obs(fit: RegressionFit, shape: tuple[int, ...], n_samples: int, rows: slice = ALL) -> NDArray[np.integer]:
    """Number of observations behind every row of the table."""
    per_feature = np.full(shape[0], n_samples) if fit.n_obs is None else fit.n_obs[rows]
    return np.broadcast_to(per_feature[:, None], shape).copy()


def rows_of_tests(tests: TestStatistics, rows: slice) -> TestStatistics:
    """Return the tests of some features; the prior stays that of all."""
    return replace(
        tests,
        estimate=tests.estimate[rows],
        std_error=tests.std_error[rows],
        statistic=tests.statistic[rows],
        p_value=tests.p_value[rows],
        df=tests.df[rows] if isinstance(tests.df, np.ndarray) and tests.df.ndim else tests.df,
    )


def adjusted_columns(p_value: Array, method: str) -> Array:
    """Adjust every column of p-values ``(n_features, T)`` on its own."""
    adjust = q_values if method == "qvalue" else lambda p: adjust_pvalues(p, method)
    columns = [adjust(column) for column in p_value.T]
    return np.column_stack(columns) if columns else p_value.copy()


def tidy_table(
    features: NDArray[Any],
    fit: RegressionFit,
    tests: TestStatistics,
    unadjusted: TestStatistics,
    n_samples: int,
    p_adjust: str,
) -> pd.DataFrame:
    """Build the tidy table of some tests.

    Parameters
    ----------
    features : ndarray of shape (n_features,)
    fit : RegressionFit
    tests, unadjusted : TestStatistics
        The same T terms with and without factors.
    n_samples : int
    p_adjust : str

    Returns
    -------
    pandas.DataFrame
        ``n_features * T`` rows, the features of the first term first; columns `COLUMNS`.
    """
    adjusted = adjusted_columns(tests.p_value, p_adjust)
    return _table_of_rows(features, fit, tests, unadjusted, n_samples, adjusted, ALL)


def tidy_blocks(
    features: NDArray[Any],
    fit: RegressionFit,
    tests: TestStatistics,
    unadjusted: TestStatistics,
    n_samples: int,
    p_adjust: str,
    n_rows: int,
) -> Iterator[pd.DataFrame]:
    """Build the tidy table piece by piece, for results whose table would be larger than they are.

    Parameters
    ----------
    features : ndarray of shape (n_features,)
    fit : RegressionFit
    tests, unadjusted : TestStatistics
        The same T terms with and without factors.
    n_samples : int
    p_adjust : str
    n_rows : int
        Features of a piece.

    Yields
    ------
    pandas.DataFrame
        Of at most `n_rows` rows, each of one term. Joined they are the table that `tidy_table` returns; the index of
        each begins at 0.
    """
    for i in range(len(tests.names)):
        adjusted = adjusted_columns(tests.p_value[:, [i]], p_adjust)
        for rows in iterate_slices(len(features), n_rows):
            one, base = (rows_of_tests(both, rows).select([i]) for both in (tests, unadjusted))
            yield _table_of_rows(features, fit, one, base, n_samples, adjusted, rows)


def _table_of_rows(
    features: NDArray[Any],
    fit: RegressionFit,
    tests: TestStatistics,
    unadjusted: TestStatistics,
    n_samples: int,
    p_adjusted: Array,
    rows: slice,
) -> pd.DataFrame:
    """Some features of the tidy table, whose tests are given; those of the first term first."""
    names = features[rows]
    shape, half = tests.estimate.shape, tests.half_width()
    columns = {
        "estimate": tests.estimate,
        "std_error": tests.std_error,
        "conf_low": tests.estimate - half,
        "conf_high": tests.estimate + half,
        "statistic": tests.statistic,
        "df": np.broadcast_to(np.asarray(over_tests(tests.df), dtype=float), shape),
        "p_value": tests.p_value,
        "p_adjusted": p_adjusted[rows],
        "mean": np.broadcast_to(fit.mean[rows, None], shape),
        "n_obs": _n_obs(fit, shape, n_samples, rows),
        "status": feature_status(fit, tests, rows),
        "estimate_unadjusted": unadjusted.estimate,
        "p_value_unadjusted": unadjusted.p_value,
    }
    table = {
        "feature": np.tile(names, len(tests.names)),
        "term": np.repeat(np.array(tests.names, dtype=object), len(names)),
    }
    table.update({name: values.T.ravel() for name, values in columns.items()})
    return pd.DataFrame(table, columns=list(COLUMNS))


def joint_table(
    features: NDArray[Any],
    fit: RegressionFit,
    tests: JointTests,
    unadjusted: JointTests,
    n_samples: int,
    p_adjust: str,
) -> pd.DataFrame:
    """Build the table of joint F tests, a row per feature and formula term; `COLUMNS` with ``df1`` added."""
    n_terms, m = len(tests.names), len(features)
    shape = tests.statistic.shape
    status = np.full(shape, "ok", dtype=object)
    status[np.isnan(tests.p_value)] = "not_estimable"
    status[fit.constant] = "constant"
    columns = {
        "statistic": tests.statistic,
        "df": np.broadcast_to(np.asarray(over_tests(tests.df2), dtype=float), shape),
        "p_value": tests.p_value,
        "p_adjusted": adjusted_columns(tests.p_value, p_adjust),
        "mean": np.broadcast_to(fit.mean[:, None], shape),
        "n_obs": _n_obs(fit, shape, n_samples),
        "status": status,
        "p_value_unadjusted": unadjusted.p_value,
    }
    table = {
        "feature": np.tile(features, n_terms),
        "term": np.repeat(np.array(tests.names, dtype=object), m),
        "df1": np.repeat(tests.df1, m),
    }
    table.update({name: values.T.ravel() for name, values in columns.items()})
    return pd.DataFrame(table, columns=[*COLUMNS, "df1"])


def limma_table(table: pd.DataFrame, tests: TestStatistics, fit: RegressionFit) -> pd.DataFrame:
    """Rename the tidy table to limma's columns ``logFC, AveExpr, t, P.Value, adj.P.Val, B``.

    Parameters
    ----------
    table : pandas.DataFrame
        From `tidy_table` with the same tests.
    tests : TestStatistics
    fit : RegressionFit

    Returns
    -------
    pandas.DataFrame
        Indexed by feature; a ``term`` column leads when there are several terms.
    """
    names = {
        "estimate": "logFC",
        "mean": "AveExpr",
        "statistic": "t",
        "p_value": "P.Value",
        "p_adjusted": "adj.P.Val",
    }
    out = table.set_index("feature")[["term", *names]].rename(columns=names)
    out["B"] = _log_odds(tests, fit).T.ravel()
    out.index.name = None
    return out if len(tests.names) > 1 else out.drop(columns="term")


def _log_odds(tests: TestStatistics, fit: RegressionFit) -> Array:
    """Log-odds of a true effect, ``(n_features, T)``; unscaled deviations include the link's error."""
    with np.errstate(invalid="ignore", divide="ignore"):
        unscaled = tests.std_error / np.sqrt(tests.prior.s2_post)[:, None]
        t = tests.estimate / tests.std_error
    columns = [
        log_odds(t[:, [i]], unscaled[:, [i]], tests.df_of(i), tests.prior.s2_prior) for i in range(len(tests.names))
    ]
    return np.column_stack(columns) if columns else t


def check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise `MethodError` unless a value is among those allowed."""
    if value not in allowed:
        raise MethodError(f"{name}={value!r} is unknown; choose one of {', '.join(allowed)}.")
