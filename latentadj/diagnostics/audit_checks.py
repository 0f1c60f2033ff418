"""What an audit of adjustment before prediction shows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from latentadj.diagnostics.check import CheckResult

#: How far above chance a mean score has to be, beside two standard errors, to count.
MARGIN = 0.05


def audit_summary(audit: pd.DataFrame) -> pd.DataFrame:
    """Average the scores of an audit.

    Parameters
    ----------
    audit : pandas.DataFrame
        From `audit_prediction`.

    Returns
    -------
    pandas.DataFrame
        ``predicts, scenario, scoring, mean, sd, chance, n_scores``, a row per scenario and what it predicts. Shuffles
        are averaged over folds first, so that `sd` is that over shuffles.

    Examples
    --------
    >>> from latentadj.diagnostics.prediction_audit import AUDIT_COLUMNS
    >>> rows = [("raw", "y", "r2", 0, 0, 0.5, 0.0), ("raw", "y", "r2", 1, 0, 0.7, 0.0)]
    >>> audit_summary(pd.DataFrame(rows, columns=list(AUDIT_COLUMNS)))["mean"].round(3).tolist()
    [0.6]
    """
    keys = ["predicts", "scenario", "scoring"]
    unit = np.where(audit["scenario"].str.startswith("shuffled"), audit["repeat"], audit["fold"])
    each = audit.assign(unit=unit).groupby([*keys, "unit"], sort=False)[["score", "chance"]].mean()
    grouped = each.groupby(keys, sort=False)
    score = grouped["score"]
    found = {"mean": score.mean(), "sd": score.std(), "chance": grouped["chance"].mean(), "n_scores": score.size()}
    return pd.DataFrame(found).reset_index()


def audit_checks(audit: pd.DataFrame) -> list[CheckResult]:
    """Say what an audit shows: leakage, what confounds predict alone, and what is left of them.

    Parameters
    ----------
    audit : pandas.DataFrame
        From `audit_prediction`.

    Returns
    -------
    list of CheckResult
        "shuffled features": "leak" or "chance". "confounds alone": "predictive" or "chance". For each confound "left",
        "removed" or "absent".

    Notes
    -----
    A mean score counts as above chance by 0.05 and by two standard errors of the scores.

    Examples
    --------
    >>> from latentadj.diagnostics.prediction_audit import AUDIT_COLUMNS
    >>> rows = [("shuffled, adjusted", "y", "roc_auc", 0, i, 0.9, 0.5) for i in range(3)]
    >>> audit_checks(pd.DataFrame(rows, columns=list(AUDIT_COLUMNS)))[0].verdict
    'leak'
    """
    table = audit_summary(audit)
    rows = {(str(row["predicts"]), str(row["scenario"])): row for row in table.to_dict("records")}
    target = next((what for what, scenario in rows if scenario.startswith("shuffled")), "y")
    checks = []
    if (target, "shuffled, adjusted") in rows:
        checks.append(_leak_check(rows[target, "shuffled, adjusted"]))
    if (target, "confounds only") in rows:
        checks.append(_confounds_check(rows[target, "confounds only"], rows.get((target, "adjusted"))))
    left = [what for what, scenario in rows if scenario == "adjusted" and what != target]
    return checks + [_left_check(what, rows[what, "raw"], rows[what, "adjusted"]) for what in left]


def _above(row: dict[Any, Any]) -> bool:
    error = row["sd"] / np.sqrt(row["n_scores"]) if row["n_scores"] > 1 else 0.0
    return bool(row["mean"] - row["chance"] > max(MARGIN, 2.0 * error))


def _numbers(row: dict[Any, Any]) -> dict[str, float]:
    return {name: float(row[name]) for name in ("mean", "chance")}


def _leak_check(row: dict[Any, Any]) -> CheckResult:
    name, numbers = "shuffled features", _numbers(row)
    if not _above(row):
        cause = f"After shuffling and adjustment the score is {row['mean']:.2f}, about chance ({row['chance']:.2f})."
        return CheckResult(name, "chance", "ok", cause, "Nothing to do.", numbers)
    cause = (
        f"Features without information predict {row['predicts']} after adjustment ({row['mean']:.2f}; chance is "
        f"{row['chance']:.2f}): the adjustment itself writes the confounds, or {row['predicts']}, into them."
    )
    return CheckResult(
        name, "leak", "warning", cause, "Do not trust the adjusted score; use another adjuster.", numbers
    )


def _confounds_check(row: dict[Any, Any], adjusted: dict[Any, Any] | None) -> CheckResult:
    name, numbers = "confounds alone", _numbers(row)
    if not _above(row):
        cause = f"Confounds alone do not predict {row['predicts']}."
        return CheckResult(name, "chance", "ok", cause, "Nothing to do.", numbers)
    cause = f"Confounds alone predict {row['predicts']} with {row['mean']:.2f} (chance is {row['chance']:.2f})"
    cause += "." if adjusted is None else f"; adjusted features with {adjusted['mean']:.2f}."
    advice = "Report the score of the confounds beside that of the features."
    return CheckResult(name, "predictive", "note", cause, advice, numbers)


def _left_check(what: str, raw: dict[Any, Any], adjusted: dict[Any, Any]) -> CheckResult:
    name = f"confound: {what}"
    numbers = {"raw": float(raw["mean"]), "adjusted": float(adjusted["mean"]), "chance": float(adjusted["chance"])}
    scores = f"{raw['mean']:.2f} raw, {adjusted['mean']:.2f} adjusted, {adjusted['chance']:.2f} by chance"
    if not _above(raw) and not _above(adjusted):
        return CheckResult(
            name, "absent", "ok", f"Features do not predict {what} ({scores}).", "Nothing to do.", numbers
        )
    if not _above(adjusted):
        cause = f"Features predict {what} before adjustment and no longer after ({scores})."
        return CheckResult(name, "removed", "ok", cause, "Nothing to do.", numbers)
    cause = f"Adjusted features still predict {what} ({scores})."
    return CheckResult(name, "left", "note", cause, "Give it to the adjuster, or use more factors.", numbers)
