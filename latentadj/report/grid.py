"""Tables that are sorted, searched and turned page by page in the browser."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pandas as pd

from latentadj.report.block import Block
from latentadj.report.elements import framed_table, table_head, table_rows
from latentadj.report.markup import column_kind, escape, heading, readable

#: Rows of a page, and rows that a page without scripts shows.
PAGE_ROWS = 25
#: Digits kept in the page; files beside it have all.
DIGITS = 6


def grid(frame: pd.DataFrame, caption: str, *, sorted_by: str = "", n_total: int | None = None) -> Block:
    """Return a table of up to tens of thousands of rows that is sorted and searched in the browser.

    Parameters
    ----------
    frame : pandas.DataFrame
        In the order in which it is shown first. Columns are shown as by `elements.table`.
    caption : str
    sorted_by : str
        The column by which the rows are in ascending order.
    n_total : int, optional
        How many rows there are in all, when the frame holds only the first of them.

    Returns
    -------
    Block
        The rows are JSON inside the page, and only those of the current page are elements. Without scripts, in print
        and for search engines of the browser the first rows are an ordinary table. `values` holds no rows: a table of
        this size is a file of its own.

    Notes
    -----
    Numbers keep six significant digits. Missing ones come last in either direction; ties keep the order of the frame.

    Examples
    --------
    >>> block = grid(pd.DataFrame({"feature": ["</script>"], "p": [0.5]}), "Results", sorted_by="p")
    >>> block.html.count("</script>"), block.values
    (1, {'caption': 'Results', 'rows_in_page': 1, 'rows': 1})
    """
    kinds = [column_kind(str(name), frame[name]) for name in frame.columns]
    body = "".join(f"<tr>{row}</tr>" for row in table_rows(frame.head(PAGE_ROWS), kinds))
    static = framed_table(table_head(frame.columns, kinds), body, caption)
    total = len(frame) if n_total is None else n_total
    text = script_json(_content(frame, kinds, sorted_by))
    return Block(
        f'<div class="grid" data-caption="{escape(caption)}">{static}<p class="note extent">'
        f"{escape(_extent(min(PAGE_ROWS, len(frame)), len(frame), total))}</p>"
        f'<script type="application/json">{text}</script></div>',
        {"caption": caption, "rows_in_page": len(frame), "rows": total},
    )


def script_json(value: Any) -> str:
    r"""Return JSON that may stand inside a script element, whatever its texts hold.

    Parameters
    ----------
    value : object
        Of plain values.

    Returns
    -------
    str
        ASCII, without a sign that ends a script or opens a comment in HTML.

    Examples
    --------
    >>> script_json({"a": "</script><!--"})
    '{"a":"\\u003c/script\\u003e\\u003c!--"}'
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


def _content(frame: pd.DataFrame, kinds: list[str], sorted_by: str) -> dict[str, Any]:
    names = [str(name) for name in frame.columns]
    return {
        "names": [readable(heading(name)) for name in names],
        "kinds": kinds,
        "sorted": names.index(sorted_by) if sorted_by else -1,
        "columns": [_values(frame.iloc[:, i], kind) for i, kind in enumerate(kinds)],
    }


def _values(column: pd.Series[Any], kind: str) -> list[Any]:
    if kind == "text":
        return [_text(value) for value in column]
    if kind == "count":
        return [None if value is pd.NA else int(value) for value in column]
    values = column.to_numpy(dtype=np.float64, na_value=np.nan).tolist()
    return [float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None for value in values]


def _text(value: object) -> str | None:
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return None
    return ("yes" if value else "no") if isinstance(value, bool | np.bool_) else readable(value)


def _extent(n_shown: int, n_rows: int, n_total: int) -> str:
    """Say what a page without scripts leaves out."""
    text = f"The first {n_shown:,} of {n_rows:,} rows." if n_shown < n_rows else f"{n_rows:,} rows."
    return text + (f" {n_total - n_rows:,} more are in the file of results only." if n_total > n_rows else "")
