"""Log counts per million with precision weights, from counts to tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
from numpy.typing import ArrayLike

from latentadj.core.matrix import collect
from latentadj.core.regression import design_basis
from latentadj.core.voom import VoomFit, VoomTrend, voom_fit
from latentadj.counts.normalization import resolved_library_sizes
from latentadj.counts.reading import CountTable, read_counts
from latentadj.data.adapters import Orientation
from latentadj.design import Design


@dataclass(frozen=True, eq=False)
class VoomResult:
    """Log counts per million, the weights of all values, and the trend behind them.

    Attributes
    ----------
    log_cpm : DataFrame of shape (n_samples, n_features)
        ``log2((c + 0.5) / (L + 1) 1e6)`` with effective library sizes L.
    weights : DataFrame of shape (n_samples, n_features)
        Inverse variances of the values, by the trend at their fitted log counts.
    trend : VoomTrend
        ``level`` and ``spread``, both (n_points,).
    features : DataFrame of n_features rows
        ``level``, average log2 count, and ``spread``, square root of the residual standard deviation: the points that
        the trend runs through.
    library_sizes : Series of length n_samples
        Effective library sizes.
    design : Design
        The design that the spread was seen in.

    Examples
    --------
    >>> import numpy as np
    >>> counts = np.random.default_rng(0).poisson(np.geomspace(5, 500, 200), size=(6, 200))
    >>> voom(counts, [0, 0, 0, 1, 1, 1]).design.names
    ('Intercept', 'x')
    """

    log_cpm: pd.DataFrame
    weights: pd.DataFrame
    trend: VoomTrend
    features: pd.DataFrame
    library_sizes: pd.Series
    design: Design


def voom(
    X: Any,
    design: Any = None,
    size_factors: str | ArrayLike | pd.Series | None = None,
    *,
    sample_data: pd.DataFrame | None = None,
    span: float = 0.5,
    library_sizes: ArrayLike | pd.Series | None = None,
    orientation: Orientation = "samples",
    layer: str | None = None,
) -> VoomResult:
    """Turn counts into log counts per million with a precision weight for every value.

    Parameters
    ----------
    X : array, DataFrame, AnnData or sparse matrix of shape (n_samples, n_features)
        Raw counts, best without features of low level (:func:`filter_by_expression`).
    design : str, list, tuple, array-like, DataFrame or Design, optional
        Whatever stands for a design; the intercept is added to arrays. Include estimated factors, if there are any:
        what they explain is not spread. By default the intercept only.
    size_factors : str, array-like of shape (n_samples,) or Series, optional
        Name of a method of :func:`size_factors`, or size factors; only their ratios matter. By default the library
        sizes are used as they are.
    sample_data : DataFrame, optional
        Sample table, aligned by ID; by default that of an AnnData object. Needed for formulas and names.
    span : float, default=0.5
        Share of the features in each neighbourhood of the smoother.
    library_sizes : array-like of shape (n_samples,) or Series, optional
        By default the totals of the features given.
    orientation : {"samples", "features"}
        What the rows of ``X`` are.
    layer : str, optional
        Layer of an AnnData object.

    Returns
    -------
    VoomResult

    Raises
    ------
    InputError
        Negative or missing values, samples without counts, or a trend that reaches zero.
    DesignError, FormulaError, AlignmentError
        The design or the sample table does not fit, or no residual degrees of freedom are left.
    MethodError
        Unknown size factors.

    References
    ----------
    .. [1] Law, Chen, Shi and Smyth (2014). voom: precision weights unlock linear model analysis tools for RNA-seq
       read counts. Genome Biology 15:R29.

    Examples
    --------
    >>> import numpy as np
    >>> counts = np.random.default_rng(0).poisson(np.geomspace(5, 500, 200), size=(6, 200))
    >>> found = voom(counts, [0, 0, 0, 1, 1, 1], "tmm")
    >>> found.weights.shape, bool(found.weights[199].mean() > 30 * found.weights[0].mean())
    ((6, 200), True)
    """
    table = read_counts(X, library_sizes=library_sizes, orientation=orientation, layer=layer)
    resolved = Design.resolve(design, table.samples(sample_data), n_samples=len(table.values))
    sizes = resolved_library_sizes(table, size_factors)
    model = voom_fit(table.matrix, design_basis(resolved.matrix), sizes, span=span)
    return _result(table, resolved, model)


def _result(table: CountTable, design: Design, model: VoomFit) -> VoomResult:
    features = pd.DataFrame({"level": model.level, "spread": model.spread}, index=table.feature_index)
    return VoomResult(
        log_cpm=table.frame(collect(model.logs)),
        weights=table.frame(collect(model.weights)),
        trend=model.trend,
        features=features,
        library_sizes=pd.Series(model.logs.library_sizes, index=table.sample_index, name="library_size"),
        design=design,
    )
