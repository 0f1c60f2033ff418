"""Verdicts on data before any adjustment."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from latentadj.core.matrix import FeatureMatrix
from latentadj.core.passes import run_pass
from latentadj.core.regression import design_basis, design_pass, is_constant
from latentadj.data.finiteness import FinitenessKernel
from latentadj.design import Design
from latentadj.diagnostics.additive_scale import looks_like_counts
from latentadj.diagnostics.check import CheckResult
from latentadj.diagnostics.explored import ExploredStudy
from latentadj.estimators.checks import check_data
from latentadj.exceptions import DataScaleWarning
from latentadj.num_factors.limit import factor_limit
from latentadj.num_factors.parallel import ParallelAnalysis
from latentadj.problem import AdjustmentProblem

#: A sample stands out when its values spread so many times as far as those of the typical sample, or lie so many
#: typical spreads away.
SPREAD, SHIFT = 2.0, 0.5
#: Share of a component from which a covariate counts as followed, and share of the variation of such a component.
FOLLOWED, LARGE = 0.3, 0.05
#: Association of two covariates that is worth a sentence, and the p-value beside it.
TOGETHER, TOGETHER_P = 0.5, 0.01
#: Pairs of covariates that get a sentence of their own; the table has all.
MOST_PAIRS = 8
ALPHA = 0.05


def value_checks(raw: FeatureMatrix, study: ExploredStudy) -> list[CheckResult]:
    """Look at scale, gaps and features that do not vary.

    Parameters
    ----------
    raw : FeatureMatrix of shape (n_samples, n_features)
        As given.
    study : ExploredStudy
        On the scale that is shown.

    Returns
    -------
    list of CheckResult
        "values": "additive", "counts" or "other scale"; "missing values": "none" or "present"; "constant features":
        "none" or "present".

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> from latentadj.diagnostics.explored import explored_study
    >>> X = np.random.default_rng(0).normal(size=(6, 20))
    >>> [check.verdict for check in value_checks(ArrayMatrix(X), explored_study(X))]
    ['additive', 'none', 'none']
    """
    return [_scale(raw), _gaps(raw), _constant(study)]


def sample_check(levels: pd.DataFrame) -> CheckResult:
    """Tell whether samples stand out by their level or spread.

    Parameters
    ----------
    levels : pandas.DataFrame
        From `relative_log_expression`, before adjustment.

    Returns
    -------
    CheckResult
        "alike", or "odd" with the samples' names.

    Examples
    --------
    >>> levels = pd.DataFrame({"sample": list("abc"), "q25": [-1.0, -1, -4], "q75": [1.0, 1, 4], "median": [0.0] * 3})
    >>> sample_check(levels).cause
    '1 of 3 samples stands out by its level or spread: c.'
    """
    spread = (levels["q75"] - levels["q25"]).to_numpy()
    typical = float(np.nanmedian(spread))
    odd = (spread > SPREAD * typical) | (np.abs(levels["median"].to_numpy()) > SHIFT * typical)
    names = levels["sample"][odd].astype(str).tolist()
    numbers = {"n_odd": float(len(names)), "typical_spread": typical}
    if not names:
        return CheckResult("samples", "alike", "ok", "No sample stands out by its level or spread.", "", numbers)
    several = len(names) != 1
    cause = (
        f"{len(names)} of {len(levels)} samples stand{'' if several else 's'} out by {'their' if several else 'its'} "
        f"level or spread: {_some(names)}."
    )
    advice = "Look at relative log expression; normalise, leave them out, or give samples weights."
    return CheckResult("samples", "odd", "note", cause, advice, numbers)


def component_check(associations: pd.DataFrame) -> CheckResult:
    """Say which covariates the leading components follow.

    Parameters
    ----------
    associations : pandas.DataFrame
        From `component_association`.

    Returns
    -------
    CheckResult
        "followed" or "none seen".

    Examples
    --------
    >>> pairs = {"component": ["component 1"], "share": [0.4], "covariate": ["plate"], "statistic": [0.9]}
    >>> component_check(pd.DataFrame({**pairs, "p_adjusted": [1e-6]})).cause
    'Components follow covariates: component 1 (40% of the variation) follows plate (90%).'
    """
    chosen = (associations["p_adjusted"] < ALPHA) & (associations["statistic"] > FOLLOWED)
    found = associations[chosen & (associations["share"] > LARGE)]
    if found.empty:
        cause = "No large component follows a covariate of the sample table."
        return CheckResult("sources of variation", "none seen", "ok", cause, "")
    sentences = []
    for component, pairs in found.groupby("component", sort=False):
        pairs = pairs.sort_values("statistic", ascending=False, kind="stable")
        followed = ", ".join(f"{row.covariate} ({row.statistic:.0%})" for row in pairs.head(3).itertuples())
        sentences.append(f"{component} ({pairs['share'].iloc[0]:.0%} of the variation) follows {followed}")
    advice = (
        "What is not studied belongs behind the bar of the formula; what no column tells is left to hidden factors."
    )
    cause = f"Components follow covariates: {'; '.join(sentences[:4])}."
    numbers = {"n_components": float(found["component"].nunique())}
    return CheckResult("sources of variation", "followed", "note", cause, advice, numbers)


def relation_checks(relations: pd.DataFrame, tested: set[str]) -> list[CheckResult]:
    """Say which covariates cannot be told apart, or go together.

    Parameters
    ----------
    relations : pandas.DataFrame
        From `covariate_relations`.
    tested : set of str
        Columns that are tested; pairs with one of these weigh more.

    Returns
    -------
    list of CheckResult
        A "warning" for a tested column that is confounded completely ("same", "nested", "disconnected"), a "note" for
        other such pairs and for pairs that go together; one "apart" when there are none.

    Examples
    --------
    >>> from latentadj.diagnostics.covariate_pairs import covariate_relations
    >>> table = pd.DataFrame({"group": list("aaaabbbb"), "batch": list("uuvvwwxx")})
    >>> print(relation_checks(covariate_relations(table), {"group"})[0])  # doctest: +ELLIPSIS
    group and batch: nested. They cannot be told apart: every level of batch lies within one level of group. ...
    """
    strong = (relations["association"] > TOGETHER) & (relations["p_value"] < TOGETHER_P)
    chosen = relations[relations["verdict"].isin(("same", "nested", "disconnected")) | strong]
    rows = sorted(chosen.to_dict("records"), key=lambda row: not {row["covariate"], row["other"]} & tested)
    checks = [_relation(row, tested) for row in rows[:MOST_PAIRS]]
    if checks:
        return checks
    return [CheckResult("covariates", "apart", "ok", "No two covariates of the sample table go together.", "")]


def design_check(design: Design | None, *problems: Exception) -> CheckResult:
    """Say whether the design of the formula can be fitted.

    Parameters
    ----------
    design : Design or None
        None when it cannot be built.
    *problems : Exception
        Errors and warnings of its checks.

    Returns
    -------
    CheckResult
        "estimable", "weak" (warnings) or "not estimable".

    Examples
    --------
    >>> design_check(Design.from_arrays([0, 1] * 4)).verdict
    'estimable'
    """
    if not problems and design is not None:
        cause = (
            f"The design has rank {design.rank} for {design.n_samples} samples, and every tested column stands alone."
        )
        return CheckResult("formula", "estimable", "ok", cause, "", {"rank": float(design.rank)})
    soft = all(isinstance(problem, Warning) for problem in problems)
    text = " ".join(str(problem) for problem in problems)
    return CheckResult("formula", "weak" if soft else "not estimable", "note" if soft else "warning", text, "")


def drift_check(drift: pd.DataFrame) -> CheckResult:
    """Say whether components drift along the order of the runs.

    Parameters
    ----------
    drift : pandas.DataFrame
        From `run_order_association`.

    Returns
    -------
    CheckResult
        "drift" or "none seen".

    Examples
    --------
    >>> table = pd.DataFrame({"factor": ["component 1"], "order": ["day"], "curve_r2": [0.8], "p_adjusted": [1e-9]})
    >>> drift_check(table).verdict
    'drift'
    """
    name = f"run order ({drift['order'].iloc[0]})"
    found = drift[(drift["p_adjusted"] < ALPHA) & (drift["curve_r2"] > FOLLOWED)]
    if found.empty:
        return CheckResult(name, "none seen", "ok", "No leading component drifts along it.", "")
    words = ", ".join(f"{row.factor} ({row.curve_r2:.0%})" for row in found.itertuples())
    cause = f"Components drift along it: {words}."
    return CheckResult(name, "drift", "note", cause, "Adjust for hidden factors, or for the order itself.")


def hidden_check(study: ExploredStudy, design: Design | None) -> list[CheckResult]:
    """Count the hidden factors that parallel analysis sees beside the formula.

    Parameters
    ----------
    study : ExploredStudy
    design : Design or None
        Nothing is checked without one.

    Returns
    -------
    list of CheckResult
        None or one: "seen" or "none seen".

    Examples
    --------
    >>> from latentadj.diagnostics.explored import explored_study
    >>> rng = np.random.default_rng(0)
    >>> X = np.outer(rng.normal(size=30), rng.normal(size=200)) * 2 + rng.normal(size=(30, 200))
    >>> [check.verdict for check in hidden_check(explored_study(X), Design.from_arrays(np.repeat([0, 1], 15)))]
    ['seen']
    """
    if design is None or design.n_samples - design.rank < 3:
        return []
    problem = AdjustmentProblem(study.complete_panels()["before"], design)
    rule = ParallelAnalysis(method="wishart") if problem.basis.spans_constant else ParallelAnalysis()
    count = rule.select(problem, factor_limit(problem), np.random.default_rng(0)).n_factors
    numbers = {"n_factors": float(count)}
    if not count:
        cause = "Parallel analysis sees no hidden factor beside the formula."
        return [CheckResult("hidden factors", "none seen", "ok", cause, "", numbers)]
    share = float(problem.unit_spectrum.shares[:count].sum())
    cause = (
        f"Parallel analysis sees {count} hidden factor{'s' * (count != 1)} beside the formula, with {share:.0%} of the "
        "variation that the formula leaves."
    )
    return [CheckResult("hidden factors", "seen", "note", cause, "'latentadj fit' adjusts for them.", numbers)]


def _scale(raw: FeatureMatrix) -> CheckResult:
    if looks_like_counts(raw):
        cause = "Values are whole numbers from 0 up and look like counts."
        advice = "Use --model voom or negative_binomial, or take logarithms first."
        return CheckResult("values", "counts", "note", cause, advice)
    ones = Design.from_arrays(np.empty((raw.shape[0], 0)))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_data(AdjustmentProblem(raw, ones), np.arange(raw.shape[1]))
    scale = [str(warning.message) for warning in caught if issubclass(warning.category, DataScaleWarning)]
    if scale:
        return CheckResult("values", "other scale", "note", scale[0], "")
    return CheckResult("values", "additive", "ok", "Values look as if they were on a scale where effects add up.", "")


def _gaps(raw: FeatureMatrix) -> CheckResult:
    (found,) = run_pass(raw, FinitenessKernel(allow_missing=True))
    count = int(found[0])
    share = count / (raw.shape[0] * raw.shape[1])
    if not count:
        return CheckResult("missing values", "none", "ok", "Every value is known.", "")
    cause = f"{count:,} values ({share:.1%}) are missing."
    return CheckResult("missing values", "present", "note", cause, "Use --missing allow.", {"share": share})


def _constant(study: ExploredStudy) -> CheckResult:
    matrix = study.panels["before"]
    sums = design_pass(matrix, design_basis(np.ones((study.n_samples, 1))))
    count = int(np.count_nonzero(is_constant(sums, study.n_samples) & np.isfinite(sums.tss)))
    if not count:
        return CheckResult("constant features", "none", "ok", "Every feature varies.", "")
    cause = f"{count:,} of {matrix.shape[1]:,} features do not vary; they cannot be tested."
    return CheckResult(
        "constant features", "present", "note", cause, "Nothing to do: they stay in tables, without p-value."
    )


def _relation(row: dict[Any, Any], tested: set[str]) -> CheckResult:
    pair = {str(row["covariate"]), str(row["other"])}
    name = f"{row['covariate']} and {row['other']}"
    numbers = {"association": float(row["association"]), "p_value": float(row["p_value"])}
    strength = f"{row['measure']} {row['association']:.2f}"
    if row["verdict"] in ("same", "nested", "disconnected"):
        advice = "With both in a formula some differences cannot be told apart; keep one, or merge levels."
        level = "warning" if pair & tested else "note"
        return CheckResult(
            name, str(row["verdict"]), level, f"They cannot be told apart: {row['words']}.", advice, numbers
        )
    words = f" ({row['words']})" if row["words"] and row["verdict"] == "connected" else ""
    cause = f"They go together: {strength}{words}."
    advice = "Both can be in a formula, at the price of larger errors." if pair & tested else ""
    return CheckResult(name, "related", "note", cause, advice, numbers)


def _some(names: list[str], most: int = 6) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f", and {rest} more" if rest > 0 else "")
