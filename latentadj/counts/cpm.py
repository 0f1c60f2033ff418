"""Counts per million on the log scale."""

from __future__ import annotations

from typing import Any

import pandas as pd
from numpy.typing import ArrayLike

from latentadj.core.log_cpm import LogCountsPerMillion
from latentadj.core.matrix import collect
from latentadj.counts.normalization import resolved_library_sizes
from latentadj.counts.reading import read_counts
from latentadj.data.adapters import Orientation
from latentadj.exceptions import InputError


def log_cpm(
    X: Any,
    size_factors: str | ArrayLike | pd.Series | None = None,
    *,
    prior_count: float = 2.0,
    library_sizes: ArrayLike | pd.Series | None = None,
    orientation: Orientation = "samples",
    layer: str | None = None,
) -> pd.DataFrame:
    """log2 counts per million, for display and for methods that want about equal variances.

    Parameters
    ----------
    X : array, DataFrame, AnnData or sparse matrix of shape (n_samples, n_features)
        Raw counts.
    size_factors : str, array-like of shape (n_samples,) or Series, optional
        Name of a method of :func:`size_factors`, or size factors; only their ratios matter. By default the library
        sizes are used as they are.
    prior_count : float, default=2
        Added to the counts, in proportion to the library size: the smaller it is, the noisier are low counts.
    library_sizes : array-like of shape (n_samples,) or Series, optional
        By default the totals of the features given.
    orientation : {"samples", "features"}
        What the rows of ``X`` are.
    layer : str, optional
        Layer of an AnnData object.

    Returns
    -------
    DataFrame of shape (n_samples, n_features)
        Samples x features, whatever the orientation of ``X``.

    Raises
    ------
    InputError
        Negative or missing values, samples without counts, a prior that is not above zero, or size factors that do
        not fit.
    MethodError
        Unknown size factors.

    Notes
    -----
    With effective library sizes L and ``prior_i = prior_count L_i / mean(L)``:
    ``log2((c + prior_i) / (L_i + 2 prior_i) 1e6)``, as ``cpm(log=TRUE)`` of edgeR [1]_.

    References
    ----------
    .. [1] Robinson, McCarthy and Smyth (2010). edgeR: a Bioconductor package for differential expression analysis of
       digital gene expression data. Bioinformatics 26:139.

    Examples
    --------
    >>> counts = pd.DataFrame([[0, 100], [0, 300]], index=["a", "b"], columns=["g1", "g2"])
    >>> log_cpm(counts, prior_count=0.5).round(2)
          g1     g2
    a  11.28  19.93
    b  11.28  19.93
    """
    if not prior_count > 0:
        raise InputError(f"prior_count={prior_count} was given; it must be above 0, or zero counts have no logarithm.")
    table = read_counts(X, library_sizes=library_sizes, orientation=orientation, layer=layer)
    sizes = resolved_library_sizes(table, size_factors)
    return table.frame(collect(LogCountsPerMillion(table.matrix, sizes, float(prior_count))))
