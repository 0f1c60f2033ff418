"""Finished parts of a long analysis in a folder, so that a killed one goes on where it was."""

from __future__ import annotations

import json
import math
import os
import shutil
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from latentadj.core.matrix import FeatureMatrix
from latentadj.core.pass_kernel import PassKernel
from latentadj.core.pass_options import Run
from latentadj.data.file_facts import file_facts
from latentadj.data.locks import try_lock
from latentadj.data.staging import MARK, output_error
from latentadj.data.writers import plain_values, write_json_atomic
from latentadj.exceptions import FileFormatError, InputError, OutputError
from latentadj.execution.notices import CheckpointWarning
from latentadj.execution.pass_key import PassKeys, UnknownContentError
from latentadj.execution.stored_runs import StoredRuns

FORMAT, VERSION = "latentadj checkpoint", 1
HEADER, LOCK = "header.json", "lock"
#: Passes that read less than this are repeated rather than kept.
LEAST_BYTES = 1 << 22
#: Runs (sixteenths of a pass) that take less than this as well: writing them to the disk takes as long.
LEAST_SECONDS = 0.1


class FolderCheckpoint:
    """Keeps what finished runs of passes left, and puts it back when the same analysis is started again.

    Parameters
    ----------
    folder : path
        Made when the first run is kept. One folder for one analysis.
    about : mapping, optional
        What the analysis is made with, as JSON can hold it: formula, method, options. An analysis with another `about`
        is refused. Files that are read by blocks are noted without it, with size and time of their last change.
    least_bytes : int, default=4194304
        Passes that read less than this from the data are not kept.
    least_seconds : float, default=0.1
        Runs that took less than this are not kept.

    Raises
    ------
    InputError
        The folder belongs to another analysis: says what differs. Raised at once for `about` and versions, by the first
        pass for the data.
    OutputError
        Another process is using the folder, or it holds something else.

    Notes
    -----
    An analysis is a sequence of passes over the data, each split into 16 runs. A pass is known by its number and by a
    hash of all that it depends on; where the hash does not fit, this pass and all later ones are discarded. What is put
    back is bit for bit what was kept, so that the end of a resumed analysis equals that of an uninterrupted one. Passes
    whose kernels are not all `PassKernel` are repeated.

    The folder grows by what every pass leaves: 8 bytes for each value per feature (a regression: number of design
    columns and 3), and one matrix of n x n for a Gram matrix. Nothing of the size of the data is written.

    Examples
    --------
    >>> import tempfile
    >>> import latentadj as la
    >>> X, y = np.random.default_rng(0).normal(size=(20, 500)), np.repeat([0, 1], 10)
    >>> always = {"least_bytes": 0, "least_seconds": 0.0}  # small data are not worth it
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with FolderCheckpoint(Path(folder, "kept"), **always) as kept, la.pass_options(checkpoint=kept):
    ...         first = la.adjust(X, la.Design.from_arrays(y), n_factors=1)
    ...     with FolderCheckpoint(Path(folder, "kept"), **always) as kept, la.pass_options(checkpoint=kept):
    ...         again = la.adjust(X, la.Design.from_arrays(y), n_factors=1)
    ...         kept.remove()
    ...     left = list(Path(folder).iterdir())
    >>> bool(np.array_equal(first.tests.p_value, again.tests.p_value)), left
    (True, [])
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        about: Mapping[str, Any] | None = None,
        *,
        least_bytes: int = LEAST_BYTES,
        least_seconds: float = LEAST_SECONDS,
    ) -> None:
        self.folder = Path(folder)
        self.least_bytes, self.least_seconds = least_bytes, least_seconds
        self._header = {
            "format": FORMAT,
            "version": VERSION,
            "latentadj": version("latentadj"),
            "numpy": np.__version__,
            "about": plain_values(about or {}),
        }
        self._keys = PassKeys()
        self._n_passes = 0
        self._lock: BinaryIO | None = None
        self._entered = self._given_up = False
        self._found = _read_header(self.folder)
        self._require_same({name: self._header[name] for name in ("latentadj", "numpy", "about")})

    def begin(self, Y: FeatureMatrix, runs: Sequence[Run], kernels: Sequence[PassKernel]) -> StoredRuns | None:
        """Return the record of the pass that begins now; None where it is not kept.

        Parameters
        ----------
        Y : FeatureMatrix of shape (n_samples, n_features)
        runs : sequence of sequence of slice
        kernels : sequence of PassKernel

        Returns
        -------
        StoredRuns or None

        Raises
        ------
        InputError
            The data are not those of the analysis that the folder belongs to.
        OutputError
            Another process is using the folder.
        """
        if self._given_up or math.prod(Y.shape) * Y.dtype.itemsize < self.least_bytes:
            return None
        if not self._entered:
            self._enter(Y)
        try:
            key = self._keys.next(Y, runs, kernels)
        except UnknownContentError:
            return None
        try:
            self._discard_others(self._n_passes, key)
        except OSError as error:
            self._give_up(error)
            return None
        self._n_passes += 1
        place = self._place(self._n_passes - 1, key)
        return StoredRuns(place, key, len(runs), self.least_seconds, self._give_up)

    @property
    def exists(self) -> bool:
        """Whether an earlier process left something to go on with."""
        return self._found is not None

    @property
    def n_bytes(self) -> int:
        """Bytes on disk."""
        return file_facts(self.folder).get("bytes", 0)

    def close(self) -> None:
        """Let go of the folder and leave what is in it."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def remove(self) -> None:
        """Remove the folder: the analysis is complete, or given up."""
        self.close()
        remove_checkpoint(self.folder)

    def __enter__(self) -> FolderCheckpoint:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _enter(self, Y: FeatureMatrix) -> None:
        """Take hold of the folder for the data of the first pass."""
        self._header["data"] = data_facts(Y)
        self._require_same({"data": self._header["data"]})
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(self.folder, error) from error
        self._lock = self._locked()
        if self._found is None:
            write_json_atomic(self._header, self.folder / HEADER)
        self._entered = True

    def _locked(self) -> BinaryIO | None:
        try:
            lock = try_lock(self.folder / LOCK)
        except OSError:  # a file system without locks
            return None
        if lock is None:
            raise OutputError(
                f"{self.folder} is in use by another process. Wait until that is done, or name another folder."
            )
        return lock

    def _require_same(self, mine: Mapping[str, Any]) -> None:
        if self._found is None:
            return
        differences = [line for name in mine for line in _differences(name, self._found.get(name), mine[name])]
        if differences:
            raise InputError(
                f"{self.folder} was left by another analysis: {'; '.join(differences)}. To go on with that one, start "
                f"it with the same data and options; to begin anew, remove {self.folder}."
            )

    def _place(self, number: int, key: str) -> Path:
        return self.folder / f"{number:05d}-{key}"

    def _discard_others(self, number: int, key: str) -> None:
        """Remove what an analysis that went another way left of this pass and of all later ones, the last first."""
        held = _passes(self.folder, number)
        if [path for path in held if path.name.startswith(f"{number:05d}-")] == [self._place(number, key)]:
            return
        for path in reversed(held):
            shutil.rmtree(path)

    def _give_up(self, error: OSError) -> None:
        """Go on without keeping anything more."""
        if not self._given_up:
            self._given_up = True
            warnings.warn(
                f"Finished parts of the analysis are no longer kept in {self.folder} ({error.strerror or error}). The "
                "analysis goes on; if it is stopped, it begins again at the last pass that is kept.",
                CheckpointWarning,
                stacklevel=2,
            )


def remove_checkpoint(folder: str | os.PathLike[str]) -> bool:
    """Remove a folder with a checkpoint, unless a process is using it; a folder with something else stays.

    Parameters
    ----------
    folder : path

    Returns
    -------
    bool
        Whether it is gone.

    Examples
    --------
    >>> remove_checkpoint("no-such-folder")
    False
    """
    place = Path(folder)
    if not (place / HEADER).exists():
        return False
    with suppress(OSError):
        lock = try_lock(place / LOCK)
        if lock is None:
            return False
        lock.close()
    with suppress(OSError):
        for path in reversed(_passes(place)):
            shutil.rmtree(path)
        (place / LOCK).unlink(missing_ok=True)
        (place / HEADER).unlink()  # what makes the folder a checkpoint goes last
        place.rmdir()
    return not place.exists()


def _passes(folder: Path, first: int = 0) -> list[Path]:
    """Folders of passes from a number on, in order."""
    return sorted(path for path in folder.glob("[0-9]*-*") if int(path.name.split("-")[0]) >= first)


def data_facts(Y: FeatureMatrix) -> dict[str, Any]:
    """Say what a matrix is: shape, type, and the file that it is read from.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)

    Returns
    -------
    dict

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> data_facts(ArrayMatrix(np.ones((2, 3))))
    {'samples': 2, 'features': 3, 'dtype': 'float64'}
    """
    base: Any = Y
    while hasattr(base, "base"):
        base = base.base
    facts: dict[str, Any] = {"samples": Y.shape[0], "features": Y.shape[1], "dtype": str(base.dtype)}
    source = getattr(base, "_arguments", (None,))[0]
    if isinstance(source, str | os.PathLike):
        facts |= {"file": str(source), **file_facts(source)}
    return facts


def _read_header(folder: Path) -> dict[str, Any] | None:
    """Header of a checkpoint; None where there is none yet."""
    path = folder / HEADER
    if not folder.is_dir() or not any(folder.iterdir()):
        return None
    if not path.exists():
        if all(item.name == LOCK or item.name.startswith(MARK) for item in folder.iterdir()):
            return None
        raise OutputError(f"{folder} holds files that are no checkpoint. Name another folder.")
    with suppress(ValueError, OSError):
        header = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(header, dict) and header.get("format") == FORMAT and header.get("version") == VERSION:
            return header
    raise FileFormatError(f"{path} is not the header of a checkpoint that can be read. Remove {folder} to begin anew.")


def _differences(name: str, then: Any, now: Any) -> list[str]:
    """Say what differs between two nested values, by the names that lead there."""
    if isinstance(then, dict) and isinstance(now, dict):
        names = dict.fromkeys([*then, *now])
        below = "" if name == "about" else f"{name}."
        return [line for key in names for line in _differences(f"{below}{key}", then.get(key), now.get(key))]
    return [] if then == now else [f"{name} was {json.dumps(then)}, and is {json.dumps(now)} now"]
