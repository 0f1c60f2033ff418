"""Text files, plain or gzipped: kind, opening, and one error for what can be wrong with them."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from ..exceptions import FileFormatError


def text_suffix(path: str | os.PathLike[str]) -> str:
    """Give the suffix of a file name in lower case, without a final ``.gz``.

    Parameters
    ----------
    path : path

    Returns
    -------
    str

    Examples
    --------
    >>> text_suffix("Table.CSV.gz")
    '.csv'
    """
    name = Path(path).name.lower()
    return Path(name.removesuffix(".gz")).suffix


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """Open plain or gzipped text (told apart by content) and turn what can go wrong into one error.

    Parameters
    ----------
    path : Path

    Yields
    ------
    text handle, UTF-8, a byte order mark is skipped

    Raises
    ------
    FileFormatError
        No such file, a folder, empty, a truncated or damaged gzip, not UTF-8 text, not readable.

    Examples
    --------
    >>> with open_text(Path("no_such_file.csv")) as handle:
    ...     pass
    Traceback (most recent call last):
    latentadj.exceptions.FileFormatError: There is no file no_such_file.csv. Check the path.
    """
    require_file(path)
    try:
        with _open(path) as handle:
            yield handle
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FileFormatError(
            f"{path} is a truncated or damaged gzip file ({error}). Copy or download it again, or check it "
            f"with 'gzip -t'."
        ) from error
    except UnicodeDecodeError as error:
        raise FileFormatError(
            f"{path} is not UTF-8 text (byte {error.start} of a block cannot be decoded). Save it as UTF-8, "
            f"or give the suffix that fits its kind."
        ) from error


def require_file(path: Path) -> None:
    """Raise unless the path is a readable file that is not empty.

    Parameters
    ----------
    path : Path

    Raises
    ------
    FileFormatError

    Examples
    --------
    >>> require_file(Path("."))
    Traceback (most recent call last):
    latentadj.exceptions.FileFormatError: . is a folder, not a file. Name the file inside it.
    """
    if path.is_dir():
        raise FileFormatError(f"{path} is a folder, not a file. Name the file inside it.")
    if not path.exists():
        raise FileFormatError(f"There is no file {path}. Check the path.")
    if not os.access(path, os.R_OK):
        raise FileFormatError(f"{path} cannot be read (permission denied). Change its permissions.")
    if path.stat().st_size == 0:
        raise FileFormatError(f"{path} is empty (0 bytes). Write the file again.")


def _open(path: Path) -> TextIO:
    with path.open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
    if zipped:
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open("r", encoding="utf-8-sig", newline="")
