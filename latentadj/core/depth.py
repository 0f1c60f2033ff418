"""Depth of count samples by the name of a method, for counts that are read by blocks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from latentadj.core.composition import (
    effective_library_sizes,
    ratio_to_geometric_means,
    relative_log_factors,
    to_unit_geometric_mean,
    trimmed_mean_factors,
    upper_quartile_factors,
)
from latentadj.core.counts import library_sizes
from latentadj.core.matrix import Array, FeatureMatrix, collect
from latentadj.exceptions import InputError, MethodError

Factors = Callable[[Array, Array], Array]


def _ones(counts: Array, totals: Array) -> Array:
    return np.ones(len(totals))


#: What library sizes are multiplied by, by name.
COMPOSITION: dict[str, Factors] = {
    "tmm": trimmed_mean_factors,
    "rle": relative_log_factors,
    "upper_quartile": upper_quartile_factors,
    "library_size": _ones,
}
SIZE_FACTORS = (*COMPOSITION, "median_ratio")


def size_factors_by_name(counts: Array, totals: Array, method: str) -> Array:
    """Return size factors of counts ``(n_samples, n_features)``.

    Parameters
    ----------
    counts : ndarray of shape (n_samples, n_features)
    totals : ndarray of shape (n_samples,)
        Library sizes.
    method : str
        One of `SIZE_FACTORS`.

    Returns
    -------
    ndarray of shape (n_samples,)

    Raises
    ------
    MethodError
        Unknown method.

    Examples
    --------
    >>> size_factors_by_name(np.array([[1.0, 3.0], [4.0, 12.0]]), np.array([4.0, 16.0]), "library_size")
    array([0.5, 2. ])
    """
    if method == "median_ratio":
        return ratio_to_geometric_means(counts, of_logarithms=True)
    return to_unit_geometric_mean(totals * known_composition(method, SIZE_FACTORS)(counts, totals))


def known_composition(method: str, allowed: tuple[str, ...]) -> Factors:
    """Return the function behind a name, or raise `MethodError` with the names that are `allowed`."""
    if method not in COMPOSITION:
        names = ", ".join(map(repr, allowed))
        raise MethodError(f"There are no size factors called {method!r}. Use one of {names}.")
    return COMPOSITION[method]


def sample_depths(Y: FeatureMatrix, given: str | ArrayLike | None = None) -> Array:
    """Effective library sizes of counts that are read by blocks.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
        Counts.
    given : str or array-like of shape (n_samples,), optional
        One of `SIZE_FACTORS`, or size factors, of which only the ratios matter. By default the totals as they are.

    Returns
    -------
    ndarray of shape (n_samples,)

    Raises
    ------
    InputError
        Negative counts, or size factors that are not positive numbers, one per sample.
    MethodError
        Unknown method.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> sample_depths(ArrayMatrix(np.array([[1, 2], [2, 10]])), [1.0, 1.0])
    array([6., 6.])
    """
    totals = library_sizes(Y)
    if given is None or (isinstance(given, str) and given == "library_size"):
        return totals
    if isinstance(given, str):
        return effective_library_sizes(totals, size_factors_by_name(collect(Y), totals, given))
    factors = np.asarray(given, dtype=np.float64)
    if factors.shape != totals.shape or not (np.isfinite(factors) & (factors > 0)).all():
        raise InputError(f"size_factors must be {len(totals)} numbers above 0, one per sample.")
    return effective_library_sizes(totals, factors)
