"""Blocks of text and small tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from latentadj.report.block import Block
from latentadj.report.markup import column_kind, escape, heading, shown

#: Longer tables are cut; the files beside the page have everything.
MOST_ROWS = 60


def paragraph(text: str, css_class: str = "") -> Block:
    """Return a paragraph of plain text.

    Parameters
    ----------
    text : str
    css_class : str
        ``"note"`` for remarks.

    Returns
    -------
    Block

    Examples
    --------
    >>> paragraph("p < 0.05").html
    '<p>p &lt; 0.05</p>'
    """
    mark = f' class="{css_class}"' if css_class else ""
    return Block(f"<p{mark}>{escape(text)}</p>", text)


def subheading(text: str) -> Block:
    """Return a heading inside a section.

    Parameters
    ----------
    text : str

    Returns
    -------
    Block

    Examples
    --------
    >>> subheading("a & b").html
    '<h3>a &amp; b</h3>'
    """
    return Block(f"<h3>{escape(text)}</h3>")


def bullets(items: Iterable[object]) -> Block:
    """Return a list of plain texts.

    Parameters
    ----------
    items : iterable

    Returns
    -------
    Block

    Examples
    --------
    >>> bullets(["a & b"]).html
    '<ul><li>a &amp; b</li></ul>'
    """
    texts = [str(item) for item in items]
    return Block(f"<ul>{''.join(f'<li>{escape(text)}</li>' for text in texts)}</ul>", texts)


def table(frame: pd.DataFrame, caption: str = "", rows: int | None = None) -> Block:
    """Lay a frame out as a table without its index, numbers to the right.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns whose name starts with ``p`` and an underscore or equals ``p`` hold p-values.
    caption : str
    rows : int, optional
        Show this many at most, and say how many there are. The values kept are always complete.

    Returns
    -------
    Block

    Examples
    --------
    >>> '<td>&lt;b&gt;</td><td class="n">0.5</td>' in table(pd.DataFrame({"feature": ["<b>"], "p": [0.5]})).html
    True
    """
    cut = frame if rows is None else frame.head(rows)
    if len(cut) < len(frame):
        caption = f"{caption} (first {len(cut)} of {len(frame):,})".strip()
    kinds = [column_kind(str(name), frame[name]) for name in frame.columns]
    body = "".join(f"<tr>{row}</tr>" for row in table_rows(cut, kinds))
    return Block(framed_table(table_head(frame.columns, kinds), body, caption), _table_values(frame, caption))


def table_head(names: Iterable[object], kinds: Iterable[str]) -> str:
    """Return the cells of a head row.

    Parameters
    ----------
    names : iterable
    kinds : iterable of str
        From `markup.column_kind`.

    Returns
    -------
    str

    Examples
    --------
    >>> table_head(["p_value"], ["p"])
    '<th scope="col" class="n">p value</th>'
    """
    pairs = zip(names, kinds, strict=True)
    return "".join(f'<th scope="col"{_align(kind)}>{escape(heading(name))}</th>' for name, kind in pairs)


def table_rows(frame: pd.DataFrame, kinds: Iterable[str]) -> list[str]:
    """Return the cells of every row.

    Parameters
    ----------
    frame : pandas.DataFrame
    kinds : iterable of str
        From `markup.column_kind`, one per column.

    Returns
    -------
    list of str

    Examples
    --------
    >>> table_rows(pd.DataFrame({"a": ["x"], "b": [0.25]}), ["text", "number"])
    ['<td>x</td><td class="n">0.25</td>']
    """
    columns = [
        [f"<td{_align(kind)}>{escape(shown(value, kind))}</td>" for value in frame.iloc[:, i]]
        for i, kind in enumerate(kinds)
    ]
    return ["".join(cells) for cells in zip(*columns, strict=True)]


def framed_table(head: str, body: str, caption: str) -> str:
    """Return a table that scrolls by itself when it is wider than the page, with the keyboard too.

    Parameters
    ----------
    head, body : str
        Ready cells and rows.
    caption : str

    Returns
    -------
    str

    Examples
    --------
    >>> framed_table("<th>a</th>", "", "").startswith('<div class="scroll" role="region" aria-label="Table"')
    True
    """
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f'<div class="scroll" role="region" aria-label="{escape(caption or "Table")}" tabindex="0">'
        f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def facts(pairs: Mapping[str, object]) -> Block:
    """Lay names and values out in two columns; nested mappings and lists are flattened.

    Parameters
    ----------
    pairs : mapping of str to object

    Returns
    -------
    Block

    Examples
    --------
    >>> facts({"a": {"b": 1}}).html
    '<table class="facts"><tbody><tr><th scope="row">a: b</th><td>1</td></tr></tbody></table>'
    """
    rows = (f'<tr><th scope="row">{escape(n)}</th><td>{escape(v)}</td></tr>' for n, v in _flat(pairs))
    return Block(f'<table class="facts"><tbody>{"".join(rows)}</tbody></table>', dict(pairs))


def side_by_side(blocks: Iterable[Block]) -> Block:
    """Put blocks beside each other where there is room.

    Parameters
    ----------
    blocks : iterable of Block

    Returns
    -------
    Block

    Examples
    --------
    >>> side_by_side([Block("<p>a</p>"), Block("<p>b</p>")]).html
    '<div class="row"><p>a</p><p>b</p></div>'
    """
    kept = list(blocks)
    values = [block.values for block in kept if block.values is not None]
    return Block(f'<div class="row">{"".join(block.html for block in kept)}</div>', values or None)


def _table_values(frame: pd.DataFrame, caption: str) -> dict[str, Any]:
    columns = [str(name) for name in frame.columns]
    return {"caption": caption, "columns": columns, "rows": frame.astype(object).to_numpy().tolist()}


def _align(kind: str) -> str:
    return "" if kind == "text" else ' class="n"'


def _flat(pairs: Mapping[str, object], prefix: str = "") -> Iterable[tuple[str, str]]:
    for name, value in pairs.items():
        label = f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{label}: ")
        elif isinstance(value, list | tuple):
            yield label, ", ".join(map(str, value))
        else:
            yield label, str(value)
