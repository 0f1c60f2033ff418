"""Bytes of a file, read at any place by any thread."""

from __future__ import annotations

import os
import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...exceptions import FileFormatError
from ..text_files import require_file


class FileBytes:
    """A file read into memory that the caller provides; nothing is mapped.

    Parameters
    ----------
    path : Path

    Raises
    ------
    FileFormatError
        No such file, a folder, empty, not readable.

    Notes
    -----
    Mapped files count every page that was touched as memory of the process; reads at a position do not, and
    threads need no lock for them. Where the system has none, a lock and a seek take their place.
    """

    def __init__(self, path: Path) -> None:
        require_file(path)
        self.path = path
        self._file = path.open("rb", buffering=0)
        self._lock = threading.Lock()
        self._close = weakref.finalize(self, self._file.close)

    def size(self) -> int:
        """Return the size of the file in bytes."""
        return os.fstat(self._file.fileno()).st_size

    def read_into(self, target: NDArray[Any], position: int) -> None:
        """Fill a contiguous array with the bytes from a position on.

        Parameters
        ----------
        target : array in C order
        position : int
            In bytes.

        Raises
        ------
        FileFormatError
            The file ends before, or the system cannot read it.
        """
        view = target.view(np.uint8).reshape(-1).data
        done = 0
        try:
            while done < len(view):
                count = self._read_some(view[done:], position + done)
                if count == 0:
                    break
                done += count
        except OSError as error:
            raise FileFormatError(f"{self.path} cannot be read at byte {position + done} ({error}).") from error
        if done < len(view):
            raise FileFormatError(
                f"{self.path} ends at byte {position + done}, {len(view) - done} bytes early: it was cut since it was "
                f"opened. Copy or write it again."
            )

    def _read_some(self, view: memoryview, position: int) -> int:
        if hasattr(os, "preadv"):
            return os.preadv(self._file.fileno(), [view], position)
        with self._lock:
            self._file.seek(position)
            return self._file.readinto(view) or 0
