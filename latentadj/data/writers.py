"""Writers that leave either the old file or the new one, never half of one."""

from __future__ import annotations

import json
import math
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..exceptions import InputError, MissingExtraError
from .staging import MARK, atomic_directory, output_error, sync

__all__ = ["atomic_directory", "plain_values", "write_beside", "write_json_atomic", "write_table_atomic"]


def write_table_atomic(frame: pd.DataFrame, path: str | os.PathLike[str], *, index: bool = True) -> None:
    """Write a table beside its target and move it into place when it is complete.

    Parameters
    ----------
    frame : DataFrame
    path : path
        .csv, .tsv (each also .gz) or .parquet (needs pyarrow). Numbers in text are written so that reading
        them gives the same double.
    index : bool
        Write the row labels as the first column.

    Raises
    ------
    OutputError
        The folder does not exist or cannot be written to, or the disk is full.
    InputError
        Unknown suffix.
    MissingExtraError
        .parquet without pyarrow.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "t.csv")
    ...     write_table_atomic(pd.DataFrame({"a": [0.1]}, index=["r"]), path)
    ...     path.read_text().splitlines()
    [',a', 'r,0.1']
    """
    path = Path(path)
    write_beside(path, _table_writer(frame, path, index))


def write_json_atomic(content: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write a mapping as JSON (UTF-8, indented) beside its target and move it into place.

    Parameters
    ----------
    content : mapping
        NumPy scalars and arrays, tuples, sets and paths are turned into plain values; NaN and infinite
        numbers become null, because JSON has no sign for them.
    path : path

    Raises
    ------
    OutputError
        The target cannot be written.
    InputError
        A value has no form in JSON.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "m.json")
    ...     write_json_atomic({"n": np.int64(3), "x": float("nan")}, path)
    ...     json.loads(path.read_text())
    {'n': 3, 'x': None}
    """
    text = json.dumps(plain_values(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_beside(Path(path), lambda target: target.write_text(text, encoding="utf-8"))


def plain_values(value: Any) -> Any:
    """Turn a nested value into what JSON can hold.

    Parameters
    ----------
    value : object

    Returns
    -------
    dict, list, str, int, float, bool or None

    Raises
    ------
    InputError
        Names the type that has no form in JSON.

    Examples
    --------
    >>> plain_values({"a": np.array([1.0, np.inf]), "b": (Path("x"), True)})
    {'a': [1.0, None], 'b': ['x', True]}
    """
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if value is None or value is pd.NA or isinstance(value, str | bool | int):
        return None if value is pd.NA else value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain_values(item) for key, item in value.items()}
    if isinstance(value, Sequence | set | frozenset):
        items = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [plain_values(item) for item in items]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise InputError(f"A value of type {type(value).__name__} cannot be written as JSON. Turn it into text first.")


def write_beside(path: Path, write: Callable[[Path], Any]) -> None:
    """Call ``write`` on a hidden name in the same folder, then rename it to ``path``.

    Parameters
    ----------
    path : Path
    write : callable
        Gets the hidden path and writes the file.

    Raises
    ------
    OutputError
        The file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_beside(Path(folder, "a.txt"), lambda path: path.write_text("done"))
    ...     Path(folder, "a.txt").read_text()
    'done'
    """
    partial = path.parent / f"{MARK}{secrets.token_hex(6)}-{path.name}"
    try:
        write(partial)
        sync(partial)
        os.replace(partial, path)
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        partial.unlink(missing_ok=True)


def _table_writer(frame: pd.DataFrame, path: Path, index: bool) -> Callable[[Path], Any]:
    name = path.name.lower()
    if name.endswith((".parquet", ".pq")):
        return lambda target: _write_parquet(frame, target, index)
    for suffix, mark in ((".csv", ","), (".tsv", "\t")):
        if name.removesuffix(".gz").endswith(suffix):
            how: Any = {"method": "gzip", "mtime": 0} if name.endswith(".gz") else None
            return lambda target: frame.to_csv(target, sep=mark, index=index, compression=how, lineterminator="\n")
    raise InputError(f"{path}: tables are written as .csv, .tsv (also .gz) or .parquet. Use one of these suffixes.")


def _write_parquet(frame: pd.DataFrame, target: Path, index: bool) -> None:
    try:
        frame.to_parquet(target, index=index, engine="pyarrow")
    except ImportError as error:
        raise MissingExtraError(
            'Writing .parquet needs pyarrow, which is not installed. Run: pip install "latentadj[parquet]"'
        ) from error
