"""A page per method, written before Sphinx reads its sources; everything comes from the classes themselves."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from numpydoc.docscrape import ClassDoc

from latentadj.catalogue import method_card
from latentadj.factors import METHODS, LatentFactorEstimator

FOLDER = "method_cards"
#: Columns of a validity table that are shown beside the method's own.
BESIDE = ("oracle", "none")
_FACTS = ("Reference", "Identified by", "Kind of assumption", "Needs", "Data", "Valid for testing", "Memory")


@dataclass(frozen=True)
class Table:
    """A table of a Markdown page: the heading above it, its head and its rows."""

    title: str
    head: list[str]
    rows: list[list[str]]


def write_method_cards(source: Path) -> list[Path]:
    """Write ``method_cards/NAME.md`` for every method; pages of methods that are gone are removed.

    Parameters
    ----------
    source : Path
        Folder of the documentation.

    Returns
    -------
    list of Path
    """
    folder = source / FOLDER
    folder.mkdir(exist_ok=True)
    tables = list(markdown_tables((source / "validity.md").read_text(encoding="utf-8")))
    written = []
    for cls in METHODS:
        path = folder / f"{cls.method_info.name}.md"
        text = card_page(cls, tables)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
        written.append(path)
    for path in set(folder.glob("*.md")) - set(written):
        path.unlink()
    return written


def card_page(cls: type[LatentFactorEstimator], tables: list[Table]) -> str:
    """Return the page of one method as MyST Markdown."""
    info, card, doc = cls.method_info, method_card(cls.method_info.name), ClassDoc(cls)
    parts = [f"# {info.title}", f'`method="{info.name}"`, class `{cls.__name__}`. {info.summary}']
    parts.append(pipe_table(["", ""], [[f"**{name}**", card[name]] for name in _FACTS]))
    if info.cautions:
        parts += ["## Cautions", "\n".join(f"- {text}" for text in info.cautions)]
    parts += ["## Options", options(doc)]
    if doc["Notes"]:
        parts += ["## How it works", restructured(doc["Notes"])]
    if doc["References"]:
        parts += ["## References", restructured(doc["References"])]
    parts += ["## Example", call(cls), fenced("pycon", "\n".join(doc["Examples"]))]
    if info.not_promised:
        parts += ["## What it cannot promise", not_promised(cls)]
    parts += validity(info.name, tables)
    return "\n\n".join(part for part in parts if part.strip()) + "\n"


def options(doc: ClassDoc) -> str:
    """Return the constructor's parameters as a definition list in reStructuredText."""
    lines = []
    for parameter in doc["Parameters"]:
        kind = f" : *{parameter.type}*" if parameter.type else ""
        lines.append(f"``{parameter.name}``{kind}")
        lines += [f"    {line}" for line in parameter.desc or ["\\"]]
        lines.append("")
    return restructured(lines)


def call(cls: type[LatentFactorEstimator]) -> str:
    """Return a call of `adjust` with everything that the method needs."""
    info = cls.method_info
    data = "counts" if info.input_scale == "counts" else "X"
    needs = "".join(f", {need}={need}" for need in info.needs)
    invalid = "" if info.valid_for_testing else ", allow_invalid=True"
    return fenced("python", f'la.adjust({data}, "~ disease | age", samples, method="{info.name}"{needs}{invalid})')


def not_promised(cls: type[LatentFactorEstimator]) -> str:
    """Return what cannot hold by definition, with the reasons."""
    return "\n".join(f"- `{name}`: {reason}" for name, reason in cls.method_info.not_promised.items())


def validity(name: str, tables: list[Table]) -> list[str]:
    """Return the parts of the validity page that are about a method: its columns, or its row."""
    parts = []
    for table in tables:
        own = [i for i, label in enumerate(table.head) if i and label in (name, f"{name}, true k")]
        rows = [row for row in table.rows if row and row[0].strip("`") == name]
        if own:
            chosen = [0, *(i for i, label in enumerate(table.head) if i and label in BESIDE and i not in own), *own]
            parts += [f"### {table.title}", pipe_table(*_columns(table, chosen))]
        elif rows:
            parts += [f"### {table.title}", pipe_table(table.head, rows)]
    return ["## Error rates in simulated studies", "From [](../validity.md).", *parts] if parts else []


def _columns(table: Table, chosen: list[int]) -> tuple[list[str], list[list[str]]]:
    rows = [[row[i] for i in chosen] for row in table.rows if len(row) == len(table.head)]
    return [table.head[i] for i in chosen], rows


def markdown_tables(text: str) -> Iterator[Table]:
    """Yield every pipe table of a Markdown page."""
    title, block = "", list[str]()
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            block.append(line)
            continue
        if len(block) > 2:
            head, _, *rows = (_cells(row) for row in block)
            yield Table(title, head, rows)
        block = []
        if line.startswith("#"):
            title = line.lstrip("# ")


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def pipe_table(head: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def restructured(lines: list[str]) -> str:
    """Return lines of a docstring as they are, for the parser they were written for."""
    return fenced("{eval-rst}", textwrap.dedent("\n".join(lines)).strip("\n"))


def fenced(kind: str, text: str) -> str:
    """Return a fenced block; empty for an empty text."""
    return f"```{kind}\n{text.strip(chr(10))}\n```" if text.strip() else ""
