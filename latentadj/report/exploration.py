"""The page of an exploration: what there is to see before any adjustment."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from latentadj import plots
from latentadj.diagnostics import Exploration, sample_counts
from latentadj.diagnostics.component_covariates import leading_components
from latentadj.diagnostics.components import components_of
from latentadj.plots.component_heatmap import draw_associations, draw_relations
from latentadj.plots.components import draw_components
from latentadj.plots.design import MOST_COLUMNS
from latentadj.plots.style import require_matplotlib
from latentadj.report.block import Block
from latentadj.report.elements import MOST_ROWS, bullets, facts, paragraph, subheading, table
from latentadj.report.files import write_page
from latentadj.report.page import Page
from latentadj.report.pictures import picture
from latentadj.report.section import Section
from latentadj.report.verdict_lines import Verdict, verdict_lines

#: Covariates that samples are coloured by, and pairs whose cells are counted.
MOST_COLOURS, MOST_PAIRS = 4, 4
#: Levels of a covariate in a table of cells.
MOST_LEVELS = 15

#: What the files beside the page hold.
TABLES = {
    "columns": "the columns of the sample table",
    "levels": "relative log expression, a row per sample",
    "components": "scores of the samples on the leading components",
    "associations": "components and covariates, a row per pair",
    "relations": "pairs of covariates",
    "variance": "shares of the variation of the average feature",
    "pvca": "shares of the variation of the leading components",
    "drift": "components along the order of the runs",
    "design": "correlations of the columns of the design",
}


def write_exploration(
    found: Exploration,
    path: str | os.PathLike[str] = "explore.html",
    *,
    linked: Sequence[tuple[str, str]] | None = None,
) -> Path:
    """Write the page of an exploration, and its tables beside it.

    Parameters
    ----------
    found : Exploration
    path : path, default="explore.html"
        An earlier file is replaced when the new one is complete; a missing folder is made.
    linked : sequence of (str, str), optional
        Names of files in the same folder that hold the tables already, each with what it holds: they are linked, and
        nothing is written but the page.

    Returns
    -------
    pathlib.Path
        Of the page.

    Raises
    ------
    MissingExtraError
        Without Matplotlib; nothing is written then.
    OutputError
        When a file cannot be written; earlier ones are then as they were.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from latentadj.diagnostics import explore
    >>> table = pd.DataFrame({"group": list("ab") * 6, "plate": list("aabb") * 3})
    >>> found = explore(np.random.default_rng(0).normal(size=(12, 50)), table)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_exploration(found, Path(folder, "explore.html"))
    ...     path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    True
    """
    tables = {name: (frame, TABLES[name]) for name, frame in found.tables.items()}
    return write_page(exploration_page(found), path, tables, linked=linked)


def exploration_page(found: Exploration) -> Page:
    """Make the page of an exploration, with its texts and numbers.

    Parameters
    ----------
    found : Exploration

    Returns
    -------
    Page

    Raises
    ------
    MissingExtraError
        Without Matplotlib.

    Examples
    --------
    >>> import numpy as np
    >>> from latentadj.diagnostics import explore
    >>> table = pd.DataFrame({"group": list("ab") * 6, "plate": list("aabb") * 3})
    >>> page = exploration_page(explore(np.random.default_rng(0).normal(size=(12, 50)), table))
    >>> page.parts[0][0]
    'Summary'
    """
    require_matplotlib("matplotlib.figure")
    n, m = found.shape
    lead = f"{m:,} features in {n:,} samples, before any adjustment; nothing is tested here."
    return Page.build("latentadj exploration", "What the data show", lead, _sections(found), found)


def summary(found: Exploration) -> Iterator[Block]:
    """Verdict lines in plain language, and how the input was read."""
    yield verdict_lines(Verdict(c.level, _sentence(c.name), f"{c.cause} {c.next_step}".strip()) for c in found.findings)
    if found.notes:
        yield paragraph("How the input was read:")
        yield bullets(found.notes)


def suggestion(found: Exploration) -> Iterator[Block]:
    """A formula to begin with, and the next command."""
    if not found.suggestion.formula:
        yield bullets(found.suggestion.reasons)
        return
    yield facts({"Formula": found.suggestion.formula, "Command": found.command()})
    yield bullets(found.suggestion.reasons or ["No covariate beside it has to be adjusted for."])
    yield paragraph(
        "A suggestion from names and from what the samples follow, no more: whether a covariate is to be adjusted for "
        "is a question of what causes what. Hidden factors are estimated beside it.",
        "note",
    )


def sample_table(found: Exploration) -> Iterator[Block]:
    """The columns of the sample table."""
    yield table(found.tables["columns"], "The sample table, as it was read", MOST_ROWS)


def levels(found: Exploration) -> Iterator[Block]:
    """Relative log expression."""
    caption = (
        "Deviations from the median of every feature: boxes hold the middle half of the features. Boxes at different "
        "heights or of different widths show unwanted variation."
    )
    colours = _colours(found)
    draw = partial(_rle, found, colours[0] if colours else None)
    yield picture(draw, (8.4, 3.8), "Relative log expression of every sample", caption=caption)


def samples(found: Exploration) -> Iterator[Block]:
    """Samples on their first two components, by the covariates that they follow most."""
    yield paragraph("Samples that lie together are alike in most features.")
    components = {"before": components_of(found.study)}
    names: list[str | None] = [*_colours(found)]
    for name in names or [None]:
        alt = f"Samples on their first two components, by {name or 'no covariate'}"
        yield picture(partial(_pca, found, components, name), (6.6, 4.0), alt)
    yield picture(partial(_dendrogram, found), (8.4, 4.2), "Clustering of the samples, with their covariates")


def sources(found: Exploration) -> Iterator[Block]:
    """What components follow, and sources of variation."""
    pairs = found.tables["associations"]
    used = pairs[pairs["statistic"].notna()]
    rows, columns = used["covariate"].nunique(), pairs["component"].nunique()
    size = (max(3.0 + 0.6 * columns, 5.0), 1.8 + 0.34 * min(max(rows, 1), 20))
    draw = partial(_associations, found)
    yield picture(draw, size, "Share of each component that each covariate explains")
    best = used.sort_values("p_adjusted", kind="stable")
    columns_shown = ["component", "share", "covariate", "kind", "statistic", "p_value", "p_adjusted"]
    yield table(best[columns_shown], "Components and covariates, smallest p-values first", 20)
    for name, value, caption in (("variance", "mean", "Average feature"), ("pvca", "share", "Leading components")):
        if name in found.tables:
            frame = found.tables[name]
            size = (6.6, 1.4 + 0.36 * min(len(frame), 18))
            yield picture(partial(_bars, found, name), size, f"Sources of variation: {caption.lower()}")
            yield table(frame[["term", "df", value, "chance", "n_obs"]], f"{caption}: shares of the variation")


def covariates(found: Exploration) -> Iterator[Block]:
    """Which covariates go together, and the cells of those that cannot be told apart."""
    pairs = found.tables["relations"]
    if pairs.empty:
        yield paragraph("Fewer than two columns of the sample table can be used.", "note")
        return
    count = min(len(set(pairs["covariate"]) | set(pairs["other"])), 20)
    draw = partial(_relations, found)
    caption = "An asterisk marks pairs that cannot be told apart: one lies within the other, or levels share no sample."
    yield picture(draw, (2.8 + 0.5 * count, 2.0 + 0.36 * count), "How covariates go together", caption=caption)
    yield table(pairs.drop(columns="p_adjusted"), "Pairs of covariates, strongest first", 20)
    yield from _cells(found, pairs)


def design(found: Exploration) -> Iterator[Block]:
    """The design of the formula that was given."""
    if found.design is None:
        yield paragraph("The design of the formula cannot be built; see the summary.", "note")
        return
    described = found.design.summary()
    yield facts({"Formula": found.formula or "", "Rank": found.design.rank, "Samples": found.design.n_samples})
    yield table(described.dropna(axis="columns", how="all"), "Covariates of the formula, as they were read")
    if found.design.aliases:
        yield paragraph("Columns that others determine:")
        yield bullets(found.design.aliases)
    width = min(len(found.design.names), MOST_COLUMNS)
    if width >= 3:
        size = (3.4 + 0.4 * width, 2.2 + 0.36 * width)
        yield picture(partial(_design, found), size, "Correlations of the columns of the design")


def run_order(found: Exploration) -> Iterator[Block]:
    """Components along the order or date of the runs."""
    drift = found.tables["drift"]
    order = str(drift["order"].iloc[0])
    yield picture(partial(_run_order, found, order), (6.8, 3.8), f"The component that drifts most along {order}")
    yield table(drift, f"Components along {order}")


def _sections(found: Exploration) -> list[Section]:
    """Parts of the page, without those that the data do not allow."""
    parts: list[tuple[str, str, Callable[[Any], Iterator[Block]], bool]] = [
        ("Summary", "summary", summary, True),
        ("Suggested formula", "formula", suggestion, True),
        ("Sample table", "table", sample_table, True),
        ("Covariates together", "covariates", covariates, True),
        ("Design", "design", design, found.formula is not None),
        ("Levels of the samples", "levels", levels, True),
        ("Samples", "samples", samples, True),
        ("Sources of variation", "sources", sources, True),
        ("Run order", "order", run_order, "drift" in found.tables),
    ]
    return [Section(title, anchor, body) for title, anchor, body, wanted in parts if wanted]


def _colours(found: Exploration) -> list[str]:
    """Covariates that the first two components follow most."""
    pairs = found.tables["associations"]
    first = set(leading_components(found.study, n_components=2)[0].columns)
    followed = pairs[pairs["component"].isin(first) & pairs["statistic"].notna()]
    weight = (followed["share"] * followed["statistic"]).groupby(followed["covariate"]).sum()
    return [str(name) for name in weight.sort_values(ascending=False, kind="stable").index[:MOST_COLOURS]]


def _cells(found: Exploration, pairs: pd.DataFrame) -> Iterator[Block]:
    """Samples of each pair of levels, for pairs of labels that cannot be told apart or go together."""
    labels = pairs[(pairs["measure"] == "Cramér’s V") & (pairs["verdict"] != "complete")].head(MOST_PAIRS)
    for row in labels.itertuples():
        counts = sample_counts(found.study.sample_data, str(row.covariate), str(row.other))
        if max(counts.shape) > MOST_LEVELS:
            continue
        yield subheading(f"{row.covariate} and {row.other}: {row.words}")
        named = counts.rename_axis(None, axis="columns").reset_index()
        yield table(named, f"Samples of each level of {row.covariate} (rows) and {row.other} (columns)")


def _sentence(name: str) -> str:
    return name[:1].upper() + name[1:]


def _rle(found: Exploration, batch: str | None, ax: Any) -> None:
    plots.rle(found.study, batch=batch, ax=ax)


def _pca(found: Exploration, components: Any, color: str | None, ax: Any) -> None:
    draw_components(found.study, components, color, [ax])


def _dendrogram(found: Exploration, ax: Any) -> None:
    plots.dendrogram(found.study, ax=ax)


def _associations(found: Exploration, ax: Any) -> None:
    draw_associations(found.tables["associations"], ax)


def _bars(found: Exploration, name: str, ax: Any) -> None:
    terms = [term for term in found.tables[name]["term"] if term not in ("shared", "residuals")]
    draw = plots.variance_bars if name == "variance" else plots.pvca
    draw(found.study, terms=terms, ax=ax)


def _relations(found: Exploration, ax: Any) -> None:
    draw_relations(found.tables["relations"], list(found.tables["columns"]["column"]), ax)


def _design(found: Exploration, ax: Any) -> None:
    if found.design is not None:
        plots.design_correlation(found.design, ax)


def _run_order(found: Exploration, order: str, ax: Any) -> None:
    plots.run_order(found.study, order, ax=ax)
