"""Seeds and file names that derive from names, so that no part of a study depends on another."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from latentadj.data.writers import plain_values


def derived_seed(seed: int, *names: object) -> int:
    """Turn names into a seed.

    Parameters
    ----------
    seed : int
        Of the whole study.
    *names
        What the random numbers are for; their order matters.

    Returns
    -------
    int
        Below 2^32. Seeds of other names are, in effect, independent: adding something to a study does not change
        the random numbers of what was there.

    Notes
    -----
    BLAKE2b of the names' texts; Python's own `hash` differs between processes.

    Examples
    --------
    >>> derived_seed(0, "base", 3) == derived_seed(0, "base", 3) != derived_seed(0, "base", 4)
    True
    """
    return int(digest([seed, *map(str, names)], size=8), 16) % 2**32


def digest(content: Any, size: int = 16) -> str:
    """Hash nested plain values.

    Parameters
    ----------
    content : object
        Lists, mappings, numbers and texts.
    size : int, default=16
        Bytes.

    Returns
    -------
    str
        Hexadecimal.

    Examples
    --------
    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    True
    """
    text = json.dumps(plain_values(content), sort_keys=True, ensure_ascii=True)
    return hashlib.blake2b(text.encode("ascii"), digest_size=size).hexdigest()
