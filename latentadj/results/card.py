"""The compact HTML card that notebooks show for a result."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import pandas as pd

from latentadj.results.noise import noise_facts

if TYPE_CHECKING:
    from latentadj.results.adjustment import AdjustmentResult

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
    rows = "".join(f"<tr><th>{html.escape(k)}</th><td>{html.escape(v)}</td></tr>" for k, v in facts.items())
    notes = "".join(f"<li>{html.escape(text)}</li>" for text in result.warnings)
    notes = f"<p>Warnings</p><ul>{notes}</ul>" if notes else ""
    confounding = _table(result.confounding.table().reset_index())
    best = result.top(5)
    top = _table(best[[name for name in _TOP if name in best and best[name].notna().any()]])
    return f"<div><table>{rows}</table><p>Confounding</p>{confounding}<p>Top features</p>{top}{notes}</div>"


def _discoveries(result: AdjustmentResult) -> str:
    table = result.tidy()
    counts = table.assign(hit=table["p_adjusted"] < 0.05).groupby("term", sort=False)["hit"].sum()
    return "; ".join(f"{name}: {int(count)} at 5 % false discovery rate" for name, count in counts.items())


def _table(frame: pd.DataFrame) -> str:
    out: str = frame.to_html(index=False, escape=True, border=0, float_format=lambda v: f"{v:.3g}")
    return out
