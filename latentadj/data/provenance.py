"""Memory of adjusted data: what was taken out of a matrix, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..exceptions import AlignmentError, InputError
from .identifiers import duplicated_ids, show_ids
from .packing import pack_columns, unpack_columns

Array = NDArray[np.float64]

#: Place of the record in ``DataFrame.attrs`` and in ``AnnData.uns``.
KEY = "latentadj"
_VERSION = 1


def _no_columns() -> Array:
    return np.zeros((0, 0))


@dataclass(frozen=True, eq=False)
class AdjustmentRecord:
    """What was taken out of a matrix.

    Attributes
    ----------
    methods : tuple of str
        How, one title for each adjustment, in order.
    df_spent : float
        Degrees of freedom that it took from every feature.
    sample_ids : tuple of str, length n
        Samples of `columns`; samples may be left out of the matrix or change places later.
    columns : ndarray of shape (n, c)
        Columns in sample space, multiples of which were subtracted from the features: batch codes, covariates,
        scores of factors. Without any when what was removed has no such form. NaN in samples for which a column is
        not known.
    names : tuple of str, length c
    protected : tuple of str
        What was kept from being removed, as far as it has a name.

    Examples
    --------
    >>> record = AdjustmentRecord(("ComBat",), 1, ("s1", "s2"), np.array([[1.0], [-1.0]]), ("batch[S.a]",))
    >>> record.columns_for(["s2"])
    array([[-1.]])
    """

    methods: tuple[str, ...]
    df_spent: float
    sample_ids: tuple[str, ...] = ()
    columns: Array = field(default_factory=_no_columns)
    names: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.columns.shape != (len(self.sample_ids), len(self.names)):
            raise InputError(
                f"{len(self.sample_ids)} sample IDs and {len(self.names)} names do not fit removed columns of shape "
                f"{self.columns.shape}. Give one row per sample ID and one name per column."
            )
        if not (np.isfinite(self.df_spent) and self.df_spent >= 0):
            raise InputError(
                f"df={self.df_spent} degrees of freedom cannot have been spent. Give a number of 0 or more."
            )

    @property
    def title(self) -> str:
        """All methods in words."""
        return ", then ".join(self.methods)

    @property
    def rank(self) -> int:
        """Dimensions that the columns span beside the mean."""
        known = self.columns[self._complete]
        return _rank(known - known.mean(axis=0)) if known.size else 0

    @property
    def _complete(self) -> NDArray[np.bool_]:
        """Samples for which every column is known, (n,)."""
        return np.asarray(np.isfinite(self.columns).all(axis=1))

    @property
    def df_beyond_columns(self) -> float:
        """Degrees of freedom spent on what the columns do not show."""
        return max(float(self.df_spent) - self.rank, 0.0)

    def columns_for(self, sample_ids: Sequence[str]) -> Array:
        """Return the removed columns of given samples.

        Parameters
        ----------
        sample_ids : sequence of str

        Returns
        -------
        ndarray of shape (len(sample_ids), c)

        Raises
        ------
        AlignmentError
            Samples that the record does not know, or knows twice.
        """
        ids = [str(name) for name in sample_ids]
        if not self.names:
            return np.zeros((len(ids), 0))
        position = {name: row for row, name in enumerate(self.sample_ids)}
        known = self._complete
        twice = set(duplicated_ids(self.sample_ids))
        lost = [name for name in ids if name in twice or name not in position or not known[position[name]]]
        if lost:
            raise AlignmentError(
                f"What was taken out of the data ({self.title}) is recorded by sample ID, and {len(lost)} of the "
                f"{len(ids)} samples have no row of their own in that record: {show_ids(lost)}. Keep the sample IDs "
                "that the data had when they were adjusted."
            )
        return np.asarray(self.columns[[position[name] for name in ids]])

    def followed_by(self, later: AdjustmentRecord) -> AdjustmentRecord:
        """Combine two adjustments of the same data.

        Parameters
        ----------
        later : AdjustmentRecord
            The second one.

        Returns
        -------
        AdjustmentRecord
            Columns of both. Degrees of freedom add up, except for what both columns span.

        Examples
        --------
        >>> first = AdjustmentRecord(("ComBat",), 1, ("a", "b"), np.array([[1.0], [-1.0]]), ("batch",))
        >>> both = first.followed_by(first)
        >>> both.title, both.df_spent
        ('ComBat, then ComBat', 1.0)
        """
        ids = tuple(dict.fromkeys((*self.sample_ids, *later.sample_ids)))
        frames = [pd.DataFrame(record.columns, index=list(record.sample_ids)) for record in (self, later)]
        columns = np.hstack([frame[~frame.index.duplicated()].reindex(list(ids)).to_numpy() for frame in frames])
        both = AdjustmentRecord(
            (*self.methods, *later.methods),
            0.0,
            ids,
            columns.astype(np.float64),
            (*self.names, *later.names),
            tuple(dict.fromkeys((*self.protected, *later.protected))),
        )
        return both.costing(both.rank + self.df_beyond_columns + later.df_beyond_columns)

    def costing(self, df: float) -> AdjustmentRecord:
        """Return the same record with other degrees of freedom."""
        return AdjustmentRecord(self.methods, df, self.sample_ids, self.columns, self.names, self.protected)

    def as_mapping(self) -> dict[str, Any]:
        """Return plain values that JSON, parquet and h5ad can hold; `from_mapping` reads them.

        The columns are packed into one text: pandas copies and compares the attributes of a frame whenever it makes
        another one of it.
        """
        return {
            "version": _VERSION,
            "methods": list(self.methods),
            "df_spent": float(self.df_spent),
            "names": list(self.names),
            "protected": list(self.protected),
            "sample_ids": list(self.sample_ids),
            "columns": pack_columns(self.columns),
        }

    @classmethod
    def from_mapping(cls, content: Mapping[str, Any]) -> AdjustmentRecord:
        """Read what `as_mapping` gave.

        Parameters
        ----------
        content : mapping

        Returns
        -------
        AdjustmentRecord

        Raises
        ------
        InputError
            It is something else, or was written by a later version.
        """
        try:
            if int(content["version"]) > _VERSION:
                raise ValueError(f"version {content['version']} is later than {_VERSION}")
            texts = {key: _texts(content[key]) for key in ("methods", "sample_ids", "names", "protected")}
            columns = unpack_columns(str(content["columns"]), (len(texts["sample_ids"]), len(texts["names"])))
            return cls(df_spent=float(content["df_spent"]), columns=columns, **texts)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"The record of what was taken out of the data (attrs[{KEY!r}] of a frame, uns[{KEY!r}] of an AnnData "
                f"object) cannot be read: {error}. Make the adjusted data again, or say anew how they were made "
                "(latentadj.mark_adjusted)."
            ) from error


def adjustment_record(X: Any) -> AdjustmentRecord | None:
    """Return what is recorded about earlier adjustments of data.

    Parameters
    ----------
    X : object
        A DataFrame, an AnnData object, or a `LabelledMatrix`; anything else has no record.

    Returns
    -------
    AdjustmentRecord or None

    Raises
    ------
    InputError
        There is a record, but it cannot be read.

    Examples
    --------
    >>> adjustment_record(pd.DataFrame({"g": [1.0, 2.0]})) is None
    True
    """
    record = getattr(X, "record", None)
    if isinstance(record, AdjustmentRecord):
        return record
    content = _notes_of(X).get(KEY)
    # an AnnData object may hold a result (AdjustmentResult.to_anndata) without having been adjusted
    if content is None or set(content) == {"result"}:
        return None
    return AdjustmentRecord.from_mapping(content)


def attach_record(X: Any, record: AdjustmentRecord | None, *, made_from: Any = None) -> Any:
    """Write down on data what was taken out of them.

    Parameters
    ----------
    X : DataFrame or AnnData
    record : AdjustmentRecord or None
        None when nothing was taken out.
    made_from : object, optional
        The data that X was made from; their record, if they have one, comes first.

    Returns
    -------
    DataFrame or AnnData
        A new frame that shares the values of X and keeps the record through selections, copies, transposition, pickle
        and parquet. An AnnData object is marked itself, as is the custom there.

    Raises
    ------
    InputError
        X is an array or something else that cannot hold notes.

    Examples
    --------
    >>> frame = attach_record(pd.DataFrame({"g": [1.0, 2.0]}), AdjustmentRecord(("quantiles",), 1))
    >>> adjustment_record(frame.iloc[:1].T).title
    'quantiles'
    """
    if not _can_hold_notes(X):
        raise InputError(
            f"A {type(X).__name__} cannot carry a record of what was taken out of it. Put the values into a DataFrame "
            "with the sample IDs as its index, or into an AnnData object."
        )
    earlier = adjustment_record(made_from)
    if record is None or earlier is None:
        record = record or earlier
    else:
        record = earlier.followed_by(record)
    if record is None:
        return X
    if not isinstance(X, pd.DataFrame):
        X.uns[KEY] = {**X.uns.get(KEY, {}), **record.as_mapping()}
        return X
    marked = X.copy(deep=False)
    marked.attrs = {**X.attrs, KEY: record.as_mapping()}
    return marked


def _can_hold_notes(X: Any) -> bool:
    return isinstance(X, pd.DataFrame) or (hasattr(X, "uns") and hasattr(X, "obs_names"))


def _notes_of(X: Any) -> Mapping[Any, Any]:
    if not _can_hold_notes(X):
        return {}
    notes: Mapping[Any, Any] = X.attrs if isinstance(X, pd.DataFrame) else X.uns
    return notes


def _texts(values: Any) -> tuple[str, ...]:
    """Read a list of texts, which h5ad files give back as an array."""
    if isinstance(values, str):
        raise TypeError(f"{values!r} stands where a list is needed")
    return tuple(str(value) for value in values)


def _rank(columns: Array) -> int:
    """Rank of columns that are compared on one scale."""
    size = np.linalg.norm(columns, axis=0)
    scaled = np.divide(columns, size, out=np.zeros_like(columns), where=size > 0)
    return int(np.linalg.matrix_rank(scaled, tol=1e-7)) if columns.size else 0
