"""What is known about samples: batch labels and covariates, among the columns of X or beside it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.design import Design
from latentadj.exceptions import AlignmentError, DesignError, InputError

Array = NDArray[np.float64]


def split_columns(X: Any, names: Sequence[Hashable]) -> tuple[Any, pd.DataFrame | None]:
    """Separate the measured features from columns that describe the samples.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_columns)
        A DataFrame if there are names.
    names : sequence of str
        Columns that describe the samples.

    Returns
    -------
    features : array-like of shape (n_samples, n_features)
    table : DataFrame of shape (n_samples, len(names)) or None

    Raises
    ------
    InputError
        X is no DataFrame, or lacks a column.

    Examples
    --------
    >>> X = pd.DataFrame({"g1": [0.1, 0.2], "batch": ["a", "b"]})
    >>> list(split_columns(X, ["batch"])[0])
    ['g1']
    """
    if not names:
        return X, None
    if not isinstance(X, pd.DataFrame):
        raise InputError(
            f"{', '.join(map(repr, names))} are names of columns, so X must be a DataFrame; a {type(X).__name__} was "
            "given. Give a DataFrame, or the values themselves to fit and transform (batch=, covariates=)."
        )
    missing = [name for name in names if name not in X.columns]
    if missing:
        raise InputError(
            f"X has no column(s) {', '.join(map(repr, missing))}. Add them to X, or give the values themselves to "
            "fit and transform (batch=, covariates=)."
        )
    return X.drop(columns=list(names)), X[list(names)]


def aligned_table(values: Any, X: Any, what: str) -> pd.DataFrame:
    """Bring values that are given beside X into the order of its samples.

    Parameters
    ----------
    values : Series, DataFrame or array-like of shape (n_samples,) or (n_samples, q)
        With an index of sample IDs they are matched to X by it, otherwise taken in the order given.
    X : array-like of shape (n_samples, n_features)
    what : str
        Name of unnamed columns, also in messages.

    Returns
    -------
    DataFrame of shape (n_samples, q)

    Raises
    ------
    AlignmentError
        Samples are missing or repeated, or the numbers of rows differ.

    Examples
    --------
    >>> X = pd.DataFrame({"g1": [0.1, 0.2]}, index=["s1", "s2"])
    >>> aligned_table(pd.Series(["b", "a"], index=["s2", "s1"]), X, "batch")["batch"].tolist()
    ['a', 'b']
    """
    table = _table(values, what)
    index = X.index if isinstance(X, pd.DataFrame) else None
    if index is None or not isinstance(values, pd.Series | pd.DataFrame) or isinstance(table.index, pd.RangeIndex):
        _require_length(table, len(X), what)
        return table if index is None else table.set_axis(index, axis=0)
    if table.index.equals(index):
        return table
    lost = index.difference(table.index)
    if len(lost) or not table.index.is_unique:
        raise AlignmentError(
            f"{what}= has no row for {len(lost)} of the {len(index)} samples of X (first: {list(lost[:3])}), or has "
            "several. Index it by the samples of X, or give a plain array in their order."
        )
    return table.loc[index]


def _table(values: Any, what: str) -> pd.DataFrame:
    if isinstance(values, pd.DataFrame):
        return values
    if isinstance(values, pd.Series):
        return values.to_frame(what if values.name is None else values.name)
    array = np.asarray(values)
    if array.ndim == 1:
        return pd.DataFrame({what: array})
    if array.ndim != 2:
        raise InputError(f"{what}= has {array.ndim} dimensions; give one value, or one row of values, per sample.")
    return pd.DataFrame(array, columns=[f"{what}{i + 1}" for i in range(array.shape[1])])


def _require_length(table: pd.DataFrame, n_samples: int, what: str) -> None:
    if len(table) != n_samples:
        raise AlignmentError(f"{what}= has {len(table)} rows and X has {n_samples} samples. Give one row per sample.")


def batch_levels(labels: pd.Series) -> list[Any]:
    """Return the different labels, sorted.

    Parameters
    ----------
    labels : Series of shape (n_samples,)

    Returns
    -------
    list
        Sorted as text if they cannot be compared.

    Raises
    ------
    DesignError
        Labels are missing.

    Examples
    --------
    >>> batch_levels(pd.Series([2, 10, 2]))
    [2, 10]
    """
    missing = np.flatnonzero(labels.isna().to_numpy())
    if missing.size:
        raise DesignError(
            f"The batch of {missing.size} sample(s) is missing, first of sample {labels.index[missing[0]]!r}. Drop "
            "these samples, or give them a batch of their own."
        )
    levels = labels.unique().tolist()
    try:
        return sorted(levels)
    except TypeError:
        return sorted(levels, key=str)


def batch_codes(labels: pd.Series, levels: Sequence[Any]) -> NDArray[np.intp]:
    """Number the batches of samples.

    Parameters
    ----------
    labels : Series of shape (n_samples,)
    levels : sequence
        Batches of the training set.

    Returns
    -------
    ndarray of int, shape (n_samples,)

    Raises
    ------
    DesignError
        A batch that the training set does not have.

    Examples
    --------
    >>> batch_codes(pd.Series(["b", "a"]), ["a", "b"])
    array([1, 0])
    """
    place = {level: code for code, level in enumerate(levels)}
    unseen = [label for label in labels.unique().tolist() if label not in place]
    if unseen:
        raise DesignError(
            f"Batch(es) {', '.join(map(repr, unseen[:5]))} are not in the training set, which has "
            f"{', '.join(map(repr, list(levels)[:10]))}: their shift is not known. Ways out: (1) fit again with "
            "samples of them; (2) leave these samples out; (3) correct the labels, if they are other spellings."
        )
    return np.array([place[label] for label in labels.tolist()], dtype=np.intp)


def covariate_design(table: pd.DataFrame) -> Design:
    """Code covariates: numbers as they are, labels by indicator columns, with an intercept in front.

    Parameters
    ----------
    table : DataFrame of shape (n_samples, q)

    Returns
    -------
    Design
        Its `replay` codes other samples in the same way.

    Raises
    ------
    DesignError
        Missing values, or types without a place in a design.

    Examples
    --------
    >>> covariate_design(pd.DataFrame({"age": [30, 40, 50], "sex": ["f", "m", "f"]})).names
    ('Intercept', 'age', 'sex[T.m]')
    """
    table = table.rename(columns=str)
    return Design.from_columns([], list(table.columns), table)


def coded_columns(design: Design) -> Array:
    """Columns of a covariate design without its intercept, ``(n_samples, q)``.

    Examples
    --------
    >>> coded_columns(covariate_design(pd.DataFrame({"age": [30, 40]}))).ravel()
    array([30., 40.])
    """
    return design.matrix[:, [i for i, name in enumerate(design.names) if name != "Intercept"]]
