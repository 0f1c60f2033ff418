"""Columns of a sample table made ready for association with factors."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.design.covariates import looks_categorical

Array = NDArray[np.float64]

#: Categories are used while there are at least this many samples per level on average.
SAMPLES_PER_LEVEL = 2.0


@dataclass(frozen=True)
class Covariate:
    """One covariate as design columns.

    Attributes
    ----------
    name : str
    kind : {"numeric", "categorical", "skipped"}
    present : ndarray of bool, shape (n_samples,)
        Samples with a value.
    columns : ndarray of shape (n_present, c)
        Centred numbers, or an indicator of every level but the first; empty when skipped.
    levels : tuple of str
        Levels of a categorical covariate.
    note : str
        Why it was skipped, or how it was read.
    """

    name: str
    kind: str
    present: NDArray[np.bool_]
    columns: Array
    levels: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class _Reading:
    """A column's values that are present, as numbers or as labels."""

    values: pd.Series
    numeric: bool
    notes: list[str] = field(default_factory=list)


def read_covariate(values: pd.Series, name: str) -> Covariate:
    """Read one column of a sample table as numbers or labels, or say why it cannot be used.

    Parameters
    ----------
    values : Series of length n_samples
    name : str

    Returns
    -------
    Covariate
        Constant columns, text that differs in every sample (IDs), and labels with fewer than two samples per
        level on average are skipped with a note. Dates count as days, whole numbers in a column named like a
        batch as labels.

    Examples
    --------
    >>> read_covariate(pd.Series(["a", "b", "a", "b", "b"]), "site").levels
    ('a', 'b')
    >>> read_covariate(pd.Series([3, 3, 3]), "lab").note
    'constant'
    """
    present = values.notna().to_numpy()
    reading = _read(values[present], name)
    missing = int(np.count_nonzero(~present))
    if missing:
        reading.notes.append(f"{missing} missing values left out")
    reason = _unusable(reading)
    if reason:
        return Covariate(name, "skipped", present, np.empty((int(present.sum()), 0)), note=reason)
    note = "; ".join(reading.notes)
    if reading.numeric:
        numbers = reading.values.to_numpy(dtype=np.float64)
        centred = numbers - numbers.mean()
        return Covariate(name, "numeric", present, centred[:, None] / np.abs(centred).max(), note=note)
    codes, levels = pd.factorize(reading.values.astype(str), sort=True)
    indicators = (codes[:, None] == np.arange(1, len(levels))).astype(np.float64)
    return Covariate(name, "categorical", present, indicators, tuple(str(level) for level in levels), note)


def read_covariates(sample_data: pd.DataFrame) -> list[Covariate]:
    """Read every column of a sample table; see `read_covariate`.

    Parameters
    ----------
    sample_data : pandas.DataFrame of n_samples rows

    Returns
    -------
    list of Covariate

    Examples
    --------
    >>> [covariate.kind for covariate in read_covariates(pd.DataFrame({"site": list("aabb"), "lab": list("xxxx")}))]
    ['categorical', 'skipped']
    """
    return [read_covariate(sample_data.iloc[:, i], str(name)) for i, name in enumerate(sample_data.columns)]


def _read(values: pd.Series, name: str) -> _Reading:
    dtype = values.dtype
    if pd.api.types.is_datetime64_any_dtype(dtype) or pd.api.types.is_timedelta64_dtype(dtype):
        return _Reading((values - values.min()) / pd.Timedelta(days=1), True, ["dates read as days"])
    if isinstance(dtype, pd.CategoricalDtype) or pd.api.types.is_bool_dtype(dtype):
        return _Reading(values, False)
    if pd.api.types.infer_dtype(values, skipna=True) in ("integer", "floating", "mixed-integer-float", "decimal"):
        numbers = values.astype(np.float64)
        if looks_categorical(name, numbers):
            return _Reading(numbers.astype(np.int64), False, ["numbers read as labels"])
        return _Reading(numbers, True)
    return _Reading(values, False)


def _unusable(reading: _Reading) -> str:
    n, distinct = len(reading.values), int(reading.values.astype(str).nunique())
    if n == 0:
        return "no values"
    if distinct == 1:
        return "constant"
    if reading.numeric:
        finite = bool(np.isfinite(reading.values.to_numpy(dtype=np.float64)).all())
        return "" if finite else "infinite values"
    if distinct == n:
        return "different in every sample (an ID?)"
    if n < SAMPLES_PER_LEVEL * distinct:
        return f"{distinct} levels in {n} samples: too few samples per level"
    return ""
