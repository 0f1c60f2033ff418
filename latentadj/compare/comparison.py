"""What a comparison returns."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from latentadj.compare.number import NO_RULE
from latentadj.exceptions import InputError

#: Columns that name a cell.
KEYS = ("scenario", "repeat", "method", "rule")
GROUPED = ("scenario", "method", "rule")
#: Columns that depend on the machine; all others follow from the seed.
MEASURED_ON_MACHINE = ("cpu_seconds", "seconds", "peak_mb")
#: Metrics whose Monte Carlo standard error is in the summary.
WITH_ERROR = ("type1_05", "fdp", "power")
#: Probability of the limits beyond which a mean is called too high.
DOUBT = 0.99
#: Type-I error at level 0.05 that is called too high when it is exceeded beyond doubt.
HIGHEST_TYPE_ONE = 0.06


@dataclass(frozen=True, repr=False, eq=False)
class Comparison:
    """Methods compared over studies whose truth is known.

    Attributes
    ----------
    frame : pandas.DataFrame
        A row per scenario, repeat, method and rule: ``status`` ("ok" or "failed"), ``message``, a column per metric.
    fdr : float
        Level of the discoveries (Benjamini and Hochberg).
    seed : int
    groups : tuple of str
        Groups of metrics.
    scenarios : mapping of str to mapping
        Settings of every scenario.
    methods : mapping of str to mapping
        Settings of every method.
    """

    frame: pd.DataFrame
    fdr: float
    seed: int
    groups: tuple[str, ...]
    scenarios: Mapping[str, Mapping[str, Any]]
    methods: Mapping[str, Mapping[str, Any]]

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics that are numbers."""
        numeric = self.frame.select_dtypes("number").columns
        return [str(name) for name in numeric if name not in KEYS]

    @property
    def n_repeats(self) -> int:
        """Studies per scenario."""
        return int(self.frame["repeat"].max()) + 1 if len(self.frame) else 0

    def summary(self) -> pd.DataFrame:
        """Average over repeats.

        Returns
        -------
        pandas.DataFrame
            A row per scenario, method and rule: ``n_ok, n_failed``; ``verdict``: "holds", "type-I error too high",
            "too many false discoveries" (beyond the one-sided 99 % limit over the studies), "fails" or, where neither
            is known, "-"; the mean of every metric over the studies that worked; standard errors ``se_type1_05, se_fdp,
            se_power``; and ``abs_k_error``, mean absolute error of the number of factors.
        """
        return pd.DataFrame(list(self._summaries()))

    def _summaries(self) -> Iterator[dict[str, Any]]:
        for names, cells in self.frame.groupby(list(GROUPED), sort=False):
            usable = cells[cells["status"] == "ok"]
            row: dict[str, Any] = dict(zip(GROUPED, names, strict=True))
            row |= {"n_ok": len(usable), "n_failed": len(cells) - len(usable), "verdict": self._verdict(usable)}
            row |= {name: float(usable[name].mean()) for name in self.metrics}
            row |= {f"se_{name}": standard_error(usable[name]) for name in WITH_ERROR if name in usable}
            if "k_error" in usable:
                row["abs_k_error"] = float(usable["k_error"].abs().mean())
            if "shape" in usable:
                common = usable["shape"].dropna().mode()
                row["shape"] = str(common.iloc[0]) if len(common) else ""
            yield row

    def _verdict(self, cells: pd.DataFrame) -> str:
        if not len(cells):
            return "fails"
        if "type1_05" not in cells or cells["type1_05"].isna().all():
            return "-"
        limits = {
            "type1_05": (HIGHEST_TYPE_ONE, "type-I error too high"),
            "fdp": (self.fdr, "too many false discoveries"),
        }
        found = [words for name, (limit, words) in limits.items() if cells[name].mean() - margin(cells[name]) > limit]
        return "; ".join(found) or "holds"

    def table(self, metric: str = "fdp") -> pd.DataFrame:
        """Means of one metric, scenarios in rows and methods in columns.

        Parameters
        ----------
        metric : str, default="fdp"
            A column of `summary`.

        Returns
        -------
        pandas.DataFrame
            With several rules, columns are named "method, rule".

        Raises
        ------
        InputError
            For an unknown metric.
        """
        summary = self.summary()
        if metric not in summary.columns or metric in GROUPED:
            allowed = [name for name in summary.columns if name not in GROUPED]
            raise InputError(f"metric={metric!r} was not measured; choose one of {', '.join(allowed)}.")
        labels = contest_labels(summary)
        wide = summary.assign(method=labels).pivot(index="scenario", columns="method", values=metric)
        order = list(dict.fromkeys(summary["scenario"]))
        out: pd.DataFrame = wide.loc[order, list(dict.fromkeys(labels))].rename_axis(columns=None)
        return out

    def failures(self) -> pd.DataFrame:
        """Cells that failed: ``scenario, method, rule, message`` and in how many repeats."""
        failed = self.frame[self.frame["status"] == "failed"]
        counted = failed.groupby([*GROUPED, "message"], sort=False).size()
        return counted.rename("repeats").reset_index()

    def report(self, path: str | os.PathLike[str] = "comparison.html") -> Path:
        """Write a self-contained HTML report; see `latentadj.report.comparison.write_comparison_report`."""
        from latentadj.report.comparison import write_comparison_report

        return write_comparison_report(self, path)

    def __repr__(self) -> str:
        failed = int((self.frame["status"] == "failed").sum())
        rules = len(set(self.frame["rule"]) - {NO_RULE})
        return (
            f"<Comparison: {len(self.scenarios)} scenarios x {self.n_repeats} repeats, {len(self.methods)} methods, "
            f"{rules} rule{'s' * (rules != 1)}: {len(self.frame)} cells, {failed} failed>"
        )

    def _repr_html_(self) -> str:
        shown = [*GROUPED, "n_ok", "n_failed", "verdict", "type1_05", "fdp", "power", "recovery", "cpu_seconds"]
        summary = self.summary()
        table = summary[[name for name in shown if name in summary]].to_html(
            index=False, escape=True, border=0, na_rep="", float_format=lambda value: f"{value:.3g}"
        )
        text = repr(self).strip("<>")
        return f"<div><p>{text}</p>{table}</div>"


def standard_error(values: pd.Series[Any]) -> float:
    """Standard error of a mean over repeats, NaN for fewer than two."""
    known = values.dropna().to_numpy(dtype=np.float64)
    return float(known.std(ddof=1) / np.sqrt(len(known))) if len(known) > 1 else float("nan")


def margin(values: pd.Series[Any]) -> float:
    """What a mean over repeats may be off by: one-sided 99 % limit of Student's t, infinite for a single repeat.

    Parameters
    ----------
    values : pandas.Series

    Returns
    -------
    float

    Examples
    --------
    >>> round(margin(pd.Series([1.0, 2.0, 3.0])), 2), margin(pd.Series([1.0]))
    (4.02, inf)
    """
    n = int(values.notna().sum())
    return float(stdtrit(n - 1, DOUBT)) * standard_error(values) if n > 1 else float("inf")


def contest_labels(table: pd.DataFrame) -> pd.Series[Any]:
    """Name method and rule together where methods were run with several rules.

    Parameters
    ----------
    table : pandas.DataFrame
        With columns ``method, rule``.

    Returns
    -------
    pandas.Series of str

    Examples
    --------
    >>> contest_labels(pd.DataFrame({"method": ["cate", "cate"], "rule": ["auto", "true"]})).tolist()
    ['cate, auto', 'cate, true']
    """
    several = table.groupby("method")["rule"].transform("nunique") > 1
    return table["method"].where(~several, table["method"] + ", " + table["rule"])
