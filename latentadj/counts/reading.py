"""Count matrices on their way in: checked, with IDs and library sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from latentadj.core.counts import library_sizes as count_totals
from latentadj.core.matrix import ArrayMatrix
from latentadj.data.adapters import Orientation, as_labelled_matrix
from latentadj.data.alignment import align_samples
from latentadj.data.annotations import resolve_annotation
from latentadj.data.finiteness import check_finite
from latentadj.exceptions import InputError


@dataclass(frozen=True, eq=False)
class CountTable:
    """Counts with the IDs of samples and features, and library sizes.

    Attributes
    ----------
    values : ndarray of shape (n_samples, n_features)
        Counts, at least 0; float32 or float64.
    library_sizes : ndarray of shape (n_samples,)
        Above 0.
    sample_ids : tuple of str, length n_samples, or None
    feature_ids : object ndarray of shape (n_features,), or None
    sample_data : DataFrame of n_samples rows, or None
        Sample table that came with the counts.
    """

    values: NDArray[Any]
    library_sizes: NDArray[np.float64]
    sample_ids: tuple[str, ...] | None
    feature_ids: NDArray[np.object_] | None
    sample_data: pd.DataFrame | None = None

    @property
    def matrix(self) -> ArrayMatrix:
        """The counts as the numerical functions read them."""
        return ArrayMatrix(self.values)

    @property
    def dense(self) -> NDArray[np.float64]:
        """The counts as float64, ``(n_samples, n_features)``."""
        return np.asarray(self.values, dtype=np.float64)

    def frame(self, values: NDArray[np.float64]) -> pd.DataFrame:
        """Values ``(n_samples, n_features)`` with the IDs of the counts."""
        return pd.DataFrame(values, index=self.sample_index, columns=self.feature_index, copy=False)

    def samples(self, sample_data: pd.DataFrame | None) -> pd.DataFrame | None:
        """A sample table in the order of the counts: the one given, the one that came with the counts, or None."""
        if sample_data is None:
            return self.sample_data
        return align_samples(self.sample_ids, sample_data, len(self.values), feature_ids=self._feature_names)[0]

    @property
    def _feature_names(self) -> list[str] | None:
        return None if self.feature_ids is None else [str(name) for name in self.feature_ids]

    @property
    def sample_index(self) -> pd.Index[Any]:
        """Sample IDs, or positions."""
        return pd.RangeIndex(len(self.values)) if self.sample_ids is None else pd.Index(self.sample_ids)

    @property
    def feature_index(self) -> pd.Index[Any]:
        """Feature IDs, or positions."""
        return pd.RangeIndex(self.values.shape[1]) if self.feature_ids is None else pd.Index(self.feature_ids)


def read_counts(
    X: Any,
    *,
    library_sizes: ArrayLike | pd.Series | None = None,
    orientation: Orientation = "samples",
    layer: str | None = None,
) -> CountTable:
    """Check counts and take their library sizes.

    Parameters
    ----------
    X : array, DataFrame, AnnData, scipy sparse matrix, or LabelledMatrix
        Counts, at least 0; fractions, as estimated by pseudo-alignment, are accepted.
    library_sizes : array-like of shape (n_samples,) or Series, optional
        By default the totals of the features given.
    orientation : {"samples", "features"}
    layer : str, optional
        Layer of an AnnData object.

    Returns
    -------
    CountTable

    Raises
    ------
    InputError
        Negative, missing or infinite values; samples without counts.

    Examples
    --------
    >>> read_counts([[1, 2], [0, 4]]).library_sizes
    array([3., 4.])
    """
    labelled = as_labelled_matrix(X, orientation=orientation, layer=layer)
    check_finite(labelled.values, labelled.sample_ids, labelled.feature_ids)
    if (labelled.values.min()) < 0:
        raise InputError(
            "Negative values in data passed as counts. Give raw counts, or use a method for values on a log scale."
        )
    given = positive_per_sample("library_sizes", library_sizes, len(labelled.values), labelled.sample_ids)
    sizes = given if given is not None else _totals(labelled.values, labelled.sample_ids)
    return CountTable(labelled.values, sizes, labelled.sample_ids, labelled.feature_ids, labelled.sample_data)


def positive_per_sample(
    name: str, value: Any, n_samples: int, sample_ids: Sequence[str] | None
) -> NDArray[np.float64] | None:
    """Return one positive number per sample in the order of the samples; None for None.

    Parameters
    ----------
    name : str
        Name of the setting, for messages.
    value : array-like of shape (n_samples,), Series indexed by sample ID, or None
    n_samples : int
    sample_ids : sequence of str, or None

    Returns
    -------
    ndarray of shape (n_samples,) or None

    Raises
    ------
    InputError
        Not one finite number above zero per sample.
    AlignmentError
        A Series that does not name every sample.

    Examples
    --------
    >>> positive_per_sample("size_factors", pd.Series({"a": 2.0, "b": 1.0}), 2, ["b", "a"])
    array([1., 2.])
    """
    found = resolve_annotation(name, value, n_samples, None, sample_ids)
    if found is None:
        return None
    numbers = pd.to_numeric(pd.Series(np.ravel(found)), errors="coerce").to_numpy(dtype=np.float64)
    if len(numbers) != n_samples or not (np.isfinite(numbers).all() and (numbers > 0).all()):
        raise InputError(
            f"{name} must hold one finite number above zero for each of the {n_samples} samples. Leave out samples "
            "without counts, or leave the setting out to have it computed."
        )
    return numbers


def _totals(values: NDArray[Any], sample_ids: Sequence[str] | None) -> NDArray[np.float64]:
    """Totals of the samples, which must be above zero."""
    empty = np.flatnonzero(~values.any(axis=1))
    if empty.size:
        names = ", ".join(str(i) if sample_ids is None else repr(sample_ids[i]) for i in empty[:5])
        raise InputError(
            f"{empty.size} of {len(values)} samples hold no counts at all: {names}. Nothing can be said about them; "
            "leave them out."
        )
    return count_totals(ArrayMatrix(values))
