"""Buffers that are used again, and memory that was freed and is still held."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Scratch", "features_lie_together", "release_freed_memory"]


class Scratch(threading.local):
    """A reusable buffer, one per thread, that takes the shape and the memory order of the block it stands for."""

    def __init__(self, dtype: type[np.floating[Any]] = np.float64) -> None:
        self._dtype = dtype
        self._flat: NDArray[Any] = np.empty(0, dtype)

    def __reduce__(self) -> tuple[type[Scratch], tuple[type[np.floating[Any]]]]:
        """Travel to another process without the buffer."""
        return Scratch, (self._dtype,)

    def like(self, block: NDArray[Any]) -> NDArray[Any]:
        """Return an uninitialised array of the shape and memory order of `block`."""
        if self._flat.size < block.size:
            self._flat = np.empty(block.size, self._dtype)
        flat = self._flat[: block.size]
        return flat.reshape(block.shape[::-1]).T if features_lie_together(block) else flat.reshape(block.shape)


def features_lie_together(block: NDArray[Any]) -> bool:
    """Tell whether the values of a feature, rather than those of a sample, are neighbours in memory."""
    return bool(abs(block.strides[0]) < abs(block.strides[1]))


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
