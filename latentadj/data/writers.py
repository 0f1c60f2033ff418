"""Writers that leave either the old file or the new one, never half of one."""

from __future__ import annotations

import errno
import json
import math
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..exceptions import InputError, MissingExtraError, OutputError

_MARK = ".latentadj-partial-"


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
    _write_beside(path, _table_writer(frame, path, index))


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
    _write_beside(Path(path), lambda target: target.write_text(text, encoding="utf-8"))


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


@contextmanager
def atomic_directory(
    out_dir: str | os.PathLike[str], *, overwrite: bool = False, owned: Sequence[str] | None = None
) -> Iterator[Path]:
    """Collect output files in a hidden folder and move them into ``out_dir`` when all are complete.

    If the body raises, or is interrupted, ``out_dir`` stays as it was. If a file cannot be moved into place,
    those already moved are put back. Files in ``out_dir`` that the body did not write are never touched.

    Parameters
    ----------
    out_dir : path
        Made, with its parents, if it does not exist.
    overwrite : bool
        Allow files in ``out_dir`` to be replaced.
    owned : sequence of str, optional
        Names the body will write. Without ``overwrite``, only these must not exist yet; if not given,
        ``out_dir`` must be empty.

    Yields
    ------
    Path
        The folder to write into.

    Raises
    ------
    OutputError
        Not a folder, not writable, or files exist and ``overwrite`` is False; raised before the body runs.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as parent:
    ...     with atomic_directory(Path(parent, "out")) as staging:
    ...         _ = Path(staging, "a.txt").write_text("done")
    ...     sorted(p.name for p in Path(parent, "out").iterdir())
    ['a.txt']
    """
    target = Path(out_dir)
    _require_free(target, overwrite, owned)
    made = [folder for folder in target.parents if not folder.exists()]
    staging = _make_staging(target)
    try:
        yield staging
        _move_all(staging, target, overwrite)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        with suppress(OSError):  # not empty: something was written into it
            for folder in made:
                folder.rmdir()


def _require_free(target: Path, overwrite: bool, owned: Sequence[str] | None) -> None:
    if target.exists() and not target.is_dir():
        raise OutputError(f"{target} is a file; a folder for the results is needed. Name another place.")
    if overwrite or not target.exists():
        return
    try:
        present = sorted(p.name for p in target.iterdir() if not p.name.startswith(_MARK))
    except OSError as error:
        raise _output_error(target, error) from error
    clash = present if owned is None else [name for name in owned if (target / name).exists()]
    if clash:
        raise OutputError(
            f"{target} already holds {', '.join(clash[:5])}{' ...' if len(clash) > 5 else ''}. Name another "
            f"folder, or allow replacing with overwrite=True (command line: --overwrite)."
        )


def _make_staging(target: Path) -> Path:
    """Make the hidden folder on the same file system: inside the target if it exists, else beside it."""
    parent = target if target.exists() else target.parent
    staging = parent / f"{_MARK}{secrets.token_hex(6)}"
    try:
        staging.mkdir(parents=True)
    except OSError as error:
        raise _output_error(target, error) from error
    return staging


def _move_all(staging: Path, target: Path, overwrite: bool) -> None:
    """Move every staged file to the same relative place in the target; undo all if one fails."""
    names = sorted(p.relative_to(staging) for p in staging.rglob("*") if not p.is_dir())
    clash = [str(name) for name in names if (target / name).exists()]
    if clash and not overwrite:
        raise OutputError(f"{target} meanwhile holds {', '.join(clash[:5])}. Name another folder, or overwrite.")
    try:
        if target.exists():
            _move_each(names, staging, target)
        else:
            os.replace(staging, target)
    except OSError as error:
        raise _output_error(target, error) from error


def _move_each(names: list[Path], staging: Path, target: Path) -> None:
    backup = staging / f"{_MARK}old"
    done: list[Path] = []
    try:
        for name in names:
            _replace_keeping(staging / name, target / name, backup / name)
            done.append(name)
    except BaseException:
        _put_back(done, target, backup)
        raise


def _replace_keeping(source: Path, place: Path, backup: Path) -> None:
    """Move ``source`` to ``place``; a file that stands there is kept as ``backup``."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.is_dir():
        raise IsADirectoryError(errno.EISDIR, f"{place} is a folder")
    if place.exists():
        backup.parent.mkdir(parents=True, exist_ok=True)
        os.replace(place, backup)
    try:
        os.replace(source, place)
    except BaseException:
        if backup.exists():
            os.replace(backup, place)
        raise


def _put_back(names: list[Path], target: Path, backup: Path) -> None:
    """Restore what was replaced and remove what was new."""
    for name in names:
        with suppress(OSError):
            if (backup / name).exists():
                os.replace(backup / name, target / name)
            else:
                (target / name).unlink()


def _write_beside(path: Path, write: Callable[[Path], Any]) -> None:
    """Call ``write`` on a hidden name in the same folder, then rename it to ``path``."""
    partial = path.parent / f"{_MARK}{secrets.token_hex(6)}-{path.name}"
    try:
        write(partial)
        os.replace(partial, path)
    except OSError as error:
        raise _output_error(path, error) from error
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


def _output_error(path: Path, error: OSError) -> OutputError:
    reason = error.strerror or str(error)
    return OutputError(
        f"{path} cannot be written ({reason}). Choose a folder that exists and that you may write to, or "
        f"free space on the disk."
    )
