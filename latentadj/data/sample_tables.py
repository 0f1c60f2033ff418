"""Sample tables from text: strings stay strings, numbers become numbers, first column = sample ID."""

from __future__ import annotations

import csv
import os
import re
from pathlib import Path

import pandas as pd

from ..exceptions import FileFormatError
from .identifiers import duplicated_ids, require_unique, show_ids
from .parquet import read_parquet_frame
from .text_files import open_text, text_suffix
from .text_tables import NA_TOKENS, TextLayout, find_misfit, read_layout

_LEADING_ZERO = re.compile(r"[+-]?0\d")


def read_samples(path: str | os.PathLike[str]) -> pd.DataFrame:
    r"""Read a sample table, one row per sample, the first column (or parquet index) being the sample ID.

    A column becomes numeric only if every cell that is not missing is a number without leading zeros; all
    other columns stay text ("TRUE", "01", "None" are kept as written). Missing are empty cells, NA, NaN, N/A,
    #N/A, <NA>, NULL. Names of columns are never changed.

    Parameters
    ----------
    path : path
        .csv, .tsv, .txt (each also .gz; delimiter found from the first line) or .parquet.

    Returns
    -------
    DataFrame
        Indexed by sample ID as text.

    Raises
    ------
    FileFormatError
        No such file, empty, damaged, rows of unequal length, repeated column names, or an unknown suffix.
    AlignmentError
        A sample ID occurs twice.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "samples.csv")
    ...     _ = path.write_text("id,plate,age\n1,01,30\n2,02,NA\n")
    ...     read_samples(path)
      plate   age
    1    01  30.0
    2    02   NaN
    """
    path = Path(path)
    suffix = text_suffix(path)
    if suffix in (".parquet", ".pq"):
        table = read_parquet_frame(path)
    elif suffix in (".csv", ".tsv", ".txt"):
        table = _read_text_table(path)
    else:
        raise FileFormatError(
            f"{path}: a sample table of kind {suffix or 'without suffix'} cannot be read. Use .csv, .tsv, "
            f".txt (also .gz) or .parquet."
        )
    require_unique(table.index.tolist(), "sample", str(path))
    return table


def typed_column(cells: list[str]) -> pd.Series:
    """Turn the cells of one column into numbers if all of them are, else into text, with missing as NaN.

    Parameters
    ----------
    cells : list of str

    Returns
    -------
    Series of int64, float64 or object

    Examples
    --------
    >>> typed_column(["1", "2"]).dtype.kind, typed_column(["01", "NA"]).tolist()
    ('i', ['01', nan])
    """
    text = pd.Series([float("nan") if cell in NA_TOKENS else cell for cell in cells], dtype=object)
    present = text.dropna()
    if present.empty or any(_LEADING_ZERO.match(str(cell).strip()) for cell in present):
        return text
    numbers = pd.to_numeric(text, errors="coerce")
    return numbers if numbers.notna().sum() == len(present) else text


def _read_text_table(path: Path) -> pd.DataFrame:
    layout = read_layout(path)
    repeated = duplicated_ids(layout.columns)
    if repeated:
        raise FileFormatError(
            f"{path}: {len(repeated)} column name(s) occur more than once: {show_ids(repeated)}. Rename them."
        )
    rows = _read_rows(layout)
    columns = {
        name: typed_column([row[position] for row in rows]) for position, name in enumerate(layout.columns, start=1)
    }
    return pd.DataFrame(columns).set_axis([row[0] for row in rows], axis=0)


def _read_rows(layout: TextLayout) -> list[list[str]]:
    misfit = find_misfit(layout)
    if misfit:
        raise FileFormatError(f"{layout.path} {misfit}")
    with open_text(layout.path) as handle:
        for _ in range(layout.header_lines):
            handle.readline()
        return [row for row in csv.reader(handle, delimiter=layout.delimiter) if row]
