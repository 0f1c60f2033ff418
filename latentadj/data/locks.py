"""Locks on files, which a process lets go of when it ends, however it ends."""

from __future__ import annotations

import errno
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

_BUSY = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


def try_lock(path: Path) -> BinaryIO | None:
    """Lock a file for this process, unless another one has locked it.

    Parameters
    ----------
    path : Path
        Made if it is not there.

    Returns
    -------
    binary file or None
        Locked until it is closed; None where another process has the lock.

    Raises
    ------
    OSError
        The file cannot be opened, or the system or file system knows no locks.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     held = try_lock(Path(folder, "lock"))
    ...     second = try_lock(Path(folder, "lock"))
    ...     held.close()
    >>> second is None
    True
    """
    handle = path.open("a+b")
    try:
        _lock(handle)
    except OSError as error:
        handle.close()
        if error.errno in _BUSY:
            return None
        raise
    return handle


def _lock(handle: BinaryIO) -> None:
    """Raise OSError when the lock cannot be had at once."""
    posix = _module("fcntl")
    if posix is not None:
        posix.flock(handle, posix.LOCK_EX | posix.LOCK_NB)
        return
    windows = _module("msvcrt")
    if windows is None:
        raise OSError(errno.ENOLCK, "there are no file locks on this system")
    handle.seek(0)
    windows.locking(handle.fileno(), windows.LK_NBLCK, 1)


def _module(name: str) -> Any:
    with suppress(ImportError):
        return import_module(name)
    return None
