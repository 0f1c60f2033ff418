"""Measurements on their way in: with IDs, a design, and a sample table in the same order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.core.matrix import ArrayMatrix
from latentadj.core.regression import DesignBasis, design_basis
from latentadj.data.adapters import Orientation, as_labelled_matrix
from latentadj.data.alignment import align_samples
from latentadj.data.annotations import resolve_annotation
from latentadj.data.finiteness import check_finite
from latentadj.design import Design
from latentadj.exceptions import DesignError, InputError


@dataclass(frozen=True, eq=False)
class SampleStudy:
    """Measurements, their design, and what is known of the samples.

    Attributes
    ----------
    values : ndarray of shape (n_samples, n_features)
        NaN is missing.
    design : Design
    sample_ids : tuple of str, length n_samples, or None
    feature_ids : object ndarray of shape (n_features,), or None
    sample_data : DataFrame of n_samples rows, or None
        Sample table in the order of the samples.
    """

    values: NDArray[Any]
    design: Design
    sample_ids: tuple[str, ...] | None
    feature_ids: NDArray[np.object_] | None
    sample_data: pd.DataFrame | None = None

    @property
    def matrix(self) -> ArrayMatrix:
        """The values as the numerical functions read them."""
        return ArrayMatrix(self.values)

    @property
    def basis(self) -> DesignBasis:
        """The design, factored."""
        return design_basis(self.design.matrix)

    @property
    def sample_index(self) -> pd.Index[Any]:
        """Sample IDs, or positions."""
        return pd.RangeIndex(len(self.values)) if self.sample_ids is None else pd.Index(self.sample_ids)

    @property
    def feature_index(self) -> pd.Index[Any]:
        """Feature IDs, or positions."""
        return pd.RangeIndex(self.values.shape[1]) if self.feature_ids is None else pd.Index(self.feature_ids)

    def labels(self, name: str, value: Any) -> pd.Series:
        """One label per sample, of a column of the sample table or as they are given.

        Raises
        ------
        InputError, AlignmentError
            A name that the table does not have, a wrong number of labels, several columns.
        DesignError
            Missing labels.
        """
        found = resolve_annotation(name, value, len(self.values), self.sample_data, self.sample_ids)
        if found is None or np.ndim(found) != 1:
            raise InputError(f"{name} must be one label per sample, or the name of a column of the sample table.")
        labels = pd.Series(found, index=self.sample_index, name=name)
        if labels.isna().any():
            raise DesignError(
                f"{name}: the label of {int(labels.isna().sum())} sample(s) is missing, first of "
                f"{labels.index[labels.isna()][0]!r}. Drop these samples, or give each a label of its own."
            )
        return labels


def read_study(
    X: Any,
    design: Any,
    sample_data: pd.DataFrame | None = None,
    *,
    orientation: Orientation = "samples",
    layer: str | None = None,
) -> SampleStudy:
    """Check measurements and bring the sample table and the design into their order.

    Parameters
    ----------
    X : array, DataFrame, AnnData or LabelledMatrix of shape (n_samples, n_features)
        NaN is missing.
    design : str, list, tuple, array-like, DataFrame, Design or None
    sample_data : DataFrame, optional
        By default that of an AnnData object.
    orientation : {"samples", "features"}
    layer : str, optional

    Returns
    -------
    SampleStudy

    Raises
    ------
    InputError
        Infinite values.
    DesignError, FormulaError, AlignmentError
        The design or the sample table does not fit.

    Examples
    --------
    >>> read_study([[1.0, 2.0], [0.5, np.nan], [0.0, 3.0]], [0, 1, 1]).design.names
    ('Intercept', 'x')
    """
    table = as_labelled_matrix(X, orientation=orientation, layer=layer)
    check_finite(table.values, table.sample_ids, table.feature_ids, allow_missing=True)
    samples, n_samples = table.sample_data, len(table.values)
    if sample_data is not None:
        names = None if table.feature_ids is None else [str(name) for name in table.feature_ids]
        samples = align_samples(table.sample_ids, sample_data, n_samples, feature_ids=names)[0]
    resolved = Design.resolve(design, samples, n_samples=n_samples)
    return SampleStudy(table.values, resolved, table.sample_ids, table.feature_ids, samples)
