"""The parts of the report, each from the result alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

from latentadj import plots
from latentadj.catalogue import methods
from latentadj.diagnostics import (
    calibration_table,
    control_table,
    covariate_recovery,
    df_budget,
    discovery_table,
    factor_association,
)
from latentadj.diagnostics.ledger import assumption_table
from latentadj.plots.components import draw_components
from latentadj.report.features import MOST_TERMS, N_TOP, top_tables
from latentadj.report.markup import bullets, escape, facts, paragraph, table
from latentadj.report.pictures import picture
from latentadj.report.verdict import ALPHA, hidden_covariates, verdicts
from latentadj.results import AdjustmentResult
from latentadj.results.components import Components
from latentadj.results.noise import noise_facts

_LEVELS = {"ok": ("✓", "Fine"), "note": ("i", "Note"), "warning": ("!", "Warning")}
#: Longer tables are cut in the report; the files beside it have everything.
MOST_ROWS = 60


@dataclass(frozen=True)
class Section:
    """A part of the report.

    Attributes
    ----------
    title, anchor : str
    body : Callable
        Takes the result and returns HTML.
    """

    title: str
    anchor: str
    body: Callable[[AdjustmentResult], str]


def summary(result: AdjustmentResult) -> str:
    """Verdict lines in plain language."""
    lines = []
    for line in verdicts(result):
        sign, word = _LEVELS[line.level]
        mark = f'<span class="mark" aria-hidden="true">{sign}</span><span class="word">{word}</span>'
        lines.append(
            f'<li class="{line.level}">{mark}<span><b>{escape(line.topic)}.</b> {escape(line.text)}</span></li>'
        )
    return f'<ul class="verdicts">{"".join(lines)}</ul>'


def study(result: AdjustmentResult) -> str:
    """What was measured and the design that was used."""
    design = result.design
    what = {
        "Formula": design.formula or "given as columns",
        "Samples": f"{result.n_samples:,}",
        "Features": f"{result.n_features:,}",
        "Tested": ", ".join(result.tests.names) or "nothing",
        **noise_facts(result),
    }
    columns = pd.DataFrame({"column": design.names, "role": design.roles, "formula term": design.terms})
    parts = [facts(what)]
    covariates = design.summary()
    if len(covariates):
        parts.append(table(covariates, "Covariates of the formula, as they were read"))
    parts.append(_cut_table(columns, "Columns of the design, without factors"))
    if design.aliases:
        parts.append(paragraph("Columns that others determine:"))
        parts.append(bullets(str(alias) for alias in design.aliases))
    return "".join(parts)


def budget(result: AdjustmentResult) -> str:
    """Degrees of freedom and the price of adjustment."""
    return _cut_table(df_budget(result), "Degrees of freedom, and what the factors cost in precision")


def number_of_factors(result: AdjustmentResult) -> str:
    """All rules with their answers, and the scree plot."""
    rules = result.num_factors.summary()
    parts = [picture(partial(_draw_scree, result), (6.4, 4.0), "Scree plot with the null band and every rule's answer")]
    if result.num_factors.chosen_by == "user":
        parts.insert(0, paragraph(f"The number, {result.n_factors}, was given. Rules are shown for comparison."))
    if len(rules):
        named = rules.rename(columns={"n_factors": "factors", "chosen": "used"})
        parts.append(table(named.assign(rule=named["rule"].str.replace("_", " ")), "What every rule answers, and how"))
    return "".join(parts)


def confounding(result: AdjustmentResult) -> str:
    """The test of confounding, a row per tested column."""
    note = (
        "F test that the factors are not associated with a tested column, given the columns adjusted for. r2 is the "
        "share of the column that the factors explain; its standard error grows by the square root of the variance "
        "inflation. A small p-value means that results without adjustment cannot be trusted."
    )
    return paragraph(note) + _cut_table(result.confounding.table().reset_index())


def known_covariates(result: AdjustmentResult) -> str:
    """Which columns of the sample table the factors follow."""
    if result.n_factors == 0:
        return paragraph("There are no factors.", "note")
    if result.sample_data is None:
        return paragraph("There is no sample table to compare the factors with.", "note")
    pairs = factor_association(result)
    k, count = result.n_factors, pairs["covariate"].nunique()
    width = 2.8 + 0.46 * min(k, 20)
    size = (min(max(width, 5.0), 12.0), 1.5 + 0.34 * min(max(count, 1), 20))
    body = picture(partial(_draw_heatmap, result), size, "Heatmap of factors against covariates")
    together = covariate_recovery(result)
    given = covariate_recovery(result, given_design=True)
    body += table(together.head(MOST_ROWS), "All factors together against each covariate")
    body += table(
        given.head(MOST_ROWS), "The same with the design removed first: what is not shared with its variables"
    )
    best = pairs[pairs["p_adjusted"] < ALPHA].sort_values("statistic", ascending=False)
    columns = ["factor", "covariate", "kind", "statistic", "p_value", "p_adjusted"]
    body += _cut_table(best[columns], f"Pairs with an adjusted p-value below {ALPHA}", rows=20)
    return f"{paragraph('An asterisk behind a name marks covariates of the formula.')}{body}"


def calibration(result: AdjustmentResult) -> str:
    """P-value histograms, spread, controls and discoveries."""
    parts = [
        picture(partial(_draw_histogram, result, name), (5.4, 3.6), f"P-value histogram of {name}")
        for name in result.tests.names[:MOST_TERMS]
    ]
    shapes = calibration_table(result)
    numbers = ["term", "which", "verdict", "median", "mad", "inflation", "pi0"]
    body = f'<div class="row">{"".join(parts)}</div>'
    body += _cut_table(discovery_table(result), "Discoveries at 5 % false discovery rate, with and without factors")
    body += _cut_table(shapes[numbers], "Bulk of the statistics; mad and inflation are 1 under the null")
    controls = control_table(result)
    if len(controls):
        body += _cut_table(controls, "Negative controls: share below 0.05, and test of uniformity")
    if result.tests.calibration:
        body += paragraph(f"Statistics were calibrated ({result.tests.calibration}); joint F tests are not.")
    return body


def components(result: AdjustmentResult) -> str:
    """Samples before and after adjustment, by the tested variable and by what the factors recover best."""
    if result.matrix is None:
        return paragraph("No picture: the data are not at hand (a saved result does not hold them).", "note")
    found = {which: result.principal_components(which) for which in ("before", "after")}
    hidden = hidden_covariates(result)
    hidden = hidden[hidden["p_adjusted"] < ALPHA]
    parts = [paragraph("For the eye only: adjusted data must not be tested again.")]
    for name in (None, *hidden["covariate"].head(2)):
        alt = f"Principal components before and after, by {name or 'the tested variable'}"
        draw = partial(_draw_components, result, found, name)
        parts.append(picture(draw, (9.4, 3.9), alt, columns=2))
    return "".join(parts)


def features(result: AdjustmentResult) -> str:
    """Features with the smallest p-values."""
    parts = [table(best, f"Top {min(N_TOP, len(best))} features for {term}") for term, best in top_tables(result)]
    return "".join(parts) or paragraph("Nothing was tested.", "note")


def method(result: AdjustmentResult) -> str:
    """The method, why it was used, and what it assumes."""
    catalogue = methods()
    pairs: dict[str, object] = {"Method": result.method_title, "Why": result.reason}
    if result.method in catalogue.index:
        pairs["What it does"] = catalogue.loc[result.method, "summary"]
        pairs["Reference"] = catalogue.loc[result.method, "reference"]
    pairs["Assumption"] = result.assumption
    pairs["Valid for testing"] = "yes" if result.valid_for_testing else "no"
    pairs["Converged"] = "yes" if result.estimate.converged else "no"
    note = "The assumption cannot be checked with these data alone: where it fails, effects are taken for factors."
    return facts(pairs) + (paragraph(note) if result.n_factors else "")


def assumptions(result: AdjustmentResult) -> str:
    """The assumption ledger: what the result rests on, and the checks that go with it."""
    ledger = assumption_table(result)
    ledger["verdict"] = ledger["level"].map(lambda level: _LEVELS[level][0]) + " " + ledger["verdict"]
    shown = ledger.drop(columns="level")
    stated, checks = ledger.iloc[0], shown.iloc[1:]
    body = paragraph(f"{stated['cause']} {stated['next_step']}")
    if checks.empty:
        return body + paragraph("Nothing about this can be checked with these data.", "note")
    return body + _cut_table(checks, "Checks that could contradict it; passing them is no proof")


def issued_warnings(result: AdjustmentResult) -> str:
    """Every warning issued during the analysis."""
    return bullets(result.warnings) if result.warnings else paragraph("None.")


def manifest(result: AdjustmentResult) -> str:
    """What is needed to run it again."""
    return facts(result.manifest) if result.manifest else paragraph("None was kept.", "note")


#: In the order of the page.
SECTIONS = (
    Section("Summary", "summary", summary),
    Section("Study and design", "design", study),
    Section("Degrees of freedom", "budget", budget),
    Section("Number of factors", "factors", number_of_factors),
    Section("Confounding", "confounding", confounding),
    Section("What the factors are", "covariates", known_covariates),
    Section("P-values", "calibration", calibration),
    Section("Samples before and after", "samples", components),
    Section("Top features", "features", features),
    Section("Method and assumption", "method", method),
    Section("Assumptions", "assumptions", assumptions),
    Section("Warnings", "warnings", issued_warnings),
    Section("Manifest", "manifest", manifest),
)


def _cut_table(frame: pd.DataFrame, caption: str = "", rows: int = MOST_ROWS) -> str:
    """A table with its first rows, saying how many are left out."""
    rest = len(frame) - rows
    return table(frame.head(rows), f"{caption} (first {rows} of {len(frame):,})" if rest > 0 else caption)


def _draw_scree(result: AdjustmentResult, ax: Any) -> None:
    plots.scree(result, ax)


def _draw_heatmap(result: AdjustmentResult, ax: Any) -> None:
    plots.factor_heatmap(result, ax=ax)


def _draw_histogram(result: AdjustmentResult, name: str, ax: Any) -> None:
    plots.pvalue_histogram(result, name, ax)


def _draw_components(result: AdjustmentResult, found: dict[str, Components], name: str | None, axes: Any) -> None:
    draw_components(result, found, name, list(axes))
