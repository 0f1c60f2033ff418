"""Delimited text with row names: its layout, a fast parse, and a slow one that finds what is wrong."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..exceptions import FileFormatError
from .identifiers import show_ids
from .text_files import open_text, text_suffix

NA_TOKENS = ("", "NA", "NaN", "nan", "N/A", "#N/A", "<NA>", "NULL", "null")
_DELIMITERS = {".csv": ",\t;", ".tsv": "\t,;", ".txt": "\t,; "}


def choose_delimiter(path: Path, line: str) -> str:
    """Choose the delimiter the suffix stands for if the first line has it, else the next one that it has.

    Parameters
    ----------
    path : Path
    line : str
        First line of the file.

    Returns
    -------
    str

    Examples
    --------
    >>> choose_delimiter(Path("a.csv"), "id;x;y")
    ';'
    """
    candidates = _DELIMITERS.get(text_suffix(path), "\t,;")
    return next((mark for mark in candidates if mark in line), candidates[0])


@dataclass(frozen=True)
class TextLayout:
    """Where the names and the values of a delimited file stand.

    Attributes
    ----------
    path : Path
    delimiter : str
    columns : tuple of str
        Names of the value columns (without the one over the row names), unchanged.
    header_lines : int
        Lines to skip before the first row of values.
    n_fields : int
        Fields of every row: the row name and one per column.

    Examples
    --------
    >>> TextLayout(Path("a.csv"), ",", ("x", "y"), 1, 3).n_fields
    3
    """

    path: Path
    delimiter: str
    columns: tuple[str, ...]
    header_lines: int
    n_fields: int


def read_layout(path: Path) -> TextLayout:
    r"""Read the heading and the first row, and settle delimiter, column names and number of fields.

    A heading with one field fewer than the rows (as R writes it) names the value columns only; otherwise its
    first field stands over the row names.

    Parameters
    ----------
    path : Path

    Returns
    -------
    TextLayout

    Raises
    ------
    FileFormatError
        Empty file, heading without rows, a single column, or a heading that does not fit the first row.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "m.csv")
    ...     _ = path.write_text("a,b\nr1,1,2\n")
    ...     read_layout(path).columns
    ('a', 'b')
    """
    with open_text(path) as handle:
        blank = 0
        first = handle.readline()
        while first and not first.strip():
            blank, first = blank + 1, handle.readline()
        if not first:
            raise FileFormatError(f"{path} holds no text, only blank lines. Write the file again.")
        delimiter = choose_delimiter(path, first)
        reader = csv.reader(_chain(first, handle), delimiter=delimiter)
        header, body = _first_two(path, reader, blank)
    n_lines, heading = header
    if len(heading) not in (len(body), len(body) - 1):
        raise FileFormatError(
            f"{path}: the heading has {len(heading)} fields and the first row has {len(body)} (separated by "
            f"{delimiter!r}). The heading needs as many fields as the rows, or one fewer."
        )
    columns = tuple(heading[len(heading) - len(body) + 1 :])
    if not columns:
        raise FileFormatError(
            f"{path} has a single column when read with the delimiter {delimiter!r}; row names and at least "
            f"one column of values are needed. Use commas in .csv and tabs in .tsv or .txt."
        )
    return TextLayout(path, delimiter, columns, n_lines, len(body))


def _chain(first: str, handle: TextIO) -> Iterator[str]:
    yield first
    yield from handle


def _first_two(path: Path, reader, blank: int) -> tuple[tuple[int, list[str]], list[str]]:  # type: ignore[no-untyped-def]
    """Return (lines used up to the end of the heading, heading) and the first row."""
    try:
        heading = next(reader)
        n_lines = blank + reader.line_num
        body = next((row for row in reader if row), None)
    except csv.Error as error:
        raise FileFormatError(f"{path} is not delimited text ({error}). Check what kind of file it is.") from error
    if body is None:
        raise FileFormatError(f"{path} has a heading but no rows. Write the file again with its values.")
    return (n_lines, heading), body


def read_numeric(layout: TextLayout, n_rows: int | None = None) -> tuple[NDArray[np.object_], NDArray[np.float64]]:
    r"""Parse the rows: names and numbers; every number becomes the nearest double.

    Parameters
    ----------
    layout : TextLayout
    n_rows : int, optional
        Stop after this many rows.

    Returns
    -------
    names : (n_rows,) object array of str
    values : (n_rows, n_columns) float64
        Cells that are empty or NA are NaN.

    Raises
    ------
    FileFormatError
        Names the line of a row with too many or too few fields, or the row and column of a cell with text.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "m.csv")
    ...     _ = path.write_text("id,a,b\nr1,1,NA\n")
    ...     names, values = read_numeric(read_layout(path))
    >>> names.tolist(), values.tolist()
    (['r1'], [[1.0, nan]])
    """
    try:
        with open_text(layout.path) as handle:
            frame = pd.read_csv(
                handle,
                sep=layout.delimiter,
                header=None,
                skiprows=layout.header_lines,
                nrows=n_rows,
                converters={0: str},
                dtype={column: np.float64 for column in range(1, layout.n_fields)},
                na_values=list(NA_TOKENS),
                keep_default_na=False,
                float_precision="round_trip",
                low_memory=False,
            )
    except (ValueError, pd.errors.ParserError, csv.Error) as error:
        if isinstance(error, FileFormatError):
            raise
        problem = find_problem(layout, n_rows) or f"could not be read as a table of numbers ({error})."
        raise FileFormatError(f"{layout.path} {problem}") from error
    names = frame.iloc[:, 0].to_numpy(dtype=object)
    values = frame.iloc[:, 1:].to_numpy(dtype=np.float64)
    if np.isnan(values[:, -1]).any():  # a row that is too short is filled up silently
        misfit = find_problem(layout, n_rows)
        if misfit:
            raise FileFormatError(f"{layout.path} {misfit}")
    return names, values


def find_problem(layout: TextLayout, n_rows: int | None = None) -> str | None:
    r"""Read the rows one by one and describe the first with a wrong number of fields or with text in it.

    Parameters
    ----------
    layout : TextLayout
    n_rows : int, optional

    Returns
    -------
    str or None
        The rest of a sentence that starts with the path.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "m.csv")
    ...     _ = path.write_text("id,a,b\nr1,1,2\nr2,1\n")
    ...     find_problem(read_layout(path))
    'has 2 fields in line 3, 3 are needed. Check this row for a missing or extra delimiter.'
    """
    return _first_problem(layout, n_rows, (_field_problem, _text_problem))


def find_misfit(layout: TextLayout) -> str | None:
    r"""Describe the first row with a wrong number of fields; cells may hold anything.

    Parameters
    ----------
    layout : TextLayout

    Returns
    -------
    str or None
        The rest of a sentence that starts with the path.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "m.csv")
    ...     _ = path.write_text("id,a\nr1,text\n")
    ...     find_misfit(read_layout(path)) is None
    True
    """
    return _first_problem(layout, None, (_field_problem,))


_RowCheck = Callable[[TextLayout, list[str], int], str | None]


def _first_problem(layout: TextLayout, n_rows: int | None, checks: tuple[_RowCheck, ...]) -> str | None:
    with open_text(layout.path) as handle:
        for _ in range(layout.header_lines):
            handle.readline()
        reader = csv.reader(handle, delimiter=layout.delimiter)
        try:
            for row in islice((row for row in reader if row), n_rows):
                for check in checks:
                    problem = check(layout, row, layout.header_lines + reader.line_num)
                    if problem:
                        return problem
        except csv.Error as error:
            return f"is not delimited text near line {layout.header_lines + reader.line_num} ({error})."
    return None


def _field_problem(layout: TextLayout, row: list[str], line: int) -> str | None:
    if len(row) == layout.n_fields:
        return None
    return (
        f"has {len(row)} fields in line {line}, {layout.n_fields} are needed. Check this row for a missing "
        f"or extra delimiter."
    )


def _text_problem(layout: TextLayout, row: list[str], line: int) -> str | None:
    text = [position for position, cell in enumerate(row[1:]) if not is_number(cell)]
    if not text:
        return None
    names = [layout.columns[position] for position in text]
    cell = row[1 + text[0]]
    others = f" (and {len(text) - 1} more in this row: {show_ids(names[1:])})" if len(text) > 1 else ""
    comma = " Numbers need a decimal point, not a comma." if is_number(cell.replace(",", ".", 1)) else ""
    return (
        f"has text where a number is needed: line {line}, row {row[0]!r}, column {names[0]!r}: "
        f"{cell!r}{others}. Only the first column may hold text; missing values are empty or NA.{comma}"
    )


def is_number(cell: str) -> bool:
    """Tell whether a cell is a number or a mark for a missing one.

    Parameters
    ----------
    cell : str

    Returns
    -------
    bool

    Examples
    --------
    >>> is_number("1e-3"), is_number("NA"), is_number("n.d.")
    (True, True, False)
    """
    if cell in NA_TOKENS:
        return True
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell
