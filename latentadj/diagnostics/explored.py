"""What pictures of the data themselves start from: a result with its data, or a matrix and a sample table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.core.matrix import AdjustedMatrix, ArrayMatrix, FeatureMatrix, FeatureSubset
from latentadj.core.regression import design_basis, design_pass
from latentadj.data import align_samples, as_labelled_matrix
from latentadj.diagnostics.association import aligned_table
from latentadj.exceptions import InputError
from latentadj.results import AdjustmentResult
from latentadj.results.components import shown_loadings

Array = NDArray[np.float64]


@dataclass(frozen=True)
class _SomeSamples:
    """Some samples of another matrix, read through its own blocks."""

    base: FeatureMatrix
    index: NDArray[np.intp]
    reads = {"base": 1}

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.index), self.base.shape[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.base.dtype

    def column_blocks(self, width: int | None = None) -> Iterator[slice]:
        return self.base.column_blocks(width)

    def read(self, columns: slice) -> Array:
        return self.base.read(columns)[self.index]


def some_samples(matrix: FeatureMatrix, chosen: NDArray[np.bool_]) -> FeatureMatrix:
    """Return a lazy view of some samples of a matrix; the same matrix when these are all.

    Parameters
    ----------
    matrix : FeatureMatrix of shape (n_samples, n_features)
    chosen : ndarray of bool, shape (n_samples,)

    Returns
    -------
    FeatureMatrix

    Examples
    --------
    >>> some_samples(ArrayMatrix(np.eye(3)), np.array([True, False, True])).read(slice(0, 2))
    array([[1., 0.],
           [0., 0.]])
    """
    return matrix if chosen.all() else _SomeSamples(matrix, np.flatnonzero(chosen))


@dataclass(frozen=True, eq=False)
class ExploredStudy:
    """Data that are looked at, before and, where there are factors, after adjustment.

    Attributes
    ----------
    panels : dict of str to FeatureMatrix, each of shape (n_samples, n_features)
        "before", and "after" with the factors' part subtracted, for a result with factors.
    sample_ids : tuple of str, length n_samples
    feature_ids : ndarray of shape (n_features,)
    sample_data : pandas.DataFrame or None
        A row per sample, in the order of the data.
    n_factors : int
        Directions that are subtracted from "after".
    """

    panels: dict[str, FeatureMatrix]
    sample_ids: tuple[str, ...]
    feature_ids: NDArray[Any]
    sample_data: pd.DataFrame | None
    n_factors: int = 0

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return len(self.sample_ids)

    def values_of(self, column: str | Any, what: str) -> pd.Series:
        """Return a column of the sample table, or values that were given, one per sample.

        Parameters
        ----------
        column : str or array-like of shape (n_samples,)
        what : str
            Name of the argument, for a message.

        Returns
        -------
        pandas.Series
            Named by the column, or by `what` where the values have no name.

        Raises
        ------
        InputError
            The table lacks the column, or the number of values is not that of the samples.
        """
        if isinstance(column, str):
            if self.sample_data is None or column not in self.sample_data.columns:
                known = [] if self.sample_data is None else list(map(str, self.sample_data.columns))
                raise InputError(
                    f"{what}={column!r}: the sample table has no such column; it has {', '.join(known) or 'none'}."
                )
            return self.sample_data[column].rename(column)
        values = pd.Series(column)
        if len(values) != self.n_samples:
            raise InputError(f"{what} has {len(values)} values for {self.n_samples} samples; give one per sample.")
        return values.rename(what if values.name is None else str(values.name))

    def complete_panels(self) -> dict[str, FeatureMatrix]:
        """Return the panels without features that have missing or infinite values.

        Raises
        ------
        InputError
            No feature is complete.
        """
        sums = design_pass(self.panels["before"], design_basis(np.ones((self.n_samples, 1))))
        complete = np.flatnonzero(np.isfinite(sums.tss))
        if len(complete) == len(self.feature_ids):
            return self.panels
        if not len(complete):
            raise InputError("Every feature has missing values. Fill them in, or leave samples with many gaps out.")
        return {when: FeatureSubset(panel, complete) for when, panel in self.panels.items()}


def explored_study(data: Any, sample_data: pd.DataFrame | None = None, *, what: str = "This picture") -> ExploredStudy:
    """Bring a result, or a matrix and its sample table, into one form.

    Parameters
    ----------
    data : AdjustmentResult, array, DataFrame, AnnData, LabelledMatrix or ExploredStudy
        A result with its data at hand, a matrix, samples x features, or what this function returned.
    sample_data : pandas.DataFrame, optional
        Sample table, aligned by ID; by default the one that came with `data`.
    what : str
        What is made of it, for a message.

    Returns
    -------
    ExploredStudy

    Raises
    ------
    InputError
        A result that was read from disk, which does not hold the data.
    AlignmentError
        When the table does not fit the samples.

    Examples
    --------
    >>> study = explored_study(np.ones((3, 5)), pd.DataFrame({"batch": list("aab")}))
    >>> list(study.panels), study.sample_ids
    (['before'], ('sample1', 'sample2', 'sample3'))
    """
    if isinstance(data, ExploredStudy):
        return data if sample_data is None else replace(data, sample_data=_aligned(data, sample_data))
    if isinstance(data, AdjustmentResult):
        return _study_of_result(data, sample_data, what)
    found = as_labelled_matrix(data)
    table = found.sample_data if sample_data is None else sample_data
    if table is not None:
        table = align_samples(found.sample_ids, table, found.shape[0])[0]
    samples = found.sample_ids or tuple(f"sample{i + 1}" for i in range(found.shape[0]))
    features = np.arange(found.shape[1]) if found.feature_ids is None else found.feature_ids
    return ExploredStudy({"before": ArrayMatrix(found.values)}, samples, features, table)


def _aligned(study: ExploredStudy, sample_data: pd.DataFrame) -> pd.DataFrame:
    unnamed = study.sample_ids == tuple(f"sample{i + 1}" for i in range(study.n_samples))
    return align_samples(None if unnamed else study.sample_ids, sample_data, study.n_samples)[0]


def _study_of_result(result: AdjustmentResult, sample_data: pd.DataFrame | None, what: str) -> ExploredStudy:
    if result.matrix is None:
        raise InputError(
            f"{what} needs the data, which a saved result does not hold. Pass the matrix and sample_data in place of "
            "the result, or run the analysis again."
        )
    panels: dict[str, FeatureMatrix] = {"before": result.matrix}
    if result.n_factors:
        panels["after"] = AdjustedMatrix(result.matrix, result.estimate.scores, shown_loadings(result, result.matrix))
    known = sample_data is not None or result.sample_data is not None
    table = aligned_table(result, sample_data) if known else None
    return ExploredStudy(panels, result.sample_ids, result.feature_ids, table, result.n_factors)
