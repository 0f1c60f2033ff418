"""The report of a method comparison, and of a check with variables that have no effect."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from latentadj.compare import Comparison, NullCheck
from latentadj.compare.comparison import GROUPED, MEASURED_ON_MACHINE
from latentadj.plots.comparison import comparison_metric, null_histogram, power_fdp
from latentadj.plots.style import require_matplotlib
from latentadj.report.block import Block
from latentadj.report.elements import facts, paragraph, subheading, table
from latentadj.report.files import write_page
from latentadj.report.grid import grid
from latentadj.report.page import Page
from latentadj.report.pictures import picture
from latentadj.report.section import Section
from latentadj.report.verdict_lines import Verdict, verdict_lines

Linked = Sequence[tuple[str, str]]

#: Metrics that get a picture, with how to read it.
_PICTURES = {
    "type1_05": "Share of the features without effect with a p-value below 0.05. To the right of the line p-values are "
    "too small.",
    "fdp": "Share of false ones among the discoveries. To the right of the line there are more than were asked for.",
    "recovery": "Mean squared cosine of the principal angles between true and estimated factors.",
    "cpu_seconds": "CPU time of an analysis on one thread, the choice of the number of factors included.",
}
_ERRORS = ["n_ok", "n_failed", "type1_05", "type1_01", "type1_001", "fdp", "power", "auc", "auprc"]
_CALIBRATION = ["inflation", "median_z", "mad_z", "shape", "coverage", "bias", "rmse"]
_FACTORS = ["n_factors", "k_error", "abs_k_error", "recovery", "largest_angle", "jaccard"]
_CONTROLS = ["controls_below_05", "control_uniformity", "positives_found", "positive_auc"]


def write_comparison_report(
    comparison: Comparison, path: str | os.PathLike[str] = "comparison.html", *, linked: Linked | None = None
) -> Path:
    """Write the report of a comparison, and its numbers as files beside it.

    Parameters
    ----------
    comparison : Comparison
    path : path, default="comparison.html"
    linked : sequence of (str, str), optional
        Files in the same folder that hold the numbers already; see `latentadj.report.files.write_page`.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    MissingExtraError
        Without Matplotlib.
    OutputError
        When a file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from latentadj.compare import compare
    >>> from latentadj.simulation import Scenario
    >>> small = Scenario("small", n_samples=20, n_features=200, n_factors=1)
    >>> found = compare(["none", "cate"], [small], "errors", n_repeats=2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_comparison_report(found, Path(folder, "c.html"))
    ...     sorted(p.name for p in Path(folder, "c_files").iterdir())
    ['cells.tsv', 'report.json', 'summary.tsv']
    """
    require_matplotlib("matplotlib.figure")
    page = Page.build(
        "latentadj: method comparison",
        "Method comparison",
        f"{len(comparison.scenarios)} scenarios, {comparison.n_repeats} studies each, {len(comparison.methods)} "
        "methods; every method saw the same studies.",
        _SECTIONS,
        comparison,
    )
    tables = {
        "summary": (comparison.summary(), "means over the studies of a scenario"),
        "cells": (comparison.frame, "a row per study, method and rule"),
    }
    return write_page(page, path, tables, linked=linked)


def write_null_check_report(
    check: NullCheck, path: str | os.PathLike[str] = "null_check.html", *, linked: Linked | None = None
) -> Path:
    """Write the report of a check with variables that have no effect.

    Parameters
    ----------
    check : NullCheck
    path : path, default="null_check.html"
    linked : sequence of (str, str), optional

    Returns
    -------
    pathlib.Path

    Raises
    ------
    MissingExtraError
        Without Matplotlib.
    OutputError
        When a file cannot be written.
    """
    require_matplotlib("matplotlib.figure")
    result = check.result
    lead = (
        f"{result.method_title} on {result.n_samples} samples x {result.n_features:,} features, with variables "
        "that have no effect in place of the tested one."
    )
    title = "Can these p-values be trusted?"
    page = Page.build(f"latentadj: {title}", title, lead, [Section("Answer", "answer", _null_body)], check)
    tables = {"null_check": (check.frame, "a row per variable"), "summary": (check.summary(), "means by kind")}
    return write_page(page, path, tables, linked=linked)


def _null_body(check: NullCheck) -> Iterator[Block]:
    yield verdict_lines([Verdict("ok" if check.trusted else "warning", "P-values", check.verdict)])
    yield table(check.summary(), "Type-I error over variables without effect")
    n_kinds = max(check.summary()["n_ok"].gt(0).sum(), 1)
    yield picture(
        lambda axes: null_histogram(check, axes), (4.2 * n_kinds, 3.1), "histograms of null p-values", columns=n_kinds,
        caption="All p-values of all variables without effect together. The line is what right p-values give.",
    )  # fmt: skip
    yield paragraph(
        "Independent variables have the values and group sizes of the tested one, at random. Confounded ones also "
        f"share variation with the estimated hidden factors (R2 {check.confounding:.2f}), as the tested one does. What "
        "is not shown: hidden variation that the analysis did not find, and the assumption on true effects.",
        "note",
    )


def _answers(comparison: Comparison) -> Iterator[Block]:
    summary = comparison.summary()
    lines = []
    for method, cells in summary.groupby("method", sort=False):
        bad = cells[~cells["verdict"].isin(["holds", "-"])]
        names = ", ".join(f"{row.scenario} ({row.verdict})" for row in bad.itertuples())
        if len(bad):
            lines.append(Verdict("warning", str(method), f"In {len(bad)} of {len(cells)} scenarios: {names}."))
        elif (cells["verdict"] == "-").all():
            lines.append(Verdict("note", str(method), "No truth to hold it against; see the controls."))
        else:
            lines.append(Verdict("ok", str(method), "Type-I error and false discoveries are what they should be."))
    yield verdict_lines(lines)
    yield paragraph(
        "A method is marked when its type-I error at level 0.05 is above 0.06, or its false discovery proportion above "
        f"{comparison.fdr:g}, beyond the one-sided 99 % limit over the studies.",
        "note",
    )
    failures = comparison.failures()
    if len(failures):
        yield table(failures, "Analyses that failed", 40)


def _pictures(comparison: Comparison) -> Iterator[Block]:
    summary = comparison.summary()
    height = 1.2 + 0.34 * comparison.table(comparison.metrics[0]).shape[1]
    yield picture(
        lambda ax: power_fdp(comparison, ax), (7.5, 4.6), "power against false discovery proportion",
        caption="Up and to the left is better.",
    )  # fmt: skip
    for metric, caption in _PICTURES.items():
        if metric in summary and summary[metric].notna().any():
            yield picture(
                _drawing(comparison, metric), (7.5, height), f"{metric} by method and scenario", caption=caption
            )


def _drawing(comparison: Comparison, metric: str):  # type: ignore[no-untyped-def]
    return lambda ax: comparison_metric(comparison, metric, ax)


def _tables(comparison: Comparison) -> Iterator[Block]:
    summary = comparison.summary()
    groups = {"Errors and power": _ERRORS, "Calibration and intervals": _CALIBRATION, "Factors": _FACTORS,
              "Controls": _CONTROLS, "Cost": list(MEASURED_ON_MACHINE)}  # fmt: skip
    for title, columns in groups.items():
        present = [name for name in columns if name in summary and summary[name].notna().any()]
        if present:
            yield subheading(title)
            yield grid(summary[[*GROUPED, *present]], title)


def _made(comparison: Comparison) -> Iterator[Block]:
    yield facts(
        {
            "Seed": comparison.seed,
            "Studies per scenario": comparison.n_repeats,
            "Discoveries at a false discovery rate of": comparison.fdr,
            "Groups of metrics": ", ".join(comparison.groups),
        }
    )
    yield table(_settings(comparison.scenarios), "Scenarios, where they differ from the defaults", 60)
    yield table(_settings(comparison.methods), "Methods", 60)


def _settings(about: object) -> pd.DataFrame:
    items = dict(about).items()  # type: ignore[call-overload]
    text = {name: ", ".join(f"{key}={_short(value)}" for key, value in given.items() if value) for name, given in items}
    return pd.DataFrame({"name": list(text), "settings": list(text.values())})


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


_SECTIONS = (
    Section("Answer", "answer", _answers),
    Section("Pictures", "pictures", _pictures),
    Section("Tables", "tables", _tables),
    Section("How it was made", "made", _made),
)
