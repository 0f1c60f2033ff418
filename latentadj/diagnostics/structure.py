"""One table of what is wrong, or not, with a result: p-values, estimates, residuals, variation, assumption."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from latentadj.diagnostics.adjustment_effect import overcorrection_checks
from latentadj.diagnostics.calibration import control_table
from latentadj.diagnostics.check import CheckResult
from latentadj.diagnostics.component_covariates import component_association
from latentadj.diagnostics.estimate_structure import estimate_checks
from latentadj.diagnostics.ledger import assumption_ledger
from latentadj.diagnostics.pvalues import classify_pvalues
from latentadj.diagnostics.residual_structure import residual_check
from latentadj.diagnostics.run_order import run_order_association
from latentadj.diagnostics.zscores import zscore_fit
from latentadj.exceptions import InputError
from latentadj.results import AdjustmentResult

DIAGNOSIS_COLUMNS = ("where", "check", "verdict", "level", "cause", "next_step", "numbers")
#: Adjusted p-value, and share of a residual component, from which a covariate counts as followed.
FOLLOWED_P, FOLLOWED_SHARE = 0.01, 0.2


def diagnose(result: AdjustmentResult, feature_data: pd.DataFrame | None = None) -> pd.DataFrame:
    """Look for structure in the p-values, estimates and residuals of a result, and for what adjustment cost.

    Parameters
    ----------
    result : AdjustmentResult
        Without the data at hand, checks that need them are left out.
    feature_data : pandas.DataFrame, optional
        Annotation of the features, as in `estimate_structure`.

    Returns
    -------
    pandas.DataFrame
        ``where, check, verdict, level, cause, next_step, numbers``, a row per check: "p-values" (shape, median, MAD,
        inflation, share of nulls; uniformity of negative controls), "estimates" (whether effects follow the features'
        level, loadings or annotation), "residuals" (directions beyond permuted residuals, and the covariates and run
        order that residual components follow), "variation" (what is left of each variable's after adjustment) and
        "assumption" (see `assumption_ledger`). `level` is "ok", "note" or "warning".

    Raises
    ------
    InputError, AlignmentError
        For feature data that do not fit.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(20, 300))
    >>> table = diagnose(la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 10)), method="none"))
    >>> table[["where", "verdict"]].values.tolist()[:3]
    [['p-values', 'uniform'], ['estimates', 'none seen'], ['residuals', 'none seen']]
    """
    rows = [
        (where, check.name, check.verdict, check.level, check.cause, check.next_step, _numbers(check))
        for where, checks in structure_checks(result, feature_data).items()
        for check in checks
    ]
    return pd.DataFrame(rows, columns=list(DIAGNOSIS_COLUMNS))


def structure_checks(
    result: AdjustmentResult, feature_data: pd.DataFrame | None = None
) -> dict[str, list[CheckResult]]:
    """Run all checks of a result.

    Parameters
    ----------
    result : AdjustmentResult
    feature_data : pandas.DataFrame, optional

    Returns
    -------
    dict of str to list of CheckResult
        By where they look, as in `diagnose`.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 300))
    >>> list(structure_checks(la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=0)))
    ['p-values', 'estimates', 'residuals', 'variation', 'assumption']
    """
    has_data, has_table = result.matrix is not None, result.sample_data is not None
    return {
        "p-values": pvalue_checks(result),
        "estimates": estimate_checks(result, feature_data),
        "residuals": residual_checks(result) if has_data else [],
        "variation": _if_possible("variation", overcorrection_checks, result)
        if has_data and has_table and result.n_factors
        else [],
        "assumption": list(assumption_ledger(result)),
    }


def pvalue_checks(result: AdjustmentResult) -> list[CheckResult]:
    """Shape of every tested column's p-values, with the spread of its statistics; then the negative controls.

    Parameters
    ----------
    result : AdjustmentResult

    Returns
    -------
    list of CheckResult
        Of shapes as `classify_pvalues`, with ``median`` and ``mad`` of the statistics on the normal scale beside. Of
        controls "uniform" or "not uniform" (Kolmogorov-Smirnov test below 0.001).

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 300))
    >>> pvalue_checks(la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=0))[0].verdict
    'uniform'
    """
    checks = []
    for position, name in enumerate(result.tests.names):
        check = classify_pvalues(result.tests.p_value[:, position], name=f"p-values: {name}")
        fit = zscore_fit(result, name).to_dict("records")[-1]
        spread = {"median": float(fit["median"]), "mad": float(fit["mad"])}
        checks.append(replace(check, statistics={**check.statistics, **spread}))
    controls = control_table(result)
    return checks + [_of_controls(row) for row in controls.to_dict("records") if row["which"] == "adjusted"]


def residual_checks(result: AdjustmentResult) -> list[CheckResult]:
    """Directions left in the residuals, and the covariates and run order that residual components follow.

    Parameters
    ----------
    result : AdjustmentResult
        With the data at hand.

    Returns
    -------
    list of CheckResult
        First that of `residual_check`; then, with a sample table, "followed" or "none seen" for the covariates and,
        where there is a column of dates, for the order of the runs.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 300))
    >>> table = pd.DataFrame({"group": list("ab") * 6, "plate": list("aabb") * 3})
    >>> [check.verdict for check in residual_checks(la.adjust(X, "~ group", table, n_factors=0))]
    ['none seen', 'none seen']
    """
    checks = _if_possible("residuals", lambda found: [residual_check(found)], result)
    if result.sample_data is None or checks[0].verdict == "unknown":
        return checks
    checks += _if_possible("residuals and covariates", lambda found: [_covariates_followed(found)], result)
    if result.sample_data.select_dtypes("datetime").shape[1]:
        checks += _if_possible("residuals and run order", lambda found: [_drift(found)], result)
    return checks


def _covariates_followed(result: AdjustmentResult) -> CheckResult:
    table = component_association(result, when="residuals", n_components=5)
    known = table[table["statistic"].notna()]
    name = "residuals and covariates"
    if known.empty:
        return CheckResult(name, "none seen", "ok", "No covariate beside the design can be used.", "Nothing to do.")
    best = known.iloc[int(known["statistic"].to_numpy().argmax())]
    numbers = {"share": float(best["statistic"]), "p_adjusted": float(best["p_adjusted"])}
    followed = known[(known["p_adjusted"] < FOLLOWED_P) & (known["statistic"] > FOLLOWED_SHARE)]
    if followed.empty:
        cause = "No component of the residuals follows a covariate of the sample table."
        return CheckResult(name, "none seen", "ok", cause, "Nothing to do.", numbers)
    pairs = [f"{row.component} follows {row.covariate} ({row.statistic:.0%})" for row in followed.head(3).itertuples()]
    cause = f"Among the components of the residuals, {'; '.join(pairs)}."
    advice = "Put the covariate behind the bar of the formula, unless it follows from what is tested."
    return CheckResult(name, "followed", "note", cause, advice, numbers)


def _drift(result: AdjustmentResult) -> CheckResult:
    table = run_order_association(result, of="residuals")
    best = table.to_dict("records")[int(np.nanargmin(table["p_adjusted"].to_numpy()))]
    numbers = {"curve_r2": float(best["curve_r2"]), "p_adjusted": float(best["p_adjusted"])}
    name = f"residuals and {best['order']}"
    if best["p_adjusted"] >= FOLLOWED_P or best["curve_r2"] <= FOLLOWED_SHARE:
        cause = f"No component of the residuals drifts along {best['order']}."
        return CheckResult(name, "none seen", "ok", cause, "Nothing to do.", numbers)
    cause = f"{best['factor']} drifts along {best['order']} ({best['curve_r2']:.0%} by a curve)."
    return CheckResult(name, "followed", "note", cause, "Use more factors, or put the order into the formula.", numbers)


def _of_controls(row: dict[Any, Any]) -> CheckResult:
    name = f"negative controls: {row['term']}"
    numbers = {key: float(row[key]) for key in ("n_controls", "below_05", "uniformity_p")}
    share = f"{row['below_05']:.0%} of their p-values are below 0.05"
    if not row["uniformity_p"] < 1e-3:
        return CheckResult(
            name, "uniform", "ok", f"Nothing speaks against uniform; {share}.", "Nothing to do.", numbers
        )
    cause = f"P-values of the controls are far from uniform; {share}: they respond, or confounding is left."
    return CheckResult(name, "not uniform", "warning", cause, "Check the list of controls; use other ones.", numbers)


def _if_possible(
    name: str, check: Callable[[AdjustmentResult], list[CheckResult]], result: AdjustmentResult
) -> list[CheckResult]:
    """Checks that these data allow; where there is no usable covariate, or no residual, that is what is said."""
    try:
        return check(result)
    except InputError as error:
        return [CheckResult(name, "unknown", "note", str(error), "Nothing can be said without it.")]


def _numbers(check: CheckResult) -> str:
    known = {name: value for name, value in check.statistics.items() if math.isfinite(value)}
    return ", ".join(f"{name} {value:.3g}" for name, value in known.items())
