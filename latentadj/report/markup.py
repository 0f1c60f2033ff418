"""HTML from values: everything that comes from outside is escaped here."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd

#: Smaller p-values are shown as "below" this.
SMALLEST = 1e-300


def escape(value: object) -> str:
    """Return a value as text that HTML shows and never obeys.

    Parameters
    ----------
    value : object

    Returns
    -------
    str

    Examples
    --------
    >>> escape("<script>")
    '&lt;script&gt;'
    """
    return html.escape(str(value).replace("\x00", "\N{REPLACEMENT CHARACTER}"), quote=True)


def number(value: Any, *, p_value: bool = False) -> str:
    """Show a number with three significant digits, a whole one with thousands separators, NaN as a dash.

    Parameters
    ----------
    value : float
    p_value : bool, default=False
        Show 0 as below the smallest number.

    Returns
    -------
    str

    Examples
    --------
    >>> number(12345), number(0.00012345), number(float("nan")), number(0.0, p_value=True)
    ('12,345', '0.000123', '–', '< 1e-300')
    """
    if value is None or value is pd.NA or (isinstance(value, Real) and np.isnan(float(value))):
        return "–"
    if p_value and value < SMALLEST:
        return f"< {SMALLEST:.0e}"
    if isinstance(value, Integral) or (abs(value) >= 1000 and float(value).is_integer()):
        return f"{int(value):,}"
    return f"{float(value):.3g}"


def share(value: float) -> str:
    """Show a share as a percentage, a dash when it is NaN.

    Parameters
    ----------
    value : float

    Returns
    -------
    str

    Examples
    --------
    >>> share(0.6829), share(0.004)
    ('68 %', '0.4 %')
    """
    if np.isnan(value):
        return "–"
    return f"{100 * value:.0f} %" if value >= 0.0995 or value == 0 else f"{100 * value:.1g} %"


def table(frame: pd.DataFrame, caption: str = "") -> str:
    """Lay a frame out as an HTML table without its index, numbers to the right.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns whose name starts with ``p`` and an underscore or equals ``p`` hold p-values.
    caption : str

    Returns
    -------
    str

    Examples
    --------
    >>> "<td>&lt;b&gt;</td>" in table(pd.DataFrame({"feature": ["<b>"], "p": [0.5]}))
    True
    """
    head = "".join(f"<th{_align(frame[name])}>{escape(_heading(name))}</th>" for name in frame.columns)
    columns = [[_cell(value, str(name)) for value in frame[name]] for name in frame.columns]
    rows = "".join(f"<tr>{''.join(cells)}</tr>" for cells in zip(*columns, strict=True))
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f'<div class="scroll"><table>{title}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def facts(pairs: Mapping[str, object]) -> str:
    """Lay names and values out in two columns; nested mappings and lists are flattened.

    Parameters
    ----------
    pairs : mapping of str to object

    Returns
    -------
    str

    Examples
    --------
    >>> facts({"a": {"b": 1}})
    '<div class="scroll"><table class="facts"><tbody><tr><th>a: b</th><td>1</td></tr></tbody></table></div>'
    """
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in _flat(pairs))
    return f'<div class="scroll"><table class="facts"><tbody>{rows}</tbody></table></div>'


def paragraph(text: str, css_class: str = "") -> str:
    """Return a paragraph of plain text.

    Parameters
    ----------
    text : str
    css_class : str

    Returns
    -------
    str

    Examples
    --------
    >>> paragraph("p < 0.05")
    '<p>p &lt; 0.05</p>'
    """
    mark = f' class="{css_class}"' if css_class else ""
    return f"<p{mark}>{escape(text)}</p>"


def bullets(items: Iterable[str]) -> str:
    """Return a list of plain texts.

    Parameters
    ----------
    items : iterable of str

    Returns
    -------
    str

    Examples
    --------
    >>> bullets(["a & b"])
    '<ul><li>a &amp; b</li></ul>'
    """
    return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>"


def _heading(name: object) -> str:
    return str(name).replace("_", " ") if str(name).isidentifier() else str(name)


def _align(column: pd.Series) -> str:
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    return ' class="n"' if numeric else ""


def _cell(value: Any, column: str) -> str:
    if isinstance(value, bool | np.bool_):
        return f"<td>{'yes' if value else 'no'}</td>"
    if isinstance(value, Real) or value is None or value is pd.NA:
        p_value = column == "p" or column.startswith("p_")
        return f'<td class="n">{escape(number(value, p_value=p_value))}</td>'
    return f"<td>{escape(value)}</td>"


def _flat(pairs: Mapping[str, object], prefix: str = "") -> Iterable[tuple[str, str]]:
    for name, value in pairs.items():
        label = f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{label}: ")
        elif isinstance(value, list | tuple):
            yield label, ", ".join(map(str, value))
        else:
            yield label, str(value)
