"""Memory that was freed and is still held."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

__all__ = ["release_freed_memory"]


def release_freed_memory() -> None:
    """Give freed memory back to the system, where the C library is glibc; do nothing elsewhere.

    Notes
    -----
    glibc keeps what each thread has freed for that thread. After a pass over a file the readers' buffers are held
    on, some tens of megabytes for each thread, while the next arrays of results take new pages. It costs about
    2 ms.

    Examples
    --------
    >>> release_freed_memory()
    """
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@cache
def _malloc_trim() -> Callable[[int], Any] | None:
    if not sys.platform.startswith("linux"):
        return None
    found: Callable[[int], Any] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return found
