"""What tells a file, or a folder that is one thing, from another version of itself: sizes and times, not contents."""

from __future__ import annotations

import os
from pathlib import Path


def file_facts(path: str | os.PathLike[str]) -> dict[str, int]:
    """Return how large a file is and when it was changed last; of a folder (a zarr store), all of its files.

    Parameters
    ----------
    path : path

    Returns
    -------
    dict of str to int
        ``files``, ``bytes`` and ``modified``, in nanoseconds since 1970; empty if there is nothing, a URL for example.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a").write_text("four")
    ...     facts = file_facts(folder)
    >>> facts["files"], facts["bytes"]
    (1, 4)
    """
    place = Path(path)
    if not place.exists():
        return {}
    files = [place] if place.is_file() else [p for p in place.rglob("*") if p.is_file()]
    facts = [file.stat() for file in files]
    return {
        "files": len(facts),
        "bytes": sum(fact.st_size for fact in facts),
        "modified": max((fact.st_mtime_ns for fact in facts), default=0),
    }
