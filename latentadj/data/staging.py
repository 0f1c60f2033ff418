"""Folders whose files change all at once, whatever happens on the way: an error, an interruption, a killed process.

New files are collected in a hidden folder, together with a lock that ends with the process. Before the first of them
is moved into place, a journal names them all; files that they replace are kept beside until the journal is removed.
Whoever writes into the folder next finds the journal of a process that is gone, and puts everything back.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ..exceptions import OutputError
from .locks import try_lock

MARK = ".latentadj-partial-"
_LOCK, _JOURNAL, _NEW, _OLD = "lock", "journal.json", "new", "old"
#: Folders of this kind are moved as one thing.
_UNITS = (".zarr",)


@dataclass(frozen=True)
class Staging:
    """A hidden folder with new files, those that they replace, and the journal of their exchange.

    Attributes
    ----------
    place : Path
        The hidden folder.
    target : Path
        Where the files go.
    """

    place: Path
    target: Path

    @property
    def new(self) -> Path:
        """Folder of the new files."""
        return self.place / _NEW

    @property
    def old(self) -> Path:
        """Folder of the files that were replaced."""
        return self.place / _OLD

    @property
    def journal(self) -> Path:
        """Names of the files that are being exchanged."""
        return self.place / _JOURNAL


@contextmanager
def atomic_directory(
    out_dir: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    owned: Sequence[str] | None = None,
    seal: str | None = None,
) -> Iterator[Path]:
    """Collect output files in a hidden folder and move them into ``out_dir`` when all are complete.

    If the body raises, or is interrupted, ``out_dir`` stays as it was. If a file cannot be moved into place,
    those already moved are put back; after a process was killed while it moved them, the next one that writes into
    ``out_dir`` does. Files in ``out_dir`` that the body did not write are never touched.

    Parameters
    ----------
    out_dir : path
        Made, with its parents, if it does not exist.
    overwrite : bool
        Allow files in ``out_dir`` to be replaced.
    owned : sequence of str, optional
        Names the body will write. Without ``overwrite``, only these must not exist yet; if not given,
        ``out_dir`` must be empty.
    seal : str, optional
        Name of a file that says that the others are there: an earlier one is taken away before anything else, the new
        one is moved last.

    Yields
    ------
    Path
        The folder to write into. Folders in it whose names end in .zarr replace earlier ones as a whole.

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
    undo_unfinished(target)
    _require_free(target, overwrite, owned)
    made = [folder for folder in target.parents if not folder.exists()]
    staging, lock = _make_staging(target)
    try:
        yield staging.new
        _move_all(staging, overwrite, seal)
    finally:
        if not staging.journal.exists():  # else something could not be put back; it stays there
            shutil.rmtree(staging.place, ignore_errors=True)
        if lock is not None:
            lock.close()
        with suppress(OSError):  # not empty: something was written into it
            for folder in made:
                folder.rmdir()


def undo_unfinished(out_dir: str | os.PathLike[str]) -> list[str]:
    """Put a folder back to what it was before a process was killed while it moved files into it.

    Parameters
    ----------
    out_dir : path

    Returns
    -------
    list of str
        Names of the files that were moved back.

    Raises
    ------
    OutputError
        A file cannot be moved.

    Examples
    --------
    >>> undo_unfinished("no-such-folder")
    []
    """
    target = Path(out_dir)
    undone: list[str] = []
    for parent, wanted in ((target, "."), (target.parent, target.name)):
        found = sorted(parent.glob(f"{MARK}*/{_LOCK}")) if parent.is_dir() else []
        for lock in found:
            undone += _undo(lock, target, wanted)
    return undone


def sync(path: Path) -> None:
    """Make sure that a file, or the names in a folder, are on the disk.

    Parameters
    ----------
    path : Path

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sync(Path(folder))
    """
    with suppress(OSError):  # folders cannot be opened on every system
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def output_error(path: Path, error: OSError) -> OutputError:
    """Say why something could not be written.

    Parameters
    ----------
    path : Path
    error : OSError

    Returns
    -------
    OutputError

    Examples
    --------
    >>> output_error(Path("a.csv"), OSError(28, "No space left on device")).args[0][:52]
    'a.csv cannot be written (No space left on device). C'
    """
    reason = error.strerror or str(error)
    return OutputError(
        f"{path} cannot be written ({reason}). Choose a folder that exists and that you may write to, or "
        f"free space on the disk."
    )


def _undo(lock: Path, target: Path, wanted: str) -> list[str]:
    """Undo what a process that is gone has left; nothing if it is at work still, or worked on another folder."""
    try:
        held = try_lock(lock)
    except OSError:  # without locks it cannot be known
        held = None
    if held is None:
        return []
    with held:
        held.seek(0)
        if held.read() != os.fsencode(wanted):
            return []
        staging = Staging(lock.parent, target)
        try:
            undone = _put_back(staging)
        except OSError as error:
            raise output_error(target, error) from error
        shutil.rmtree(staging.place, ignore_errors=True)
    return undone


def _require_free(target: Path, overwrite: bool, owned: Sequence[str] | None) -> None:
    if target.exists() and not target.is_dir():
        raise OutputError(f"{target} is a file; a folder for the results is needed. Name another place.")
    if overwrite or not target.exists():
        return
    try:
        present = sorted(p.name for p in target.iterdir() if not p.name.startswith(MARK))
    except OSError as error:
        raise output_error(target, error) from error
    clash = present if owned is None else [name for name in owned if (target / name).exists()]
    if clash:
        raise OutputError(
            f"{target} already holds {', '.join(clash[:5])}{' ...' if len(clash) > 5 else ''}. Name another "
            f"folder, or allow replacing with overwrite=True (command line: --overwrite)."
        )


def _make_staging(target: Path) -> tuple[Staging, BinaryIO | None]:
    """Make the hidden folder on the same file system: inside the target if it exists, else beside it."""
    inside = target.exists()
    staging = Staging((target if inside else target.parent) / f"{MARK}{secrets.token_hex(6)}", target)
    try:
        staging.new.mkdir(parents=True)
    except OSError as error:
        raise output_error(target, error) from error
    with suppress(OSError):  # where there are no locks, a killed process leaves its hidden folder
        lock = try_lock(staging.place / _LOCK)
        if lock is not None:
            lock.write(b"." if inside else os.fsencode(target.name))
            lock.flush()
            return staging, lock
    return staging, None


def _move_all(staging: Staging, overwrite: bool, seal: str | None) -> None:
    """Move every staged file to the same relative place in the target; undo all if one fails."""
    names = sorted(_staged(staging.new), key=lambda name: (str(name) == seal, name))
    clash = [str(name) for name in names if (staging.target / name).exists()]
    if clash and not overwrite:
        raise OutputError(
            f"{staging.target} meanwhile holds {', '.join(clash[:5])}. Name another folder, or overwrite."
        )
    for path in staging.new.rglob("*"):
        sync(path)
    try:
        if staging.target.exists():
            _move_each(names, staging, seal)
        else:
            os.replace(staging.new, staging.target)
        sync(staging.target)
    except OSError as error:
        raise output_error(staging.target, error) from error


def _staged(folder: Path) -> list[Path]:
    """Relative names of what was staged, files and the folders that are moved as one thing."""
    found = []
    for parent, folders, files in os.walk(folder):
        units = [name for name in folders if name.endswith(_UNITS)]
        found += [Path(parent, name).relative_to(folder) for name in (*files, *units)]
        folders[:] = [name for name in folders if name not in units]
    return found


def _move_each(names: list[Path], staging: Staging, seal: str | None) -> None:
    staging.journal.write_text(json.dumps([str(name) for name in names]), encoding="utf-8")
    sync(staging.journal)
    try:
        if seal is not None and Path(seal) in names:
            _set_aside(Path(seal), staging)
        for name in names:
            _set_aside(name, staging)
            os.replace(staging.new / name, staging.target / name)
    except BaseException:
        with suppress(OSError):
            _put_back(staging)
        raise
    staging.journal.unlink()


def _set_aside(name: Path, staging: Staging) -> None:
    """Keep what stands in the place of a new file, and make its folder."""
    place, backup = staging.target / name, staging.old / name
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.is_dir() != (staging.new / name).is_dir() and place.exists():
        raise IsADirectoryError(errno.EISDIR, f"{place} is a folder, or would become one")
    if place.exists():
        backup.parent.mkdir(parents=True, exist_ok=True)
        os.replace(place, backup)


def _put_back(staging: Staging) -> list[str]:
    """Take back new files that were moved, and restore what they replaced; may itself be cut short and repeated."""
    try:
        names = json.loads(staging.journal.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # nothing was moved yet, or everything was
        return []
    undone = []
    for name in names:
        new, old, place = staging.new / name, staging.old / name, staging.target / name
        if not new.exists() and place.exists():
            os.replace(place, new)
            undone.append(name)
        if old.exists():
            os.replace(old, place)
    staging.journal.unlink()
    return undone
