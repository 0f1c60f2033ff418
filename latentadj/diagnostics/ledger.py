"""The assumption ledger: what a result rests on, and which of it the data can contradict."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from latentadj.diagnostics.check import CheckResult
from latentadj.diagnostics.control_checks import control_checks, held_out_control_checks
from latentadj.diagnostics.effect_checks import orthogonality_checks, sparsity_checks
from latentadj.diagnostics.replicate_checks import replicate_checks
from latentadj.num_factors import ParallelAnalysis
from latentadj.num_factors.select import factor_limit
from latentadj.problem import AdjustmentProblem
from latentadj.results import AdjustmentResult

LEDGER_COLUMNS = ("check", "verdict", "level", "cause", "next_step", "numbers")

_KINDS = {
    "controls": "Negative controls have no true effect and feel the same factors as the other features.",
    "replicates": "Replicates differ by nothing but unwanted variation.",
    "sparsity": "Most features, or most of those that matter for the method, have no true effect.",
    "orthogonality": "True effects do not follow the loadings of the factors.",
    "nothing": "Nothing tells hidden factors from true effects: estimates are as confounded as without the method.",
    "none needed": "Nothing hidden is associated with what is tested.",
}


def assumption_ledger(
    result: AdjustmentResult, *, identification: str | None = None, replicates: Any = None
) -> tuple[CheckResult, ...]:
    """State what separates hidden factors from true effects in a result, and check what can be checked.

    Parameters
    ----------
    result : AdjustmentResult
    identification : str, optional
        Kind of assumption to check; by default that of the method, as in `MethodInfo.identification`.
    replicates : optional
        Which samples are replicates: labels, or a column of the sample table; needed only where the result does
        not know.

    Returns
    -------
    tuple of CheckResult
        The assumption itself first. Then, for "controls": their number, whether they feel every factor, whether
        their adjusted effects agree (Cochran's Q) and whether they are null. For "sparsity": the share of features
        with an effect, and whether effects follow the loadings. For "orthogonality": whether effects, and the bulk
        of the features, follow the loadings. For "replicates": whether they share what is tested and come closer.
        Controls that the method does not rely on: whether they agree and are null. Without factors: whether
        parallel analysis sees any.

    Raises
    ------
    InputError, AlignmentError
        For replicates that do not fit the samples.

    Notes
    -----
    A check that passes is no proof: where an assumption fails in the way that the method mistakes for confounding,
    the data look as they should. Controls that the method did not use are the strongest check; see
    `control_table`.

    References
    ----------
    Controls: Gagnon-Bartsch, Jacob and Speed (2013), section 4. Sparsity: Wang, Zhao, Hastie and Owen (2017),
    section 3.2.

    Examples
    --------
    >>> from latentadj import adjust
    >>> from latentadj.simulation import Scenario, simulate
    >>> study = simulate(Scenario(n_features=500), 0)
    >>> res = adjust(study.X, study.design, method="ruv4", n_factors=3, controls=study.truth.controls)
    >>> [check.verdict for check in assumption_ledger(res)]
    ['controls', 'enough', 'felt', 'homogeneous', 'null']
    """
    kind = result.identification if identification is None else identification
    if result.n_factors == 0:
        return (_stated(result, "none needed"), _no_factors(result))
    checks = [_stated(result, kind)]
    if kind == "controls" and result.controls is not None:
        checks += control_checks(result)
    elif kind == "sparsity":
        checks += sparsity_checks(result)
    elif kind == "orthogonality":
        checks += orthogonality_checks(result)
    elif kind == "replicates":
        checks += replicate_checks(result, replicates)
    if kind != "controls" and result.controls is not None:
        checks += held_out_control_checks(result)
    return tuple(checks)


def assumption_table(
    result: AdjustmentResult, *, identification: str | None = None, replicates: Any = None
) -> pd.DataFrame:
    """Return `assumption_ledger` as a table.

    Parameters
    ----------
    result : AdjustmentResult
    identification, replicates : optional
        As in `assumption_ledger`.

    Returns
    -------
    pandas.DataFrame
        ``check, verdict, level, cause, next_step, numbers``, a row per check; `numbers` as text.

    Examples
    --------
    >>> import numpy as np, latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 300))
    >>> res = la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), method="none")
    >>> assumption_table(res)["verdict"].tolist()
    ['none needed', 'none seen']
    """
    rows = [
        (check.name, check.verdict, check.level, check.cause, check.next_step, _numbers(check))
        for check in assumption_ledger(result, identification=identification, replicates=replicates)
    ]
    return pd.DataFrame(rows, columns=list(LEDGER_COLUMNS))


def _stated(result: AdjustmentResult, kind: str) -> CheckResult:
    own = "" if kind == "none needed" else f" {result.method_title}: {result.assumption}."
    cause = f"{_KINDS.get(kind, 'The kind of assumption is not known.')}{own}"
    if kind == "nothing" or not result.valid_for_testing:
        advice = "Do not read the tests as adjusted for confounding."
        return CheckResult("assumption", kind, "warning", cause, advice)
    advice = "Whether this is plausible is a question of the study; the checks below can only contradict it."
    return CheckResult("assumption", kind, "note", cause, advice)


def _no_factors(result: AdjustmentResult) -> CheckResult:
    name, number = "hidden factors", _seen_by_the_rule(result)
    if number is None:
        cause = "The data are not at hand (a saved result does not hold them), so no rule can look for factors."
        return CheckResult(name, "unknown", "note", cause, "Run the analysis again to check.")
    numbers = {"n_factors": float(number)}
    if number:
        cause = f"Parallel analysis sees {number} hidden factor(s) in the residuals, and none is in the model."
        return CheckResult(name, "seen", "warning", cause, "Use a method that adjusts for them.", numbers)
    cause = "Parallel analysis sees no hidden factor in the residuals."
    return CheckResult(name, "none seen", "ok", cause, "Nothing to do.", numbers)


def _seen_by_the_rule(result: AdjustmentResult) -> int | None:
    """Answer of the default rule: the one it gave, or one pass over the data; None without them."""
    rule = ParallelAnalysis()
    known = [answer.n_factors for answer in result.num_factors.answers if answer.rule == rule.name]
    if known:
        return known[0]
    if result.matrix is None:
        return None
    problem = AdjustmentProblem(result.matrix, result.design)
    return rule.select(problem, factor_limit(problem), np.random.default_rng(0)).n_factors


def _numbers(check: CheckResult) -> str:
    known = {name: value for name, value in check.statistics.items() if math.isfinite(value)}
    return ", ".join(f"{name} {value:.3g}" for name, value in known.items())
