"""Cross tables of two covariates: which cells hold no sample."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.design.covariates import MAX_DISTINCT, level_values
from latentadj.exceptions import DesignError

_MAX_TABLE = 12


def cross_table(frame: pd.DataFrame, rows: str, columns: str) -> pd.DataFrame:
    """Count the samples of each pair of levels of two covariates.

    Parameters
    ----------
    frame : DataFrame
        Typed covariates, one row per sample.
    rows, columns : str
        Names of two covariates with at most 12 distinct values, or categorical.

    Returns
    -------
    DataFrame of int
        Levels as text on both sides; empty cells are 0.

    Raises
    ------
    DesignError
        A name is unknown or a column has too many distinct numbers.

    Examples
    --------
    >>> table = pd.DataFrame({"a": ["x", "y", "y"], "b": ["u", "u", "v"]}, dtype="category")
    >>> cross_table(table, "a", "b").to_numpy().tolist()
    [[1, 0], [1, 1]]
    """
    codes = [_codes(frame, name) for name in (rows, columns)]
    counts = np.zeros((len(codes[0][0]), len(codes[1][0])), dtype=np.int64)
    np.add.at(counts, (codes[0][1], codes[1][1]), 1)
    return pd.DataFrame(counts, index=pd.Index(codes[0][0], name=rows), columns=pd.Index(codes[1][0], name=columns))


def cross_table_text(table: pd.DataFrame) -> str:
    """Lay a cross table out as text; empty cells read ``EMPTY``, long tables are cut to 12 rows and columns.

    Examples
    --------
    >>> table = pd.DataFrame([[2, 0]], index=["x"], columns=["u", "v"])
    >>> "EMPTY" in cross_table_text(table)
    True
    """
    shown = table.iloc[:_MAX_TABLE, :_MAX_TABLE]
    text = shown.astype(str).replace("0", "EMPTY").to_string()
    hidden = shown.shape != table.shape
    return (
        f"{text}\n(first {shown.shape[0]} x {shown.shape[1]} of {table.shape[0]} x {table.shape[1]})"
        if hidden
        else text
    )


def _codes(frame: pd.DataFrame, name: str) -> tuple[list[str], NDArray[np.int64]]:
    values = frame[name]
    levels = level_values(values)
    if len(levels) > MAX_DISTINCT and not isinstance(values.dtype, pd.CategoricalDtype):
        raise DesignError(
            f"`{name}` is numeric with {len(levels)} distinct values; a cross table needs at most "
            f"{MAX_DISTINCT}. Cut it into classes (pandas.cut) or name a categorical covariate."
        )
    position = {level: code for code, level in enumerate(levels)}
    return [str(level) for level in levels], np.array([position[value] for value in values.tolist()], dtype=np.int64)
