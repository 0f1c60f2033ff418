"""Noise that depends on the values beside it and on nothing else: not on positions, blocks or a generator.

A feature's key is made of the values it has, a sample's key of the values in it; both are sums of whole numbers, in
which the order does not matter and nothing is rounded. The noise of a cell is drawn from its two keys.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from latentadj.core.matrix import Array
from latentadj.core.pass_kernel import PassKernel

Keys = NDArray[np.uint64]

#: Odd multipliers and shifts of the finaliser of SplitMix64.
_STEPS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))


def mixed(keys: Keys) -> Keys:
    """Turn keys into keys that look unrelated, one to one.

    Parameters
    ----------
    keys : ndarray of uint64

    Returns
    -------
    ndarray of uint64, same shape

    References
    ----------
    Steele, Lea and Flood (2014), "Fast splittable pseudorandom number generators", OOPSLA: SplitMix64.

    Examples
    --------
    >>> len(np.unique(mixed(np.arange(1000, dtype=np.uint64))))
    1000
    """
    out = keys + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in _STEPS:
        out ^= out >> np.uint64(shift)
        out *= np.uint64(factor)
    out ^= out >> np.uint64(31)
    return out


def value_keys(block: Array) -> Keys:
    """Key of every value ``(n_samples, b)``, 0 for missing ones."""
    bits = np.ascontiguousarray(block + 0.0).view(np.uint64)
    return np.where(np.isnan(block), np.uint64(0), mixed(bits))


def normal_noise(sample_keys: Keys, feature_keys: Keys) -> Array:
    """Draw a standard normal deviate for every pair of keys.

    Parameters
    ----------
    sample_keys, feature_keys : ndarray of uint64, same shape

    Returns
    -------
    ndarray, same shape

    Examples
    --------
    >>> keys = np.arange(10_000, dtype=np.uint64)
    >>> noise = normal_noise(np.zeros_like(keys), keys)
    >>> bool(abs(noise.mean()) < 0.03), bool(abs(noise.std() - 1) < 0.03)
    (True, True)
    """
    drawn = mixed(mixed(sample_keys) ^ feature_keys)
    uniform = ((drawn >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    out: Array = ndtri(uniform)
    return out


class ContentKeysKernel(PassKernel):
    """Keys of all samples, for `run_pass`.

    Parameters
    ----------
    n_samples : int
    """

    sums = ("keys",)

    def __init__(self, n_samples: int) -> None:
        self.keys = np.zeros(n_samples, dtype=np.uint64)

    def update(self, block: Array, columns: slice) -> None:
        """Add the values of one block; sums wrap around."""
        self.keys += mixed(value_keys(block)).sum(axis=1, dtype=np.uint64)

    def result(self) -> Keys:
        """Return the keys ``(n_samples,)``."""
        return self.keys
