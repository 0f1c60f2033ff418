"""Pieces of messages shared by the design modules: near matches, cut lists, names of samples."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

MAX_LISTED = 12


def quote_list(names: Iterable[object], limit: int = MAX_LISTED) -> str:
    """Write names as a comma-separated list in backquotes, cut after ``limit`` entries.

    Parameters
    ----------
    names : iterable
        Anything that has a text form.
    limit : int
        Number of names shown before the rest is only counted.

    Returns
    -------
    str

    Examples
    --------
    >>> quote_list(["age", "sex", "batch"], limit=2)
    '`age`, `sex` and 1 more'
    """
    shown = [f"`{name}`" for name in names]
    if not shown:
        return "none"
    if len(shown) <= limit:
        return ", ".join(shown)
    return f"{', '.join(shown[:limit])} and {len(shown) - limit} more"


def near_matches(name: object, known: Iterable[object]) -> str:
    """Return a sentence with the known names that look like ``name``, or an empty string.

    Parameters
    ----------
    name : object
        What was given.
    known : iterable
        What exists.

    Returns
    -------
    str
        Starts with a blank when it is not empty, so that it can be put after a sentence.

    Examples
    --------
    >>> near_matches("Cancer", ["cancer", "batch"])
    ' Did you mean `cancer`?'
    """
    spelled = {str(item).lower(): str(item) for item in reversed(list(known))}
    close = difflib.get_close_matches(str(name).lower(), list(spelled), n=3, cutoff=0.6)
    return f" Did you mean {quote_list(spelled[item] for item in close)}?" if close else ""


def sample_list(rows: Iterable[int], sample_ids: Sequence[str] | None, limit: int = 5) -> str:
    """Name samples by ID, or by position counted from 0 when there are no IDs.

    Parameters
    ----------
    rows : iterable of int
        Positions of the samples.
    sample_ids : sequence of str or None
        IDs of all samples.
    limit : int
        Number of samples shown.

    Returns
    -------
    str

    Examples
    --------
    >>> sample_list([0, 2], ("s1", "s2", "s3"))
    's1, s3'
    >>> sample_list(range(7), None)
    'row 0, row 1, row 2, row 3, row 4 and 2 more'
    """
    shown = [f"row {row}" if sample_ids is None else sample_ids[row] for row in rows]
    text = ", ".join(shown[:limit])
    return text if len(shown) <= limit else f"{text} and {len(shown) - limit} more"
