"""The compact HTML cards that notebooks show: of a result, of its number of factors."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from latentadj.results.noise import noise_facts
from latentadj.results.table import adjusted_columns

if TYPE_CHECKING:
    from latentadj.results.adjustment import AdjustmentResult
    from latentadj.results.factors import NumFactorsResult

_TOP = ("feature", "term", "estimate", "statistic", "p_value", "p_adjusted")


def html_card(result: AdjustmentResult) -> str:
    """Return a small HTML summary: what was fitted, how many factors and why, confounding, top features.

    Parameters
    ----------
    result : AdjustmentResult

    Returns
    -------
    str
        All text escaped.
    """
    number = result.num_factors
    facts = {
        "Design": result.design.formula or ", ".join(result.design.names),
        "Data": f"{result.n_samples} samples x {result.n_features} features",
        "Method": f"{result.method_title}. {result.reason}",
        "Factors": f"{result.n_factors}, chosen by {number.chosen_by.replace('_', ' ')}",
        **noise_facts(result),
        "Discoveries": _discoveries(result),
    }
    best = result.top(5)
    top = best[[name for name in _TOP if name in best and best[name].notna().any()]]
    tables = {"Confounding": card_table(result.confounding.table().reset_index()), "Top features": card_table(top)}
    return card(facts, tables, result.warnings, "Warnings")


def number_card(number: NumFactorsResult) -> str:
    """Return a small HTML summary of how many factors there are: the answer, and every rule's.

    Parameters
    ----------
    number : NumFactorsResult

    Returns
    -------
    str
        All text escaped.
    """
    how = "as asked" if number.chosen_by == "user" else f"chosen by {number.chosen_by.replace('_', ' ')}"
    facts = {"Factors": f"{number.n_factors}, {how}", "Most that were possible": str(number.limit)}
    table = number.summary()
    table = table.assign(rule=table["rule"].str.replace("_", " "), chosen=np.where(table["chosen"], "yes", ""))
    renamed = table.rename(columns={"n_factors": "factors", "chosen": "used"})
    return card(facts, {"What every rule answers": card_table(renamed)} if len(renamed) else {})


def card(facts: Mapping[str, str], tables: Mapping[str, str], notes: Iterable[str] = (), heading: str = "Notes") -> str:
    """Return names and values, then tables, then a list of notes.

    Parameters
    ----------
    facts : mapping of str to str
    tables : mapping of str to str
        Ready HTML by title.
    notes : iterable of str
    heading : str, default="Notes"
        Of the list.

    Returns
    -------
    str

    Examples
    --------
    >>> card({"a": "<b>"}, {})
    '<div><table><tr><th style="text-align:left">a</th><td style="text-align:left">&lt;b&gt;</td></tr></table></div>'
    """
    left = ' style="text-align:left"'
    rows = "".join(
        f"<tr><th{left}>{html.escape(name)}</th><td{left}>{html.escape(value)}</td></tr>"
        for name, value in facts.items()
    )
    shown = "".join(f"<p>{html.escape(title)}</p>{table}" for title, table in tables.items())
    items = "".join(f"<li>{html.escape(text)}</li>" for text in notes)
    listed = f"<p>{html.escape(heading)}</p><ul>{items}</ul>" if items else ""
    return f"<div><table>{rows}</table>{shown}{listed}</div>"


def _discoveries(result: AdjustmentResult) -> str:
    hits = (adjusted_columns(result.tests.p_value, "bh") < 0.05).sum(axis=0)
    counted = zip(result.tests.names, hits, strict=True)
    return "; ".join(f"{name}: {int(count)} at 5 % false discovery rate" for name, count in counted)


def card_table(frame: pd.DataFrame) -> str:
    """Return a frame as HTML without its index, everything escaped, three digits, blanks for missing values.

    Parameters
    ----------
    frame : pandas.DataFrame

    Returns
    -------
    str

    Examples
    --------
    >>> "<td>&lt;i&gt;</td>" in card_table(pd.DataFrame({"feature": ["<i>"]}))
    True
    """
    out: str = frame.to_html(index=False, escape=True, border=0, na_rep="", float_format=lambda v: f"{v:.3g}")
    return out
