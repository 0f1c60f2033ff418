"""Numbers packed into text without loss, for notes that only hold plain values."""

from __future__ import annotations

import base64
import binascii
import zlib

import numpy as np
from numpy.typing import NDArray


def pack_columns(columns: NDArray[np.float64]) -> str:
    """Write a matrix as text: its doubles, compressed, in base 64.

    Parameters
    ----------
    columns : ndarray of shape (n, c)

    Returns
    -------
    str

    Examples
    --------
    >>> unpack_columns(pack_columns(np.array([[0.1], [np.nan]])), (2, 1))
    array([[0.1],
           [nan]])
    """
    plain = np.ascontiguousarray(columns, dtype="<f8").tobytes()
    return base64.b64encode(zlib.compress(plain, 9)).decode("ascii")


def unpack_columns(text: str, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Read what `pack_columns` wrote.

    Parameters
    ----------
    text : str
    shape : (n, c)

    Returns
    -------
    ndarray of shape (n, c)

    Raises
    ------
    ValueError
        The text is damaged, or holds another number of values.

    Examples
    --------
    >>> unpack_columns("no columns", (1, 1))
    Traceback (most recent call last):
    ValueError: the packed columns are damaged
    """
    try:
        plain = zlib.decompress(base64.b64decode(text, validate=True))
    except (binascii.Error, zlib.error) as error:
        raise ValueError("the packed columns are damaged") from error
    return np.frombuffer(plain, dtype="<f8").astype(np.float64).reshape(shape)
