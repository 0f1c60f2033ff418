"""Features with enough counts to be worth a test."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from latentadj.core.expression_filter import ExpressionLimits, expressed_features
from latentadj.core.regression import design_basis
from latentadj.counts.normalization import resolved_library_sizes
from latentadj.counts.reading import CountTable, read_counts
from latentadj.data.adapters import Orientation
from latentadj.data.annotations import resolve_annotation
from latentadj.design import Design
from latentadj.exceptions import InputError


def filter_by_expression(
    X: Any,
    group: Any = None,
    *,
    design: Any = None,
    sample_data: pd.DataFrame | None = None,
    size_factors: str | ArrayLike | pd.Series | None = None,
    library_sizes: ArrayLike | pd.Series | None = None,
    limits: ExpressionLimits | None = None,
    orientation: Orientation = "samples",
    layer: str | None = None,
) -> pd.Series:
    """Tell which features have enough counts in enough samples to be kept.

    Parameters
    ----------
    X : array, DataFrame, AnnData or sparse matrix of shape (n_samples, n_features)
        Raw counts.
    group : str, array-like of shape (n_samples,) or Series, optional
        Group of each sample, or a column of ``sample_data``. The size of the smallest group decides in how many
        samples a feature must be expressed.
    design : str, array-like, DataFrame or Design, optional
        Instead of groups: a formula or design; the inverse of its largest leverage stands for the smallest group.
        Without either all samples are one group.
    sample_data : DataFrame, optional
        Sample table, aligned by ID; by default that of an AnnData object. Needed for names and formulas.
    size_factors : str, array-like of shape (n_samples,) or Series, optional
        As in :func:`log_cpm`; by default the library sizes are used as they are.
    library_sizes : array-like of shape (n_samples,) or Series, optional
        By default the totals of the features given.
    limits : ExpressionLimits, optional
        By default a count of 10 at the median library size and a total of 15; in groups larger than 10 samples, 70 %
        of those beyond 10 need to reach it.
    orientation : {"samples", "features"}
        What the rows of ``X`` are.
    layer : str, optional
        Layer of an AnnData object.

    Returns
    -------
    Series of bool, length n_features
        Named ``expressed``, indexed by feature ID: ``X.loc[:, filter_by_expression(X)]``.

    Raises
    ------
    InputError
        Both ``group`` and ``design`` are given, groups are missing for some samples, or see :func:`log_cpm`.
    DesignError, FormulaError, AlignmentError
        The design or the sample table does not fit.

    Notes
    -----
    The rule of [1]_ as in edgeR's ``filterByExpr``. It does not look at which samples the counts are in, so that
    p-values after it are as good as before.

    References
    ----------
    .. [1] Chen, Lun and Smyth (2016). From reads to genes to pathways. F1000Research 5:1438.

    Examples
    --------
    >>> counts = pd.DataFrame([[12, 2, 1000], [11, 3, 1000], [10, 4, 1000]], columns=["g1", "g2", "g3"])
    >>> filter_by_expression(counts).to_dict()
    {'g1': True, 'g2': False, 'g3': True}
    """
    if group is not None and design is not None:
        raise InputError("Both group and design were given. Give one: the design is used through its leverages.")
    table = read_counts(X, library_sizes=library_sizes, orientation=orientation, layer=layer)
    aligned = table.samples(sample_data)
    size = _smallest_group(table, group, aligned) if group is not None else _leverage_size(table, design, aligned)
    sizes = resolved_library_sizes(table, size_factors)
    kept = expressed_features(table.matrix, sizes, size, limits or ExpressionLimits())
    return pd.Series(kept, index=table.feature_index, name="expressed")


def _smallest_group(table: CountTable, group: Any, sample_data: pd.DataFrame | None) -> float:
    labels = resolve_annotation("group", group, len(table.values), sample_data, table.sample_ids)
    groups = pd.Series(np.asarray(labels))
    if groups.isna().any():
        raise InputError("Some samples have no group. Give every sample one, or leave these samples out.")
    return float(groups.value_counts().min())


def _leverage_size(table: CountTable, design: Any, sample_data: pd.DataFrame | None) -> float:
    if design is None:
        return float(len(table.values))
    matrix = Design.resolve(design, sample_data, n_samples=len(table.values)).matrix
    return float(1.0 / (design_basis(matrix).q ** 2).sum(axis=1).max())
