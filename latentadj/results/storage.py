"""Results on disk: ``result.json`` for the structure, ``arrays.npz`` for the numbers, no pickle."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentadj.data.writers import atomic_directory
from latentadj.exceptions import FileFormatError, OutputError
from latentadj.results.adjustment import AdjustmentResult
from latentadj.results.encoding import ResultReader, ResultWriter

__all__ = ["load_result", "save_result"]

FORMAT = "latentadj result"
VERSION = 1
RECORD, ARRAYS = "result.json", "arrays.npz"


def save_result(result: AdjustmentResult, directory: str | os.PathLike[str]) -> Path:
    """Write a result to a folder, without pickle.

    Parameters
    ----------
    result : AdjustmentResult
        Its data matrix is left out.
    directory : path
        Made if it is not there. A result in it is replaced as a whole; other files stay.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    OutputError
        The folder cannot be written, or holds files of these names that are no saved result.
    InputError
        A value in the sample table, the details or the manifest has no form on disk.

    Notes
    -----
    Numbers keep every bit, tables their column types. ``arrays.npz`` opens with `numpy.load` and names arrays
    by their place in the result (``tests.p_value``); ``result.json`` holds the rest and the hash of the arrays.
    Parts of a derived class (a rule's own kind of `RuleAnswer`) come back as the class they derive from.

    Examples
    --------
    >>> import tempfile, latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 50))
    >>> res = la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), method="none")
    >>> with tempfile.TemporaryDirectory() as parent:
    ...     again = load_result(save_result(res, Path(parent, "study")))
    >>> again.tidy().equals(res.tidy())
    True
    """
    folder = Path(directory)
    _refuse_foreign(folder)
    writer = ResultWriter()
    writer.reference(result, "")
    try:
        with atomic_directory(folder, overwrite=True, owned=(ARRAYS, RECORD)) as staging:
            _write(writer, staging)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be written ({error.strerror or error}). Choose a folder that you may write to, or free "
            "space on the disk."
        ) from error
    return folder


def load_result(directory: str | os.PathLike[str]) -> AdjustmentResult:
    """Read a result that `save_result` wrote.

    Parameters
    ----------
    directory : path

    Returns
    -------
    AdjustmentResult
        Equal to the saved one in every number; its `matrix` is None. Contrasts work as before, and
        ``design.replay`` too unless the design had been cut to other samples than its formula was read on.

    Raises
    ------
    FileFormatError
        The folder or a file is missing, truncated, no result, or of a newer format.

    Examples
    --------
    >>> load_result("no-such-folder")
    Traceback (most recent call last):
    ...
    latentadj.exceptions.FileFormatError: no-such-folder is no folder. Give the folder that result.save() wrote.
    """
    folder = Path(directory)
    record = _checked_record(folder)
    arrays = _checked_arrays(folder / ARRAYS, record.get("arrays_sha256"))
    try:
        return ResultReader(arrays).result(record["objects"])
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError, ImportError) as error:
        raise FileFormatError(
            f"{folder / RECORD} is not a complete result ({type(error).__name__}: {error}). Save the result again."
        ) from error


def _write(writer: ResultWriter, staging: Path) -> None:
    with (staging / ARRAYS).open("wb") as stream:
        np.savez(stream, **writer.arrays)  # type: ignore[arg-type]
    record = {
        "format": FORMAT,
        "version": VERSION,
        "arrays_sha256": _sha256(staging / ARRAYS),
        "objects": writer.objects,
    }
    (staging / RECORD).write_text(json.dumps(record, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _refuse_foreign(folder: Path) -> None:
    """Stop before files are replaced that are not ours."""
    present = [name for name in (RECORD, ARRAYS) if (folder / name).exists()]
    if not present:
        return
    try:
        _record(folder)
    except FileFormatError as error:
        raise OutputError(
            f"{folder} already holds {' and '.join(present)}, but no saved result ({error}) Name another folder, or "
            "remove these files."
        ) from None


def _checked_record(folder: Path) -> dict[str, Any]:
    """Read ``result.json`` and check that this version can understand it."""
    if not folder.is_dir():
        raise FileFormatError(f"{folder} is no folder. Give the folder that result.save() wrote.")
    missing = [name for name in (RECORD, ARRAYS) if not (folder / name).is_file()]
    if missing:
        raise FileFormatError(
            f"{folder} holds no complete result: {' and '.join(missing)} missing. Give the folder that result.save() "
            "wrote, with both of its files."
        )
    record = _record(folder)
    version = record.get("version")
    if not isinstance(version, int) or not 1 <= version <= VERSION:
        raise FileFormatError(
            f"{folder / RECORD} has the format version {version!r}; this latentadj reads 1 to {VERSION}. Install a "
            "newer latentadj, or save the result again with this one."
        )
    return record


def _record(folder: Path) -> dict[str, Any]:
    """Read ``result.json`` and check that latentadj wrote it."""
    path = folder / RECORD
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read ({error.strerror or error}).") from error
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"{path} is no JSON, or is cut off ({error}). Save the result again.") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise FileFormatError(f"{path} was not written by latentadj. Give the folder that result.save() wrote.")
    return record


def _checked_arrays(path: Path, expected: object) -> dict[str, NDArray[Any]]:
    """Read ``arrays.npz``, which must be the file that ``result.json`` was written with."""
    try:
        found = _sha256(path)
        if found != expected:
            raise FileFormatError(
                f"{path} is truncated, damaged, or belongs to another save than {RECORD} beside it (its hash differs). "
                "Copy both files again, or save the result again."
            )
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        raise FileFormatError(f"{path} cannot be read ({error}). Save the result again.") from error
    except ValueError as error:
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError(f"{path} holds arrays that need pickle, or is no .npz file ({error}).") from error
