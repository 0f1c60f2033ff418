"""Entry check shared by every function that takes a vector of p-values."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentadj.exceptions import InputError

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


def split_missing(p: ArrayLike) -> tuple[FloatArray, BoolArray]:
    """Return the p-values that are present, and where they stood.

    Parameters
    ----------
    p : array_like, shape (p,)
        P-values in [0, 1]; NaN marks a missing one.

    Returns
    -------
    present : ndarray, shape (m,)
        The non-missing p-values, in the given order.
    where : ndarray of bool, shape (p,)
        True where a p-value is present.

    Raises
    ------
    InputError
        If `p` is not one-dimensional, or holds a value outside [0, 1].

    Examples
    --------
    >>> present, where = split_missing([0.2, float("nan"), 0.9])
    >>> present
    array([0.2, 0.9])
    >>> where
    array([ True, False,  True])
    """
    values = np.asarray(p, dtype=np.float64)
    if values.ndim != 1:
        raise InputError(
            f"p-values have shape {values.shape}; a one-dimensional array is needed. "
            "Pass one test at a time, or flatten with .ravel() to adjust over all tests together."
        )
    where = ~np.isnan(values)
    present = values[where]
    outside = (present < 0.0) | (present > 1.0)
    if outside.any():
        first = present[outside][0]
        raise InputError(
            f"{int(outside.sum())} of {present.size} p-values lie outside [0, 1] (the first is {first:g}). "
            "Check that the array holds p-values, not statistics or log p-values; mark missing ones as NaN."
        )
    return present, where


def fill_missing(values: FloatArray, where: BoolArray) -> FloatArray:
    """Put `values` back at the positions `where`, and NaN elsewhere.

    Parameters
    ----------
    values : ndarray, shape (m,)
        One value for each True in `where`.
    where : ndarray of bool, shape (p,)
        Positions to fill, as returned by `split_missing`.

    Returns
    -------
    ndarray, shape (p,)

    Examples
    --------
    >>> import numpy as np
    >>> fill_missing(np.array([1.0, 2.0]), np.array([True, False, True]))
    array([ 1., nan,  2.])
    """
    filled = np.full(where.shape, np.nan)
    filled[where] = values
    return filled
