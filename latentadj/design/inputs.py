"""Plain inputs of a design: arrays, ready frames and lists of names, checked and brought to one form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.design.codings import KnownColumns
from latentadj.design.covariates import sample_ids_of, with_text_columns
from latentadj.design.estimability import spans_constant
from latentadj.design.wording import quote_list, sample_list
from latentadj.exceptions import AlignmentError, DesignError

INTERCEPT = "Intercept"


@dataclass(frozen=True)
class NumericBlock:
    """Columns given as numbers.

    Attributes
    ----------
    values : (n, k) float64
    names : tuple of str
        k column names.
    sample_ids : tuple of str or None
        Index of a frame, when it is more than 0, 1, 2 ...

    Examples
    --------
    >>> NumericBlock(np.ones((2, 1)), ("x",)).sample_ids is None
    True
    """

    values: NDArray[np.float64]
    names: tuple[str, ...]
    sample_ids: tuple[str, ...] | None = None


def numeric_block(values: Any, stem: str, names: Sequence[str] | None = None) -> NumericBlock:
    """Read a vector, a matrix, a Series or a numeric DataFrame.

    Parameters
    ----------
    values : array-like (n,) or (n, k)
        Numbers only.
    stem : str
        Default name: ``stem`` for one column, ``stem1, stem2 ...`` for several.
    names : sequence of str, optional
        Names to use instead.

    Returns
    -------
    NumericBlock

    Raises
    ------
    DesignError
        Not numeric, more than two dimensions, values that are missing or infinite, or a wrong number of
        names.

    Examples
    --------
    >>> numeric_block([0, 1, 1], "x").names, numeric_block(np.ones((3, 2)), "x").names
    (('x',), ('x1', 'x2'))
    """
    ids, found = None, None
    if isinstance(values, pd.Series):
        ids, found = sample_ids_of(values.to_frame()), None if values.name is None else [str(values.name)]
    elif isinstance(values, pd.DataFrame):
        values = with_text_columns(values)
        ids, found = sample_ids_of(values), list(values.columns)
    matrix = _as_matrix(values)
    width = matrix.shape[1]
    default = [stem] if width == 1 else [f"{stem}{number}" for number in range(1, width + 1)]
    labels = [str(name) for name in (names if names is not None else found or default)]
    if len(labels) != width:
        raise DesignError(f"{len(labels)} names were given for {width} design columns: {quote_list(labels)}.")
    bad = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
    if bad.size:
        raise DesignError(
            f"Design values are missing or infinite in {bad.size} samples: {sample_list(bad, ids)}. Drop "
            "these samples from the design and the matrix, or fill the values in."
        )
    return NumericBlock(matrix, tuple(labels), ids)


def join_blocks(primary: NumericBlock, nuisance: NumericBlock | None, *, intercept: bool) -> KnownColumns:
    """Put nuisance and tested columns together, with a column of ones in front unless it is spanned already.

    Parameters
    ----------
    primary : NumericBlock
        Tested columns. A column of ones among several counts as the intercept and becomes a nuisance column.
    nuisance : NumericBlock or None
        Adjustment columns.
    intercept : bool
        Add the column of ones.

    Returns
    -------
    KnownColumns

    Raises
    ------
    DesignError
        The blocks differ in length, or two columns share a name.

    Examples
    --------
    >>> join_blocks(numeric_block([0, 1, 1], "x"), None, intercept=True).names
    ('Intercept', 'x')
    """
    n = primary.values.shape[0]
    if nuisance is None:
        nuisance = NumericBlock(np.zeros((n, 0)), ())
    if nuisance.values.shape[0] != n:
        raise DesignError(
            f"The tested columns have {n} rows and the adjustment columns {nuisance.values.shape[0]}; both "
            "need one row per sample, in the same order."
        )
    primary, nuisance = _move_ones(primary, nuisance)
    matrix, names = nuisance.values, nuisance.names
    if intercept and not spans_constant(matrix):
        matrix, names = np.hstack([np.ones((n, 1)), matrix]), (INTERCEPT, *names)
    roles = ("nuisance",) * len(names) + ("primary",) * len(primary.names)
    names = (*names, *primary.names)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DesignError(f"Several design columns are named {quote_list(twice)}. Give different names.")
    if not names:
        raise DesignError("The design has no column at all. Leave intercept=True, or give at least one column.")
    return KnownColumns(np.hstack([matrix, primary.values]), names, roles, names, tuple((name,) for name in names))


def align_frame(frame: pd.DataFrame, sample_data: pd.DataFrame | None) -> pd.DataFrame:
    """Bring a ready design frame into the order of the sample table, by ID when both have IDs.

    Parameters
    ----------
    frame : DataFrame
        Ready design columns.
    sample_data : DataFrame or None
        The aligned sample table.

    Returns
    -------
    DataFrame

    Raises
    ------
    AlignmentError
        The IDs or the numbers of rows do not fit together.

    Examples
    --------
    >>> frame = pd.DataFrame({"x": [1.0, 2.0]}, index=["b", "a"])
    >>> align_frame(frame, pd.DataFrame(index=["a", "b"]))["x"].tolist()
    [2.0, 1.0]
    """
    if sample_data is None:
        return frame
    wanted, given = sample_ids_of(sample_data), sample_ids_of(frame)
    if wanted is None or given is None:
        if len(frame) != len(sample_data):
            raise AlignmentError(
                f"The design frame has {len(frame)} rows and there are {len(sample_data)} samples. Give one "
                "row per sample, indexed by sample ID."
            )
        return frame.set_axis(sample_data.index, axis="index")
    missing = [name for name in wanted if name not in set(given)]
    if missing or len(set(given)) != len(given):
        raise AlignmentError(
            f"The design frame lacks {len(missing)} of {len(wanted)} sample IDs ({quote_list(missing, 5)}) "
            "or repeats some. Index the frame by sample ID, one row each."
        )
    place = {name: row for row, name in enumerate(given)}
    return frame.iloc[[place[name] for name in wanted]]


def is_name_list(value: object) -> bool:
    """Tell whether a value is a list of column names: a list or index whose items are all text.

    Examples
    --------
    >>> is_name_list(["age"]), is_name_list([0, 1]), is_name_list("age")
    (True, False, False)
    """
    return isinstance(value, list | tuple | pd.Index) and all(isinstance(item, str) for item in value)


def _as_matrix(values: Any) -> NDArray[np.float64]:
    try:
        matrix = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise DesignError(
            "A design given as an array or a frame must hold numbers only. Use a formula or a list of "
            "column names for text: latentadj codes categories then."
        ) from None
    if matrix.ndim == 1:
        matrix = matrix[:, None]
    if matrix.ndim != 2:
        raise DesignError(f"A design array has one or two dimensions, not {matrix.ndim}. Give samples x columns.")
    return matrix


def _move_ones(primary: NumericBlock, nuisance: NumericBlock) -> tuple[NumericBlock, NumericBlock]:
    """Move a column of ones out of several tested columns: an intercept is never tested."""
    ones = np.flatnonzero((primary.values == 1.0).all(axis=0))
    if primary.values.shape[1] < 2 or not ones.size or not primary.values.shape[0]:
        return primary, nuisance
    first = int(ones[0])
    rest = [column for column in range(len(primary.names)) if column != first]
    kept = NumericBlock(primary.values[:, rest], tuple(primary.names[c] for c in rest), primary.sample_ids)
    values = np.hstack([primary.values[:, [first]], nuisance.values])
    return kept, NumericBlock(values, (primary.names[first], *nuisance.names), nuisance.sample_ids)
