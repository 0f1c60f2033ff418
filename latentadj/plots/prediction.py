"""Scores of an audit of adjustment before prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from latentadj.diagnostics.audit_checks import audit_summary
from latentadj.exceptions import InputError
from latentadj.plots.panels import outside_legend
from latentadj.plots.style import BLUE, GREY, ORANGE, PALETTE, new_axes, plain, tidy_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = {"raw": ORANGE, "adjusted": BLUE, "confounds only": PALETTE[3], "shuffled, adjusted": GREY}
#: Targets that are drawn, the predicted variable first.
MOST_TARGETS = 8


def prediction_audit(audit: pd.DataFrame, ax: Any = None) -> Any:
    """Draw the scores of an audit: raw, adjusted, confounds alone, and shuffled features after adjustment.

    Parameters
    ----------
    audit : pandas.DataFrame
        From `latentadj.diagnostics.audit_prediction`.
    ax : matplotlib Axes, optional
        A new figure by default.

    Returns
    -------
    matplotlib Axes
        The table behind it is ``diagnostics.audit_summary(audit)``. Bars are mean scores, points those of single folds
        or shuffles, black marks what chance gives. Shuffled features have to be at chance; adjusted features ought
        not to predict confounds.

    Raises
    ------
    InputError
        For a table without scores.
    MissingExtraError
        Without Matplotlib.

    Examples
    --------
    >>> from latentadj.diagnostics.prediction_audit import AUDIT_COLUMNS
    >>> rows = [(name, "y", "roc_auc", i, 0, 0.6, 0.5) for name in ("raw", "adjusted") for i in range(3)]
    >>> ax = prediction_audit(pd.DataFrame(rows, columns=list(AUDIT_COLUMNS)))
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['y (roc auc)']
    """
    table = audit_summary(audit)
    targets = list(table["predicts"].unique())[:MOST_TARGETS]
    table = table[table["predicts"].isin(targets) & table["mean"].notna()]
    if table.empty:
        raise InputError("The audit holds no scores, so there is nothing to draw.")
    ax = new_axes(6.8, 1.3 + 0.9 * len(targets)) if ax is None else ax
    for position, target in enumerate(targets):
        _draw_target(ax, position, audit[audit["predicts"] == target], table[table["predicts"] == target])
    metric = table.drop_duplicates("predicts").set_index("predicts")["scoring"]
    labels = [f"{plain(target)} ({str(metric[target]).replace('_', ' ')})" for target in metric.index]
    ax.set_yticks([targets.index(target) for target in metric.index], labels)
    ax.set_ylim(len(targets) - 0.4, -0.6)
    ax.set_xlim(*_range(audit[audit["predicts"].isin(targets)]))
    ax.set_xlabel("score on samples that were not trained on")
    ax.set_title("What can be predicted", fontsize=10, loc="left")
    ax.axvline(0.0, color="black", lw=0.8)
    tidy_frame(ax)
    _key(ax, table)
    return ax


def _draw_target(ax: Axes, position: int, audit: pd.DataFrame, table: pd.DataFrame) -> None:
    height = 0.8 / len(table)
    for i, row in enumerate(table.to_dict("records")):
        at = position + (i - (len(table) - 1) / 2) * height
        ax.barh(at, row["mean"], 0.9 * height, color=_COLOURS[row["scenario"]], alpha=0.75)
        scores = audit.loc[audit["scenario"] == row["scenario"], "score"].to_numpy()
        ax.plot(scores, np.full(len(scores), at), "o", ms=3, color="black", alpha=0.45, mew=0)
        ax.vlines(row["chance"], at - height / 2, at + height / 2, color="black", lw=2)


def _range(audit: pd.DataFrame) -> tuple[float, float]:
    """Scores from 0 to 1, or further down where some are; the lowest are cut."""
    low = float(np.nanmin(audit[["score", "chance"]].to_numpy()))
    return (max(1.1 * low, -1.0) if low < 0 else 0.0, 1.02)


def _key(ax: Axes, table: pd.DataFrame) -> None:
    for scenario in table["scenario"].unique():
        ax.plot([], [], "s", ms=8, color=_COLOURS[scenario], alpha=0.75, label=scenario)
    ax.plot([], [], "o", ms=3, color="black", alpha=0.45, mew=0, label="a fold or shuffle")
    ax.plot([], [], color="black", lw=2, label="chance")
    outside_legend(ax)
