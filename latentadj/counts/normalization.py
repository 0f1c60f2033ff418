"""Size factors of count samples, by the methods in use for sequencing data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from latentadj.core.composition import effective_library_sizes
from latentadj.core.depth import COMPOSITION, SIZE_FACTORS, known_composition, size_factors_by_name
from latentadj.counts.reading import CountTable, positive_per_sample, read_counts
from latentadj.data.adapters import Orientation


def normalization_factors(
    X: Any,
    method: str = "tmm",
    *,
    library_sizes: ArrayLike | pd.Series | None = None,
    orientation: Orientation = "samples",
    layer: str | None = None,
) -> pd.Series:
    """What each library size is multiplied by to make up for the composition of the sample.

    Parameters
    ----------
    X : array, DataFrame, AnnData or sparse matrix of shape (n_samples, n_features)
        Raw counts.
    method : {"tmm", "rle", "upper_quartile", "library_size"}, default="tmm"
        Trimmed mean of M-values [1]_, ratios to geometric means [2]_, upper quartile [3]_, or none (all one).
    library_sizes : array-like of shape (n_samples,) or Series, optional
        By default the totals of the features given. Pass the totals from before filtering to keep them.
    orientation : {"samples", "features"}
        What the rows of ``X`` are.
    layer : str, optional
        Layer of an AnnData object.

    Returns
    -------
    Series of length n_samples
        Geometric mean one; named ``normalization_factor``, indexed by sample ID.

    Raises
    ------
    InputError
        Negative or missing values, samples without counts, or counts too sparse for the method.
    MethodError
        Unknown method.

    See Also
    --------
    size_factors : the factors with the depth in them.

    References
    ----------
    .. [1] Robinson and Oshlack (2010). A scaling normalization method for differential expression analysis of
       RNA-seq data. Genome Biology 11:R25.
    .. [2] Anders and Huber (2010). Differential expression analysis for sequence count data. Genome Biology 11:R106.
    .. [3] Bullard, Purdom, Hansen and Dudoit (2010). BMC Bioinformatics 11:94.

    Examples
    --------
    >>> counts = pd.DataFrame([[10, 20, 30, 40], [10, 20, 30, 340]], index=["a", "b"])
    >>> normalization_factors(counts, "rle").round(3).to_dict()
    {'a': 2.0, 'b': 0.5}
    """
    factors = known_composition(method, tuple(COMPOSITION))
    table = read_counts(X, library_sizes=library_sizes, orientation=orientation, layer=layer)
    return pd.Series(factors(table.dense, table.library_sizes), index=table.sample_index, name="normalization_factor")


def size_factors(
    X: Any,
    method: str = "tmm",
    *,
    library_sizes: ArrayLike | pd.Series | None = None,
    orientation: Orientation = "samples",
    layer: str | None = None,
) -> pd.Series:
    """What each sample's counts are divided by to compare samples of unequal depth and composition.

    Parameters
    ----------
    X : array, DataFrame, AnnData or sparse matrix of shape (n_samples, n_features)
        Raw counts.
    method : {"tmm", "rle", "upper_quartile", "library_size", "median_ratio"}, default="tmm"
        The first four are library sizes times :func:`normalization_factors`, with geometric mean one.
        "median_ratio" is the median ratio to the geometric means as it comes [1]_.
    library_sizes : array-like of shape (n_samples,) or Series, optional
        By default the totals of the features given; "median_ratio" does not use them.
    orientation : {"samples", "features"}
        What the rows of ``X`` are.
    layer : str, optional
        Layer of an AnnData object.

    Returns
    -------
    Series of length n_samples
        Named ``size_factor``, indexed by sample ID. Wherever size factors are accepted, only their ratios matter.

    Raises
    ------
    InputError
        Negative or missing values, samples without counts, or counts too sparse for the method.
    MethodError
        Unknown method.

    Notes
    -----
    All methods but "library_size" suppose that most features do not differ between samples, or differ as often
    upwards as downwards. "median_ratio" and "rle" need features without any zero; "tmm" does not.

    References
    ----------
    .. [1] Anders and Huber (2010). Differential expression analysis for sequence count data. Genome Biology
       11:R106, equation 5.

    Examples
    --------
    >>> counts = pd.DataFrame([[10, 20, 30, 40], [40, 80, 120, 1360]], index=["a", "b"])
    >>> size_factors(counts, "median_ratio").round(6).to_dict()
    {'a': 0.5, 'b': 2.0}
    """
    _check(method)
    table = read_counts(X, library_sizes=library_sizes, orientation=orientation, layer=layer)
    return pd.Series(_size_factors(table, method), index=table.sample_index, name="size_factor")


def resolved_library_sizes(table: CountTable, given: Any) -> NDArray[np.float64]:
    """Effective library sizes ``(n_samples,)`` for size factors given as None, a method's name or numbers.

    Parameters
    ----------
    table : CountTable
    given : None, str, array-like of shape (n_samples,) or Series

    Returns
    -------
    ndarray of shape (n_samples,)

    Examples
    --------
    >>> resolved_library_sizes(read_counts([[1, 2], [2, 10]]), [1.0, 1.0])
    array([6., 6.])
    """
    if given is None:
        return table.library_sizes
    if isinstance(given, str):
        return effective_library_sizes(table.library_sizes, _size_factors(table, given))
    numbers = positive_per_sample("size_factors", given, len(table.values), table.sample_ids)
    return table.library_sizes if numbers is None else effective_library_sizes(table.library_sizes, numbers)


def _size_factors(table: CountTable, method: str) -> NDArray[np.float64]:
    return size_factors_by_name(table.dense, table.library_sizes, method)


def _check(method: str) -> None:
    """Refuse an unknown name before the counts are looked at."""
    if method != "median_ratio":
        known_composition(method, SIZE_FACTORS)
