"""Values as short text."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def cell_text(value: Any) -> str:
    r"""Write a value for a table: four digits, blanks for missing numbers, nothing a terminal would obey.

    Parameters
    ----------
    value : object

    Returns
    -------
    str

    Examples
    --------
    >>> cell_text(0.123456), cell_text(2.5e-9), cell_text(float("nan")), cell_text("a\tb")
    ('0.1235', '2.5e-09', '', 'a?b')
    """
    if isinstance(value, float | np.floating):
        return "" if math.isnan(value) else f"{value:.4g}"
    return "".join(mark if mark.isprintable() else "?" for mark in str(value))
