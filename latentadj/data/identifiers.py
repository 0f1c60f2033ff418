"""Sample and feature identifiers: duplicates, look-alikes, and how a list of IDs is shown in a message."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..exceptions import AlignmentError

_MAX_SHOWN = 5
_MAX_FUZZY = 2000


def show_ids(ids: Sequence[object], limit: int = _MAX_SHOWN) -> str:
    """Write the first few IDs in quotes and say how many more there are.

    Parameters
    ----------
    ids : sequence
        IDs to show.
    limit : int
        How many are written out.

    Returns
    -------
    str

    Examples
    --------
    >>> show_ids(["a", "b", "c"], limit=2)
    "'a', 'b' and 1 more"
    """
    shown = ", ".join(repr(str(i)) for i in ids[:limit])
    rest = len(ids) - limit
    return f"{shown} and {rest} more" if rest > 0 else shown


def duplicated_ids(ids: Iterable[str]) -> list[str]:
    """List the IDs that occur more than once, in order of first repetition.

    Parameters
    ----------
    ids : iterable of str

    Returns
    -------
    list of str

    Examples
    --------
    >>> duplicated_ids(["a", "b", "a", "a"])
    ['a']
    """
    seen: set[str] = set()
    repeated: dict[str, None] = {}
    for name in ids:
        if name in seen:
            repeated[name] = None
        seen.add(name)
    return list(repeated)


def require_unique(ids: Sequence[str], kind: str, where: str) -> None:
    """Raise if an ID occurs twice or is empty.

    Parameters
    ----------
    ids : sequence of str
    kind : str
        What the IDs name, "sample" or "feature".
    where : str
        The table or file they stand in, as it should read in the message.

    Raises
    ------
    AlignmentError
        Names the repeated IDs and what to do.

    Examples
    --------
    >>> require_unique(["a", "b"], "sample", "the matrix")
    """
    repeated = duplicated_ids(ids)
    if repeated:
        raise AlignmentError(
            f"{len(repeated)} {kind} ID(s) occur more than once in {where}: {show_ids(repeated)}. Every "
            f"{kind} needs an ID of its own; remove or average the repeats, or make the IDs unique."
        )
    if "" in ids:
        position = list(ids).index("") + 1
        raise AlignmentError(
            f"A {kind} ID in {where} is empty (number {position} of {len(ids)}). Give every {kind} an ID."
        )


def id_array(ids: Iterable[object]) -> NDArray[np.object_]:
    """Turn labels into a 1-d object array of ``str``; the text is never changed.

    Parameters
    ----------
    ids : iterable

    Returns
    -------
    (len(ids),) object array of str

    Examples
    --------
    >>> id_array([1, "b"])
    array(['1', 'b'], dtype=object)
    """
    names = [str(i) for i in ids]
    out = np.empty(len(names), dtype=object)
    out[:] = names
    return out


def simplified(name: str) -> str:
    """Reduce an ID to what survives the usual damage: case, blanks, separators, R's X prefix, a trailing .0.

    Parameters
    ----------
    name : str

    Returns
    -------
    str

    Examples
    --------
    >>> simplified(" X12-B.01"), simplified("12.b_01"), simplified("7.0")
    ('12.b.01', '12.b.01', '7')
    """
    plain = re.sub(r"[\s\-_./:]+", ".", name.strip().lower())
    plain = re.sub(r"^x\.?(?=\d)", "", plain)
    return re.sub(r"^(\d+)\.0$", r"\1", plain)


def near_matches(missing: Sequence[str], available: Sequence[str], limit: int = _MAX_SHOWN) -> dict[str, str]:
    """Find, for the first missing IDs, an available one that differs only in spelling.

    First the IDs are compared after `simplified`; what is left is compared letter by letter with the
    available IDs that share its first two characters.

    Parameters
    ----------
    missing, available : sequence of str
    limit : int
        Only the first ``limit`` missing IDs are looked at.

    Returns
    -------
    dict
        missing ID -> available ID, for those that have one.

    Examples
    --------
    >>> near_matches(["X1-a", "zzz"], ["1.a", "2.a"])
    {'X1-a': '1.a'}
    """
    by_form: dict[str, str] = {}
    for name in available:
        by_form.setdefault(simplified(name), name)
    found: dict[str, str] = {}
    for name in missing[:limit]:
        form = simplified(name)
        if form in by_form:
            found[name] = by_form[form]
            continue
        pool = [other for other in by_form if other[:2] == form[:2]][:_MAX_FUZZY]
        close = difflib.get_close_matches(form, pool, n=1, cutoff=0.8)
        if close:
            found[name] = by_form[close[0]]
    return found


def near_match_hint(missing: Sequence[str], available: Sequence[str]) -> str:
    """Write the near matches as a sentence, or an empty string if there are none.

    Parameters
    ----------
    missing, available : sequence of str

    Returns
    -------
    str
        Starts with a blank, so that it can be appended to a message.

    Examples
    --------
    >>> near_match_hint(["S-1"], ["S.1"])
    " Near matches: 'S-1' looks like 'S.1'."
    """
    found = near_matches(missing, available)
    if not found:
        return ""
    pairs = ", ".join(f"{a!r} looks like {b!r}" for a, b in found.items())
    return f" Near matches: {pairs}."
