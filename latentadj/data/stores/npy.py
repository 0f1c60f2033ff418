"""Matrices in .npy files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from ...exceptions import FileFormatError
from ..adapters import Orientation, require_orientation
from ..text_files import require_file
from .base import oriented_shape, require_shape
from .raw import Order, RawMatrix


class NpyMatrix(RawMatrix):
    """An array written by ``numpy.save``, in either memory order, read at positions, not mapped.

    Parameters
    ----------
    path : path
    orientation : {"samples", "features"}, default="samples"
        What the rows of the array are.

    Raises
    ------
    FileFormatError
        Not a .npy file, or one that is cut.
    InputError
        Not two-dimensional, or not of real numbers.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "matrix.npy")
    ...     np.save(path, np.arange(6, dtype="float32").reshape(3, 2))
    ...     NpyMatrix(path, orientation="features").read(slice(1, 3))
    array([[2., 4.],
           [3., 5.]])
    """

    def __init__(self, path: str | os.PathLike[str], orientation: Orientation = "samples") -> None:
        require_orientation(orientation)
        place = Path(path).absolute()
        rows, columns, dtype, row_major, offset = _header(place)
        order: Order = "C" if row_major == (orientation == "samples") else "F"
        self._open(place, oriented_shape(orientation, rows, columns), dtype, order, offset, (place, orientation))


def _header(path: Path) -> tuple[int, int, np.dtype[Any], bool, int]:
    """Rows, columns, type, whether rows lie together, and where the values begin."""
    require_file(path)
    try:
        mapped = np.lib.format.open_memmap(path, mode="r")
    except (ValueError, OSError, EOFError, SyntaxError) as error:
        raise FileFormatError(
            f"{path} is not a whole .npy file of numbers ({error}). Write it again with numpy.save, as an array "
            f"of floats, or copy it again."
        ) from error
    rows, columns = require_shape(mapped.shape, str(path))
    return rows, columns, mapped.dtype, mapped.flags.c_contiguous, mapped.offset
