"""Scree plot with its null band and every rule's answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from latentadj.diagnostics import scree_table
from latentadj.plots.style import BLUE, GREY, PALETTE, new_axes, require_matplotlib, tidy_frame
from latentadj.results import AdjustmentResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Directions that are shown at least, if there are as many.
SHOWN = 20
_STYLES = ("-", "--", "-.", ":")


def scree(result: AdjustmentResult, ax: Axes | None = None) -> Axes:
    """Draw the shares of the residual variation, beside what permuted residuals give.

    Parameters
    ----------
    result : AdjustmentResult
    ax : matplotlib Axes, optional
        A new figure by default.

    Returns
    -------
    matplotlib Axes
        The table behind it is ``diagnostics.scree_table(result)``. A vertical line after direction k marks each
        answer k; rules that agree share a line.

    Raises
    ------
    InputError
        When the result keeps no spectrum and no data.
    MissingExtraError
        Without Matplotlib.

    Notes
    -----
    Buja and Eyuboglu (1992), Multivariate Behavioral Research 27:509.

    Examples
    --------
    >>> import latentadj as la
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(12, 300))
    >>> res = la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)))
    >>> ax = scree(res)
    >>> ax.get_xlabel()
    'direction'
    """
    answers = _answers(result)
    table = scree_table(result)
    table = table.iloc[: max(SHOWN, 2 * max(answers, default=0) + 4)]
    ax = new_axes(5.6, 3.6) if ax is None else ax
    draw_shares(ax, table)
    for i, (k, rules) in enumerate(sorted(answers.items())):
        style = _STYLES[i % len(_STYLES)]
        ax.axvline(k + 0.5, color=PALETTE[1 + i % 3], ls=style, lw=1.6, label=f"{k}: {_named(rules)}")
    ax.set(xlabel="direction", ylabel="share of residual variation", xlim=(0.3, len(table) + 0.7))
    scale_axes(ax)
    tidy_frame(ax)
    ax.set_title("How many hidden factors", fontsize=10, loc="left")
    ax.legend(loc="upper right", fontsize=8, facecolor="white", edgecolor="none", framealpha=0.9)
    return ax


def scale_axes(ax: Axes) -> None:
    """Whole numbers across, percentages on a logarithmic axis upwards."""
    ticker = require_matplotlib("matplotlib.ticker")
    ax.set_yscale("log")
    ax.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    ax.yaxis.set_major_locator(ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.yaxis.set_major_formatter(ticker.FuncFormatter(lambda share, _: f"{100 * share:.2g} %"))
    ax.yaxis.set_minor_formatter(ticker.NullFormatter())


def draw_shares(ax: Axes, table: pd.DataFrame) -> None:
    """Draw shares by direction, with the band of their null where there is one."""
    # directions beyond the rank have no share; a logarithmic axis cannot show them
    shown = table[table["share"] > 1e-12]
    size = 5.0 if len(table) <= 40 else 2.5
    ax.plot(shown["factor"], shown["share"], "o-", color=BLUE, ms=size, lw=1, label="observed")
    null = table[table["null_upper"].notna() & (table["null_median"] > 1e-12)]
    if len(null):
        ax.plot(null["factor"], null["null_median"], color=GREY, lw=1.2, ls="--", label="null, median")
        ax.plot(null["factor"], null["null_upper"], color=GREY, lw=1.2, label="null, upper bound")
        ax.fill_between(null["factor"], null["null_median"], null["null_upper"], color=GREY, alpha=0.3, lw=0)


def _named(rules: list[str]) -> str:
    """Name up to two rules; of more, the one that was used and how many others agree."""
    if len(rules) <= 2:
        return ", ".join(rules)
    used = [rule for rule in rules if rule.endswith("(used)")]
    return f"{used[0]}, {len(rules) - 1} others" if used else f"{len(rules)} rules"


def _answers(result: AdjustmentResult) -> dict[int, list[str]]:
    """Rules by their answer, the one that was used marked."""
    number = result.num_factors
    answers: dict[int, list[str]] = {}
    if number.chosen_by == "user":
        answers[number.n_factors] = ["given (used)"]
    for answer in number.answers:
        used = " (used)" * (answer.rule == number.chosen_by)
        answers.setdefault(answer.n_factors, []).append(_SHORT.get(answer.rule, answer.rule.replace("_", " ")) + used)
    return answers


_SHORT = {
    "parallel_analysis": "parallel",
    "parallel_analysis_wishart": "Wishart",
    "gavish_donoho": "Gavish-Donoho",
    "eigenvalue_difference": "ED",
    "eigenvalue_ratio": "ER",
    "growth_ratio": "GR",
    "bai_ng_ic2": "Bai-Ng",
    "dpa": "DPA",
    "ddpa_plus": "DDPA+",
    "control_ratio": "controls",
}
