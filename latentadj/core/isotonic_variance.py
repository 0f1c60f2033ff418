"""Variance of effects as a non-decreasing function of the residual variance, from the effects themselves."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.polynomial.legendre import leggauss
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression
from scipy.special import ndtr, ndtri

from latentadj.core.matrix import Array


@lru_cache(maxsize=32)
def trimmed_share(bin_size: int) -> float:
    """Return the mean of the `bin_size` - 1 smallest of `bin_size` squared standard normal variables.

    Notes
    -----
    ``(b - E max) / (b - 1)``, where ``E max`` is the integral of ``2 y P(max > y^2)`` over y > 0, by 400
    Gauss-Legendre nodes up to 40.

    Examples
    --------
    >>> round(trimmed_share(10), 9)
    0.688931016
    """
    nodes, weights = leggauss(400)
    y = 20.0 * (nodes + 1.0)
    exceeded = -np.expm1(bin_size * np.log1p(-2.0 * ndtr(-y)))
    largest = float(np.sum(20.0 * weights * 2.0 * y * exceeded))
    return (bin_size - largest) / (bin_size - 1)


def isotonic_variances(effects: Array, sigma2: Array, *, bin_size: int = 10, constant: float | None = None) -> Array:
    """Estimate the variance of every null effect from effects of features that are as noisy.

    Parameters
    ----------
    effects : ndarray of shape (m,)
        Finite estimates of one coefficient.
    sigma2 : ndarray of shape (m,)
        Residual variances, which only order the features.
    bin_size : int, default=10
        Of this many neighbours the one with the largest effect is set aside as possibly not null.
    constant : float, optional
        Mean of what is left of `bin_size` squared standard normal variables; `trimmed_share` by default.

    Returns
    -------
    ndarray of shape (m,)

    Notes
    -----
    Gagnon-Bartsch, Jacob and Speed (2013). Squared effects in order of the residual variance, without the largest of
    every bin, are made non-decreasing by isotonic regression and divided by `constant`; one that was set aside takes
    the value before it.

    Where all residual variances are equal there is no order, and all features share one value: the mean of squares
    without the largest share of ``1 / bin_size``, over its normal expectation.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> sigma2 = np.repeat([1.0, 4.0], 5000) * rng.uniform(0.9, 1.1, size=10_000)
    >>> v = isotonic_variances(rng.normal(size=10_000) * np.sqrt(sigma2), sigma2)
    >>> np.median(v[:5000]).round(1), np.median(v[5000:]).round(1)
    (np.float64(1.0), np.float64(4.0))
    """
    square = effects**2
    if np.all(sigma2 == sigma2[0]):
        return np.full(square.size, _trimmed_pool(square, bin_size))
    order = np.argsort(sigma2, kind="stable")
    kept = _without_largest(square[order], bin_size)
    smooth = isotonic_regression(square[order][kept]).x
    before = np.maximum(np.searchsorted(kept, np.arange(square.size), side="right") - 1, 0)
    out = np.empty_like(square)
    out[order] = smooth[before] / (trimmed_share(bin_size) if constant is None else constant)
    return out


def _without_largest(ordered: Array, bin_size: int) -> NDArray[np.intp]:
    """Positions of all values but the largest of every bin; the last bin may be a part of one."""
    full = ordered.size // bin_size
    keep = np.ones(ordered.size, dtype=bool)
    bins = ordered[: full * bin_size].reshape(full, bin_size)
    keep[np.arange(full) * bin_size + bins.argmax(axis=1)] = False
    rest = ordered[full * bin_size :]
    if rest.size:
        keep[full * bin_size + int(rest.argmax())] = False
    return np.flatnonzero(keep)


def _trimmed_pool(square: Array, bin_size: int) -> float:
    """Mean of the squares below their quantile 1 - 1 / b, over what a normal sample would give."""
    cut = 1.0 / bin_size
    bound = -float(ndtri(cut / 2.0))
    density = np.exp(-0.5 * bound**2) / np.sqrt(2.0 * np.pi)
    expected = 1.0 - 2.0 * bound * density / (1.0 - cut)
    n_kept = max(1, round(square.size * (1.0 - cut)))
    return float(np.mean(np.partition(square, n_kept - 1)[:n_kept]) / expected)
