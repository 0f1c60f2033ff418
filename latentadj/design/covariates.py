"""The columns of a sample table as covariates: what type each one is, and the table that says so."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from latentadj.design.wording import near_matches, quote_list, sample_list
from latentadj.exceptions import DesignError

MAX_DISTINCT = 12
_LABEL_WORDS = re.compile(
    r"(?:^|[^a-z])(?:batch|site|plate|chip|lane|cent(?:er|re)|run)(?:es|s|id|no|num|nr)?(?:[^a-z]|$)"
)


@dataclass(frozen=True)
class CovariateInfo:
    """One row of the parsed table: how a column of the sample table was read.

    Attributes
    ----------
    name : str
        Column name.
    role : str
        ``"primary"`` (tested) or ``"nuisance"`` (adjusted for).
    kind : str
        ``"numeric"`` or ``"categorical"``.
    levels, counts : tuple
        Levels of a categorical column and the number of samples in each; empty for a numeric one.
    reference : str or None
        First level, which treatment coding compares with.
    n_missing : int
        Number of samples without a value.
    minimum, maximum : float or None
        Range of a numeric column, in its own unit.

    Examples
    --------
    >>> CovariateInfo("group", "primary", "categorical", ("a", "b"), (1, 2)).level_text
    'a: 1, b: 2'
    """

    name: str
    role: str
    kind: str
    levels: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    reference: str | None = None
    n_missing: int = 0
    minimum: float | None = None
    maximum: float | None = None

    @property
    def level_text(self) -> str:
        """Levels with counts, ``"a: 1, b: 2"``."""
        return ", ".join(f"{level}: {count}" for level, count in zip(self.levels, self.counts, strict=True))


def with_text_columns(sample_data: pd.DataFrame) -> pd.DataFrame:
    """Return the table with its column names as text.

    Raises
    ------
    DesignError
        The argument is no DataFrame, or two columns have the same name.

    Examples
    --------
    >>> list(with_text_columns(pd.DataFrame({1: [0.5]})).columns)
    ['1']
    """
    if not isinstance(sample_data, pd.DataFrame):
        raise DesignError(
            f"The sample table is a {type(sample_data).__name__}; a pandas DataFrame with one row per "
            "sample is needed. Build one with pandas.DataFrame, or give the design as arrays."
        )
    names = [str(name) for name in sample_data.columns]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise DesignError(f"The sample table has several columns named {quote_list(twice)}. Rename or drop them.")
    return sample_data.set_axis(names, axis="columns")


def require_columns(wanted: Iterable[str], sample_data: pd.DataFrame) -> None:
    """Raise a DesignError that names the wanted columns which the table lacks, with near matches.

    Examples
    --------
    >>> require_columns(["age"], pd.DataFrame({"age": [1.0]}))
    """
    known = [str(name) for name in sample_data.columns]
    missing = [name for name in wanted if name not in known]
    if missing:
        raise DesignError(
            f"The sample table has no column {quote_list(missing)}.{near_matches(missing[0], known)} "
            f"Columns: {quote_list(known)}."
        )


def sample_ids_of(sample_data: pd.DataFrame) -> tuple[str, ...] | None:
    """Return the index as IDs, or None for the default index 0, 1, 2 ...

    Examples
    --------
    >>> sample_ids_of(pd.DataFrame({"x": [1]}, index=["s1"])), sample_ids_of(pd.DataFrame({"x": [1]}))
    (('s1',), None)
    """
    index = sample_data.index
    if isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1:
        return None
    return tuple(str(label) for label in index)


def prepare_frame(
    sample_data: pd.DataFrame, variables: Sequence[str], levels: dict[str, tuple[object, ...]] | None = None
) -> pd.DataFrame:
    """Copy the columns a design reads, as float, integer or categorical columns without gaps.

    Parameters
    ----------
    sample_data : DataFrame
        One row per sample, text column names.
    variables : sequence of str
        Columns to take.
    levels : dict, optional
        Frozen levels of categorical columns, when a design is replayed.

    Returns
    -------
    DataFrame
        Numbers stay numbers; text, booleans and categories become categories (sorted, or in the order of a
        pandas categorical, unused levels dropped). The first level is the reference.

    Raises
    ------
    DesignError
        A value is missing or infinite, a column has a type that no design can hold, or a level was not in the
        training table.

    Examples
    --------
    >>> frame = prepare_frame(pd.DataFrame({"sex": ["m", "f"], "age": [40, 50]}), ["sex", "age"])
    >>> list(frame["sex"].cat.categories), frame["age"].dtype.kind
    (['f', 'm'], 'i')
    """
    require_columns(variables, sample_data)
    ids = sample_ids_of(sample_data)
    _refuse_missing(sample_data, variables, ids)
    frozen = levels or {}
    columns = {name: _typed(sample_data[name], name, frozen.get(name), ids) for name in variables}
    return pd.DataFrame(columns, index=sample_data.index)


def describe_covariate(values: pd.Series, name: str, role: str, kind: str) -> CovariateInfo:
    """Summarise one prepared column.

    Parameters
    ----------
    values : Series of length n
        A column of :func:`prepare_frame`.
    name, role, kind : str
        Entries of the table; ``kind`` may be categorical for numbers inside ``C(...)``.

    Returns
    -------
    CovariateInfo

    Examples
    --------
    >>> describe_covariate(pd.Series([1.0, 3.0]), "age", "nuisance", "numeric").maximum
    3.0
    """
    missing = int(values.isna().sum())
    if kind == "numeric":
        numbers = values.to_numpy(dtype=np.float64)
        lowest, highest = (float(numbers.min()), float(numbers.max())) if numbers.size else (None, None)
        return CovariateInfo(name, role, kind, n_missing=missing, minimum=lowest, maximum=highest)
    levels = level_values(values)
    counts = values.value_counts()
    numbers_of = tuple(int(counts.get(level, 0)) for level in levels)
    texts = tuple(str(level) for level in levels)
    return CovariateInfo(name, role, kind, texts, numbers_of, texts[0] if texts else None, missing)


def level_values(values: pd.Series) -> tuple[object, ...]:
    """Return the levels of a prepared column: its categories, or its sorted distinct numbers.

    Examples
    --------
    >>> [int(level) for level in level_values(pd.Series([2, 1, 2]))]
    [1, 2]
    """
    if isinstance(values.dtype, pd.CategoricalDtype):
        return tuple(values.cat.categories)
    return tuple(np.unique(values.to_numpy()))


def covariate_table(covariates: Iterable[CovariateInfo]) -> pd.DataFrame:
    """Lay the covariates out as a table, one row each.

    Returns
    -------
    DataFrame
        Columns ``name, role, kind, levels, reference, missing, minimum, maximum``.

    Examples
    --------
    >>> covariate_table([CovariateInfo("age", "primary", "numeric", minimum=1.0, maximum=2.0)]).loc[0, "kind"]
    'numeric'
    """
    names = ["name", "role", "kind", "levels", "reference", "missing", "minimum", "maximum"]
    rows = [
        (c.name, c.role, c.kind, c.level_text, c.reference or "", c.n_missing, c.minimum, c.maximum) for c in covariates
    ]
    return pd.DataFrame(rows, columns=names).astype({"minimum": np.float64, "maximum": np.float64})


def looks_categorical(name: str, values: pd.Series) -> bool:
    """Tell whether a numeric column is a label in disguise: up to 12 whole numbers, a name like batch.

    Examples
    --------
    >>> looks_categorical("batch_id", pd.Series([1, 2, 3])), looks_categorical("age", pd.Series([1, 2, 3]))
    (True, False)
    """
    if isinstance(values.dtype, pd.CategoricalDtype):
        return False
    numbers = values.to_numpy(dtype=np.float64)
    if np.unique(numbers).size > MAX_DISTINCT or not bool(np.all(numbers == np.round(numbers))):
        return False
    spaced = re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
    return _LABEL_WORDS.search(spaced) is not None


def unseen_levels(values: Iterable[object], known: Collection[object]) -> list[str]:
    """Return the values outside ``known`` as text, in order of appearance.

    Examples
    --------
    >>> unseen_levels(["a", "z", "z"], ("a", "b"))
    ['z']
    """
    allowed = set(known) | {str(level) for level in known}
    return list(dict.fromkeys(str(value) for value in values if value not in allowed and str(value) not in allowed))


def _refuse_missing(sample_data: pd.DataFrame, variables: Sequence[str], ids: tuple[str, ...] | None) -> None:
    gaps = sample_data[list(variables)].isna()
    affected = [name for name in variables if bool(gaps[name].any())]
    if not affected:
        return
    rows = np.flatnonzero(gaps.any(axis=1).to_numpy())
    counts = ", ".join(f"`{name}` in {int(gaps[name].sum())}" for name in affected[:MAX_DISTINCT])
    raise DesignError(
        f"Missing covariate values in {rows.size} of {len(sample_data)} samples ({counts}): "
        f"{sample_list(rows, ids)}. Ways out: (1) drop these samples (sample_data.dropna(subset=[...]) "
        "before aligning the matrix); (2) fill the values in, for a category with a level such as "
        "'unknown'; (3) leave the covariate out of the design."
    )


def _typed(values: pd.Series, name: str, levels: tuple[object, ...] | None, ids: tuple[str, ...] | None) -> pd.Series:
    """Return one column as float64, int64 or category."""
    if levels is not None:
        return _with_levels(values, name, levels, ids)
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return values.cat.remove_unused_categories()
    if pd.api.types.is_bool_dtype(dtype):
        return values.astype(bool).astype("category")
    if pd.api.types.is_integer_dtype(dtype):
        return values.astype(np.int64)
    if pd.api.types.is_float_dtype(dtype):
        return _finite(values.astype(np.float64), name, ids)
    if isinstance(dtype, pd.StringDtype) or dtype.kind == "O":
        return _from_objects(values, name, ids)
    raise DesignError(
        f"Column `{name}` has the type {dtype}, which has no place in a design. Ways out: (1) turn dates "
        "into numbers (days since the first one); (2) turn them into labels with .astype(str)."
    )


def _from_objects(values: pd.Series, name: str, ids: tuple[str, ...] | None) -> pd.Series:
    """Read a column of Python objects: all numbers give floats, everything else gives categories."""
    kind = pd.api.types.infer_dtype(values, skipna=True)
    if kind in {"integer", "floating", "mixed-integer-float", "decimal"}:
        return _finite(values.astype(np.float64), name, ids)
    if kind in {"datetime", "date", "timedelta", "period", "complex", "datetime64"}:
        raise DesignError(
            f"Column `{name}` holds values of the kind {kind}. Turn them into numbers (days since the first "
            "one) or into labels with .astype(str)."
        )
    if kind == "boolean":
        return values.astype(bool).astype("category")
    return values.astype(str).astype(object).astype("category")


def _finite(values: pd.Series, name: str, ids: tuple[str, ...] | None) -> pd.Series:
    bad = np.flatnonzero(~np.isfinite(values.to_numpy()))
    if bad.size:
        raise DesignError(
            f"Column `{name}` is infinite in {bad.size} samples: {sample_list(bad, ids)}. Correct the "
            "values or drop these samples."
        )
    return values


def _with_levels(values: pd.Series, name: str, levels: tuple[object, ...], ids: tuple[str, ...] | None) -> pd.Series:
    """Encode a column with frozen levels; a level that training did not have is an error."""
    unseen = unseen_levels(values.tolist(), levels)
    if unseen:
        rows = [row for row, value in enumerate(values.tolist()) if str(value) in unseen]
        raise DesignError(
            f"Column `{name}` has levels that the training samples did not have: {quote_list(unseen)} "
            f"({sample_list(rows, ids)}). Training levels: {quote_list(levels, 30)}. Ways out: (1) drop "
            "these samples; (2) map the level to a known one; (3) fit again with samples of that level."
        )
    codes = {**{str(level): position for position, level in enumerate(levels)}}
    positions = [levels.index(value) if value in levels else codes[str(value)] for value in values.tolist()]
    return pd.Series(pd.Categorical.from_codes(positions, categories=pd.Index(levels)), index=values.index)
