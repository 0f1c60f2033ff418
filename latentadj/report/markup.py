"""Text of values: everything that comes from outside is escaped here."""

from __future__ import annotations

import html
import re
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd

#: Smaller p-values are shown as "below" this.
SMALLEST = 1e-300
#: Whole numbers from here on are shown with three digits, as others are.
LARGEST_WHOLE = 1e15
_UNREADABLE = re.compile("[\x00\ud800-\udfff]")


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
    return html.escape(readable(value), quote=True)


def readable(value: object) -> str:
    r"""Return a value as text without what no page can hold: the null character and halves of pairs of code units.

    Parameters
    ----------
    value : object

    Returns
    -------
    str

    Examples
    --------
    >>> readable("a\x00b\ud800")
    'a�b�'
    """
    return _UNREADABLE.sub("\N{REPLACEMENT CHARACTER}", str(value))


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
    if isinstance(value, Integral) or (1000 <= abs(value) < LARGEST_WHOLE and float(value).is_integer()):
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


def column_kind(name: str, column: pd.Series[Any]) -> str:
    """Tell how the values of a column are shown and sorted.

    Parameters
    ----------
    name : str
    column : pandas.Series

    Returns
    -------
    {"text", "number", "count", "p"}
        Columns named ``p`` or ``p_...`` hold p-values; whole numbers are counts; all that is not a number is text.

    Examples
    --------
    >>> [column_kind(name, pd.Series([0.5])) for name in ("p_value", "estimate")], column_kind("n", pd.Series([3]))
    (['p', 'number'], 'count')
    """
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return "text"
    if name == "p" or name.startswith("p_"):
        return "p"
    return "count" if pd.api.types.is_integer_dtype(column) else "number"


def heading(name: object) -> str:
    """Show the name of a column; underscores of plain names become spaces.

    Parameters
    ----------
    name : object

    Returns
    -------
    str

    Examples
    --------
    >>> heading("p_adjusted"), heading("C(batch)[T.a_b]")
    ('p adjusted', 'C(batch)[T.a_b]')
    """
    return str(name).replace("_", " ") if str(name).isidentifier() else str(name)


def shown(value: Any, kind: str = "text") -> str:
    """Show a cell of a table.

    Parameters
    ----------
    value : object
    kind : str, default="text"
        From `column_kind`.

    Returns
    -------
    str

    Examples
    --------
    >>> shown(True), shown(0.0, "p"), shown(None), shown("a_b")
    ('yes', '< 1e-300', '–', 'a_b')
    """
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, Real) or value is None or value is pd.NA:
        return number(value, p_value=kind == "p")
    return str(value)
