"""Comparisons that raise `ContractError`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentadj.results import AdjustmentResult
from latentadj.testing.error import ContractError

Array = NDArray[np.float64]
Numbers = Mapping[str, Array]

#: Columns of `AdjustmentResult.tidy` that are compared.
COLUMNS = ("estimate", "std_error", "statistic", "p_value", "mean", "conf_low")


def numbers(result: AdjustmentResult) -> dict[str, Array]:
    """Return what two results are compared by: factors, loadings, variances and columns of the table.

    Parameters
    ----------
    result : AdjustmentResult

    Returns
    -------
    dict of str to ndarray
        ``factors`` has a row per sample, everything else one per feature.
    """
    table = result.tidy()
    return {
        "factors": result.factors.to_numpy(),
        "loadings": result.loadings.to_numpy(),
        "sigma2": np.asarray(result.fit.sigma2),
        **{name: table[name].to_numpy(dtype=np.float64) for name in COLUMNS},
    }


def require(holds: Any, message: str) -> None:
    """Raise `ContractError` with a message unless something holds."""
    if not holds:
        raise ContractError(message)


def require_close(found: Array, expected: Array, tolerance: float, what: str) -> None:
    """Require two arrays to agree.

    Parameters
    ----------
    found, expected : ndarray
    tolerance : float
        Largest difference allowed, relative to the largest number of `expected`; 0 for equality.
    what : str
        What the arrays hold, for the message.

    Raises
    ------
    ContractError

    Examples
    --------
    >>> require_close(np.array([1.0, 2.1]), np.array([1.0, 2.0]), 0.01, "estimate")
    Traceback (most recent call last):
    latentadj.testing.error.ContractError: estimate: relative difference 5.0e-02, allowed are 1.0e-02.
    """
    require(found.shape == expected.shape, f"{what}: shape {found.shape} instead of {expected.shape}.")
    lost = np.isnan(found) != np.isnan(expected)
    require(not lost.any(), f"{what}: {int(lost.sum())} of {lost.size} numbers are missing on one side only.")
    difference = np.abs(found - expected)[~np.isnan(expected)]
    scale = np.nanmax(np.abs(expected), initial=0.0) or 1.0
    largest = float(np.max(difference, initial=0.0) / scale)
    require(largest <= tolerance, f"{what}: relative difference {largest:.1e}, allowed are {tolerance:.1e}.")


def require_same(found: Numbers, expected: Numbers, tolerance: float, leave_out: Collection[str] = ()) -> None:
    """Require all `numbers` of two results to agree; see `require_close`."""
    for name in expected:
        if name not in leave_out:
            require_close(found[name], expected[name], tolerance, name)
