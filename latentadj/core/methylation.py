"""Proportions of methylated signal on the logit scale (M-values) and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def logit2(proportions: NDArray[Any], smallest: float) -> NDArray[Any]:
    """Binary logarithm of the odds, both parts at least `smallest`; NaN stays NaN.

    Parameters
    ----------
    proportions : ndarray, any shape
        Between 0 and 1; float32 or float64, the type of the result.
    smallest : float
        Above 0.

    Returns
    -------
    ndarray, same shape

    Examples
    --------
    >>> logit2(np.array([0.0, 0.2, 0.5]), 1 / 1024)
    array([-10.,  -2.,   0.])
    """
    floor = proportions.dtype.type(smallest)
    out: NDArray[Any] = np.log2(np.maximum(proportions, floor)) - np.log2(np.maximum(1 - proportions, floor))
    return out


def inverse_logit2(values: NDArray[Any]) -> NDArray[Any]:
    """Proportion ``2^v / (1 + 2^v)`` of binary log-odds, without overflow.

    Examples
    --------
    >>> inverse_logit2(np.array([-2.0, 0.0, 5000.0]))
    array([0.2, 0.5, 1. ])
    """
    shrunk = np.exp2(-np.abs(values))
    out: NDArray[Any] = np.where(values < 0, shrunk, 1) / (1 + shrunk)
    return out
