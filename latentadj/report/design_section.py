"""What was measured and the design: roles, cells without samples, columns that others determine."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pandas as pd

from latentadj import plots
from latentadj.diagnostics import connection_check, sample_counts
from latentadj.diagnostics.covariates import read_covariate
from latentadj.exceptions import InputError
from latentadj.report.block import Block
from latentadj.report.elements import MOST_ROWS, bullets, facts, paragraph, subheading, table
from latentadj.report.pictures import picture
from latentadj.results import AdjustmentResult
from latentadj.results.noise import noise_facts

#: Cross tables that are shown, and levels of each of their sides.
MOST_TABLES, MOST_LEVELS = 4, 12


def study(result: AdjustmentResult) -> Iterator[Block]:
    """What was measured and the design that was used.

    Parameters
    ----------
    result : AdjustmentResult

    Yields
    ------
    Block
    """
    design = result.design
    yield facts(
        {
            "Formula": design.formula or "given as columns",
            "Samples": f"{result.n_samples:,}",
            "Features": f"{result.n_features:,}",
            "Tested": ", ".join(result.tests.names) or "nothing",
            **noise_facts(result),
        }
    )
    covariates = design.summary()
    if len(covariates):
        yield table(covariates.dropna(axis="columns", how="all"), "Covariates of the formula, as they were read")
    columns = pd.DataFrame({"column": design.names, "role": design.roles, "formula term": design.terms})
    yield table(columns, "Columns of the design, without factors", MOST_ROWS)
    if design.aliases:
        yield paragraph("Columns that others determine; they were set aside:")
        yield bullets(design.aliases)
    yield from _correlations(result)
    yield from _cells(result)


def _correlations(result: AdjustmentResult) -> Iterator[Block]:
    width = min(len(result.full_design.names), plots.design.MOST_COLUMNS)
    if width < 3:
        return
    caption = (
        "Correlations of the design's columns and the hidden factors. Tested columns carry an asterisk: the stronger "
        "the colours of their row, the more of their effect cannot be told from that of another column."
    )
    draw = partial(_draw_correlation, result)
    size = (3.4 + 0.4 * width, 2.2 + 0.36 * width)
    yield picture(draw, size, "Correlations of the columns of the design and of the hidden factors", caption=caption)


def _draw_correlation(result: AdjustmentResult, ax: Any) -> None:
    plots.design_correlation(result, ax)


def _cells(result: AdjustmentResult) -> Iterator[Block]:
    """Samples in every cell of a tested covariate and another one."""
    tables = list(_counts(result))[:MOST_TABLES]
    if tables:
        yield subheading("Samples in each cell")
    for counts in tables:
        check = connection_check(counts)
        outside = counts.columns.name not in _named(result)
        caption = f"{counts.index.name} against {counts.columns.name}{', which is not in the formula' * outside}"
        yield table(_marked(counts), caption)
        lead = f"If {counts.columns.name} joined the formula: " if outside else ""
        yield paragraph(lead + (f"{check.cause} {check.next_step}" if check.level != "ok" else check.cause))


def _counts(result: AdjustmentResult) -> Iterator[pd.DataFrame]:
    data = result.sample_data
    if data is None:
        return
    kinds = {str(name): read_covariate(data[name], str(name)).kind for name in data.columns}
    named = [name for name in _named(result) if kinds.get(name) == "categorical"]
    others = [name for name, kind in kinds.items() if kind == "categorical" and name not in named]
    tested = [name for name in named if name in _tested_variables(result)]
    for i, name in enumerate(tested):
        for other in [*(n for n in named if n not in tested[: i + 1]), *others]:
            try:
                counts = sample_counts(result, name, other)
            except InputError:  # too many distinct numbers for a table
                continue
            if max(counts.shape) <= MOST_LEVELS:
                yield counts


def _marked(counts: pd.DataFrame) -> pd.DataFrame:
    """Counts as text with empty cells in words, and the labels of the rows as a column."""
    cells = counts.astype(str).mask(counts == 0, "empty")
    cells.columns = pd.Index([f"{counts.columns.name}: {level}" for level in counts.columns])
    cells.insert(0, str(counts.index.name), counts.index.astype(str))
    return cells


def _named(result: AdjustmentResult) -> list[str]:
    return list(dict.fromkeys(name for names in result.design.variables for name in names))


def _tested_variables(result: AdjustmentResult) -> set[str]:
    design = result.design
    return {
        name for names, role in zip(design.variables, design.roles, strict=True) if role == "primary" for name in names
    }
