"""The parts of the report, each from the result alone."""

from __future__ import annotations

from collections.abc import Iterator
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
from latentadj.report.block import Block
from latentadj.report.design_section import study
from latentadj.report.elements import MOST_ROWS, bullets, facts, paragraph, side_by_side, subheading, table
from latentadj.report.features import MOST_TERMS, result_tables, tested_terms
from latentadj.report.grid import grid
from latentadj.report.pictures import picture
from latentadj.report.section import Section
from latentadj.report.verdict import ALPHA, hidden_covariates, verdicts
from latentadj.report.verdict_lines import LEVELS, verdict_lines
from latentadj.results import AdjustmentResult
from latentadj.results.components import Components

#: Tested columns that get pictures of their own effects.
MOST_DRAWN = 3
#: Covariates, and pairs of a factor and a covariate, that are listed.
MOST_COVARIATES = 20


def summary(result: AdjustmentResult) -> Iterator[Block]:
    """Verdict lines in plain language."""
    yield verdict_lines(verdicts(result))


def features(result: AdjustmentResult) -> Iterator[Block]:
    """All features, a table per formula term."""
    terms = tested_terms(result)
    if not terms:
        yield paragraph("Nothing was tested.", "note")
        return
    yield paragraph(
        "Every feature, smallest p-value first: click a heading to sort, type to search. p adjusted controls the false "
        "discovery rate (Benjamini and Hochberg) over all features; the last columns are those without factors."
    )
    for term, rows in result_tables(result):
        yield grid(rows, _grid_caption(term, terms[term]), sorted_by="p", n_total=result.n_features)
    if len(terms) > MOST_TERMS:
        left_out = ", ".join(list(terms)[MOST_TERMS:])
        yield paragraph(f"In the file of results only: {left_out}.", "note")


def calibration(result: AdjustmentResult) -> Iterator[Block]:
    """P-value histograms, spread, controls and discoveries."""
    yield side_by_side(
        picture(partial(_draw_histogram, result, name), (5.4, 3.6), f"P-value histogram of {name}")
        for name in result.tests.names[:MOST_TERMS]
    )
    yield paragraph(
        "Where nothing is associated, p-values are spread evenly; true effects add a peak at 0 and leave the rest flat."
    )
    yield table(discovery_table(result), "Discoveries at 5 % false discovery rate, with and without factors", MOST_ROWS)
    numbers = ["term", "which", "verdict", "median", "mad", "inflation", "pi0"]
    caption = "Bulk of the statistics; mad and inflation are 1 under the null, pi0 is the share without an effect"
    yield table(calibration_table(result)[numbers], caption, MOST_ROWS)
    controls = control_table(result)
    if len(controls):
        yield table(controls, "Negative controls: share below 0.05, and test of uniformity", MOST_ROWS)
    if result.tests.calibration:
        yield paragraph(f"Statistics were calibrated ({result.tests.calibration}); joint F tests are not.")


def effects(result: AdjustmentResult) -> Iterator[Block]:
    """Effects against their evidence, and before against after."""
    names = result.tests.names[:MOST_DRAWN]
    if not names:
        yield paragraph("Nothing was tested.", "note")
    for name in names:
        pictures = [picture(partial(_draw_volcano, result, name), (5.6, 4.3), f"Volcano plot of {name}")]
        if result.n_factors:
            alt = f"Estimates of {name} with factors against those without"
            pictures.append(picture(partial(_draw_effects, result, name), (5.6, 4.3), alt))
        yield subheading(name)
        yield side_by_side(pictures)
    if result.n_factors and names:
        yield paragraph(
            "Left, every feature with its estimate and its evidence. Right, what the factors changed: on the diagonal "
            "nothing, on the horizontal line what the regression without factors missed or had wrong."
        )


def components(result: AdjustmentResult) -> Iterator[Block]:
    """Samples before and after adjustment, by the tested variable and by what the factors recover best."""
    if result.matrix is None:
        yield paragraph("No picture: the data are not at hand (a saved result does not hold them).", "note")
        return
    found = {which: result.principal_components(which) for which in ("before", "after")}
    hidden = hidden_covariates(result)
    hidden = hidden[hidden["p_adjusted"] < ALPHA]
    yield paragraph("For the eye only: adjusted data must not be tested again.")
    for name in (None, *hidden["covariate"].head(2)):
        alt = f"Principal components before and after, by {name or 'the tested variable'}"
        draw = partial(_draw_components, result, found, name)
        yield picture(draw, (9.4, 3.9), alt, columns=2)


def number_of_factors(result: AdjustmentResult) -> Iterator[Block]:
    """All rules with their answers, and the scree plot."""
    rules = result.num_factors.summary()
    if result.num_factors.chosen_by == "user":
        yield paragraph(f"The number, {result.n_factors}, was given. Rules are shown for comparison.")
    caption = (
        "Directions above the null hold more variation than noise does; vertical lines are the answers of the rules."
    )
    alt = "Scree plot with the null band and every rule's answer"
    yield picture(partial(_draw_scree, result), (6.4, 4.0), alt, caption=caption)
    if len(rules):
        named = rules.rename(columns={"n_factors": "factors", "chosen": "used"})
        yield table(named.assign(rule=named["rule"].str.replace("_", " ")), "What every rule answers, and how")


def confounding(result: AdjustmentResult) -> Iterator[Block]:
    """The test of confounding, a row per tested column."""
    yield paragraph(
        "F test that the factors are not associated with a tested column, given the columns adjusted for. r2 is the "
        "share of the column that the factors explain; its standard error grows by the square root of the variance "
        "inflation. A small p-value means that results without adjustment cannot be trusted."
    )
    yield table(result.confounding.table().reset_index(), "Tested columns against the hidden factors", MOST_ROWS)


def known_covariates(result: AdjustmentResult) -> Iterator[Block]:
    """Which columns of the sample table the factors follow."""
    if result.n_factors == 0:
        yield paragraph("There are no factors.", "note")
        return
    if result.sample_data is None:
        yield paragraph("There is no sample table to compare the factors with.", "note")
        return
    pairs = factor_association(result)
    k, count = result.n_factors, pairs["covariate"].nunique()
    width = 2.8 + 0.46 * min(k, 20)
    size = (min(max(width, 5.0), 12.0), 1.5 + 0.34 * min(max(count, 1), 20))
    caption = (
        "Share of each factor's variation that a covariate explains; an asterisk (a dot in large pictures) marks "
        "adjusted p-values below 0.05. An asterisk behind a name marks covariates of the formula."
    )
    yield picture(partial(_draw_heatmap, result), size, "Heatmap of factors against covariates", caption=caption)
    together = _by_evidence(covariate_recovery(result))
    yield table(together, "All factors together against each covariate, smallest p-value first", MOST_COVARIATES)
    given = _by_evidence(covariate_recovery(result, given_design=True))
    caption = "The same with the design removed first: what is not shared with its variables"
    yield table(given, caption, MOST_COVARIATES)
    best = pairs[pairs["p_adjusted"] < ALPHA].sort_values("statistic", ascending=False)
    columns = ["factor", "covariate", "kind", "statistic", "p_value", "p_adjusted"]
    yield table(best[columns], f"Pairs with an adjusted p-value below {ALPHA}", MOST_COVARIATES)


def budget(result: AdjustmentResult) -> Iterator[Block]:
    """Degrees of freedom and the price of adjustment."""
    yield table(df_budget(result), "Degrees of freedom, and what the factors cost in precision", MOST_ROWS)


def method(result: AdjustmentResult) -> Iterator[Block]:
    """The method, why it was used, and what it assumes."""
    catalogue = methods()
    pairs: dict[str, object] = {"Method": result.method_title, "Why": result.reason}
    if result.method in catalogue.index:
        pairs["What it does"] = catalogue.loc[result.method, "summary"]
        pairs["Reference"] = catalogue.loc[result.method, "reference"]
    pairs["Assumption"] = result.assumption
    pairs["Valid for testing"] = "yes" if result.valid_for_testing else "no"
    pairs["Converged"] = "yes" if result.estimate.converged else "no"
    yield facts(pairs)
    if result.n_factors:
        yield paragraph(
            "The assumption cannot be checked with these data alone: where it fails, effects are taken for factors."
        )


def assumptions(result: AdjustmentResult) -> Iterator[Block]:
    """The assumption ledger: what the result rests on, and the checks that go with it."""
    ledger = assumption_table(result)
    ledger["verdict"] = ledger["level"].map(lambda level: " ".join(LEVELS[level])) + ": " + ledger["verdict"]
    shown = ledger.drop(columns="level")
    stated, checks = ledger.iloc[0], shown.iloc[1:]
    yield paragraph(f"{stated['cause']} {stated['next_step']}")
    if checks.empty:
        yield paragraph("Nothing about this can be checked with these data.", "note")
        return
    yield table(checks, "Checks that could contradict it; passing them is no proof", MOST_ROWS)


def issued_warnings(result: AdjustmentResult) -> Iterator[Block]:
    """Every warning issued during the analysis."""
    yield bullets(result.warnings) if result.warnings else paragraph("None.")


def manifest(result: AdjustmentResult) -> Iterator[Block]:
    """What is needed to run it again."""
    yield facts(result.manifest) if result.manifest else paragraph("None was kept.", "note")


#: In the order of the page.
SECTIONS = (
    Section("Summary", "summary", summary),
    Section("Features", "features", features),
    Section("P-values", "calibration", calibration),
    Section("Effects", "effects", effects),
    Section("Samples before and after", "samples", components),
    Section("Number of factors", "factors", number_of_factors),
    Section("Confounding", "confounding", confounding),
    Section("What the factors are", "covariates", known_covariates),
    Section("Study and design", "design", study),
    Section("Degrees of freedom", "budget", budget),
    Section("Method and assumption", "method", method),
    Section("Assumptions", "assumptions", assumptions),
    Section("Warnings", "warnings", issued_warnings),
    Section("Manifest", "manifest", manifest),
)


def _grid_caption(term: str, names: list[str]) -> str:
    return f"Results for {term}" + (f": joint F test of {len(names)} columns" if len(names) > 1 else "")


def _by_evidence(table: pd.DataFrame) -> pd.DataFrame:
    """Smallest p-value first; a column of notes only where there is a note."""
    kept = table if (table["note"].fillna("") != "").any() else table.drop(columns="note")
    return kept.sort_values("p_value", kind="stable", na_position="last")


def _draw_scree(result: AdjustmentResult, ax: Any) -> None:
    plots.scree(result, ax)


def _draw_heatmap(result: AdjustmentResult, ax: Any) -> None:
    plots.factor_heatmap(result, ax=ax)


def _draw_histogram(result: AdjustmentResult, name: str, ax: Any) -> None:
    plots.pvalue_histogram(result, name, ax)


def _draw_volcano(result: AdjustmentResult, name: str, ax: Any) -> None:
    plots.volcano(result, name, ax)


def _draw_effects(result: AdjustmentResult, name: str, ax: Any) -> None:
    plots.effects(result, name, ax=ax)


def _draw_components(result: AdjustmentResult, found: dict[str, Components], name: str | None, axes: Any) -> None:
    draw_components(result, found, name, list(axes))
