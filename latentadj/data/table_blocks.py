"""Tables that are written piece by piece, so that they need not be held as a whole."""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pandas as pd

from ..exceptions import InputError, MissingExtraError
from .staging import atomic_directory

#: Rows of a chunk of every array of a zarr group.
CHUNK_ROWS = 1 << 16
_EXTRAS = {".parquet": ("pyarrow", "parquet"), ".pq": ("pyarrow", "parquet"), ".zarr": ("zarr", "zarr")}


def write_table_blocks(blocks: Iterable[pd.DataFrame], path: str | os.PathLike[str], *, overwrite: bool = True) -> Path:
    """Write a table that comes in pieces, beside its target, and move it into place when it is complete.

    Parameters
    ----------
    blocks : iterable of DataFrame
        With the same columns; at least one. Row labels are not written.
    path : path
        .csv, .tsv (each also .gz), .parquet (needs pyarrow; a row group for every piece) or .zarr (a group with an
        array for every column, named in order in the attribute ``columns``; needs zarr).
    overwrite : bool, default=True
        Replace an earlier file or .zarr folder.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        Unknown suffix.
    MissingExtraError
        pyarrow or zarr is needed and not installed.
    OutputError
        The file cannot be written, or is there and `overwrite` is False.

    Examples
    --------
    >>> import tempfile
    >>> pieces = [pd.DataFrame({"a": [0.1, 0.2]}), pd.DataFrame({"a": [0.3]})]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_table_blocks(pieces, Path(folder, "t.csv")).read_text().split()
    ['a', '0.1', '0.2', '0.3']
    """
    target = Path(path)
    write = _writer(target)
    with atomic_directory(target.parent, overwrite=overwrite, owned=[target.name]) as staging:
        write(iter(blocks), staging / target.name)
    return target


def require_table_writer(path: str | os.PathLike[str]) -> None:
    """Raise unless tables of this kind can be written here.

    Parameters
    ----------
    path : path

    Raises
    ------
    InputError, MissingExtraError

    Examples
    --------
    >>> require_table_writer("results.csv")
    """
    _writer(Path(path))


def _writer(path: Path) -> Callable[[Iterator[pd.DataFrame], Path], None]:
    name = path.name.lower()
    suffix = Path(name.removesuffix(".gz")).suffix
    if suffix in _EXTRAS:
        module, extra = _EXTRAS[suffix]
        try:
            import_module(module)
        except ImportError as error:
            raise MissingExtraError(
                f'Writing {suffix} needs {module}, which is not installed. Run: pip install "latentadj[{extra}]"'
            ) from error
        return _write_zarr if suffix == ".zarr" else _write_parquet
    if suffix in (".csv", ".tsv"):
        return lambda blocks, place: _write_text(blocks, place, "," if suffix == ".csv" else "\t")
    raise InputError(
        f"{path}: tables are written as .csv, .tsv (also .gz), .parquet or .zarr. Use one of these suffixes."
    )


def _write_text(blocks: Iterator[pd.DataFrame], path: Path, mark: str) -> None:
    with _text_file(path) as handle:
        header = True
        for block in blocks:
            block.to_csv(handle, sep=mark, index=False, header=header, lineterminator="\n")
            header = False


@contextmanager
def _text_file(path: Path) -> Iterator[TextIO]:
    """Open plain or gzipped text for writing; no time stamp in the header."""
    with path.open("wb") as raw, ExitStack() as stack:
        binary: Any = raw
        if path.name.lower().endswith(".gz"):
            binary = stack.enter_context(gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0))
        yield stack.enter_context(io.TextIOWrapper(binary, encoding="utf-8", newline=""))


def _write_parquet(blocks: Iterator[pd.DataFrame], path: Path) -> None:
    arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    first = next(blocks)
    schema = arrow.Schema.from_pandas(first, preserve_index=False)
    with parquet.ParquetWriter(path, schema) as writer:
        for block in chain([first], blocks):
            writer.write_table(arrow.Table.from_pandas(block, schema=schema, preserve_index=False))


def _write_zarr(blocks: Iterator[pd.DataFrame], path: Path) -> None:
    zarr = import_module("zarr")
    group = zarr.create_group(path)
    for block in blocks:
        if "columns" not in group.attrs:
            group.attrs["columns"] = [str(name) for name in block.columns]
        for name in block.columns:
            _append(group, str(name), block[name])


def _append(group: Any, name: str, column: pd.Series) -> None:
    values = column.to_numpy()
    if name not in group:
        dtype = str if values.dtype == object else values.dtype
        group.create_array(name, shape=(0,), chunks=(CHUNK_ROWS,), dtype=dtype)
    array = group[name]
    start = array.shape[0]
    array.resize((start + len(values),))
    array[start:] = values.astype(str).astype(object) if values.dtype == object else np.asarray(values)
