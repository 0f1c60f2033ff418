"""What the runs of one pass left, in files: whole ones, or none."""

from __future__ import annotations

import os
import threading
import time
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentadj.core.pass_kernel import KernelState, PassKernel
from latentadj.data.staging import sync

_SEAL = "seal"
_PARTIAL = ".partial"
_TOTAL = "total"


class StoredRuns:
    """The finished runs of one pass.

    Parameters
    ----------
    folder : Path
        Of this pass; made when the first run is kept.
    key : str
        What defines the pass. It is sealed into every file, so that a file of another pass is never taken.
    n_runs : int
    least_seconds : float
        Runs that took less are not kept.
    refused : callable
        Is told of an error by which a run could not be kept.

    Notes
    -----
    A run leaves two files, ``03.rows.npz`` with the values of its features and ``03.sums.npz``. When all runs are
    there, their sums are added in order, kept as ``total.sums.npz``, and the single ones are removed: sixteen Gram
    matrices would take more room than the rest. A file is written under another name, brought to the disk and renamed;
    what is inside is checked against its seal.
    """

    def __init__(
        self, folder: Path, key: str, n_runs: int, least_seconds: float, refused: Callable[[OSError], None]
    ) -> None:
        self._folder, self._key, self._n_runs, self._refused = folder, key, n_runs, refused
        self._least_seconds = least_seconds
        self._begun: dict[int, float] = {}
        self._lock = threading.Lock()
        self._total = self._usable_total()

    def restore(self, run: int, kernels: Sequence[PassKernel], columns: slice) -> bool:
        """Put back what was gathered in a run; False if it was not finished, or its files are damaged.

        Parameters
        ----------
        run : int
        kernels : sequence of PassKernel
            Their sums are 0.
        columns : slice
            Features of the run.

        Returns
        -------
        bool
        """
        rows = self._read(f"{run:02d}", "rows")
        sums = self._sums_of(run, kernels)
        if rows is None or sums is None:
            self._begun[run] = time.perf_counter()
            return False
        for i, kernel in enumerate(kernels):
            state = {name: (rows if name in kernel.rows else sums)[f"{i}.{name}"] for name in _names(kernel)}
            kernel.restore(state, columns)
        return True

    def save(self, run: int, kernels: Sequence[PassKernel], columns: slice) -> None:
        """Keep what was gathered in a run, unless it is as soon gathered again.

        Parameters
        ----------
        run : int
        kernels : sequence of PassKernel
        columns : slice
        """
        if time.perf_counter() - self._begun.get(run, -np.inf) < self._least_seconds:
            return
        rows: KernelState = {}
        sums: KernelState = {}
        for i, kernel in enumerate(kernels):
            for name, value in kernel.state(columns).items():
                (rows if name in kernel.rows else sums)[f"{i}.{name}"] = value
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._write(f"{run:02d}", "sums", sums)
            self._write(f"{run:02d}", "rows", rows)
            with self._lock:
                self._add_up()
        except OSError as error:
            self._refused(error)

    def _usable_total(self) -> dict[str, NDArray[Any]] | None:
        """Sums of all runs, if nothing else of the pass is lost: a run that is made again brings its own sums."""
        total = self._read(_TOTAL, "sums")
        if total is None or all(self._read(f"{run:02d}", "rows") is not None for run in range(self._n_runs)):
            return total
        self._path(_TOTAL, "sums").unlink(missing_ok=True)
        return None

    def _sums_of(self, run: int, kernels: Sequence[PassKernel]) -> Mapping[str, NDArray[Any]] | None:
        """Sums of a run; once they have been added up, the first run has them all and the others none."""
        if self._total is None:
            return self._read(f"{run:02d}", "sums")
        return self._total if run == 0 else {name: np.zeros_like(value) for name, value in self._total.items()}

    def _add_up(self) -> None:
        """Exchange the sums of all runs for their total, when all are there."""
        names = [f"{run:02d}" for run in range(self._n_runs)]
        if self._total is not None or not all(self._path(name, "rows").exists() for name in names):
            return
        total = self._read(names[0], "sums")
        if not total:
            return
        for name in names[1:]:
            part = self._read(name, "sums")
            if part is None:
                return
            for key, value in part.items():
                total[key] += value
        self._write(_TOTAL, "sums", total)
        for name in names:
            self._path(name, "sums").unlink(missing_ok=True)

    def _path(self, name: str, kind: str) -> Path:
        return self._folder / f"{name}.{kind}.npz"

    def _write(self, name: str, kind: str, arrays: KernelState) -> None:
        path = self._path(name, kind)
        partial = path.with_name(path.name + _PARTIAL)
        seal = {_SEAL: self._seal(name, kind, arrays)}
        with partial.open("wb") as stream:
            np.savez(stream, **arrays, **seal)  # type: ignore[arg-type]
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, path)
        sync(self._folder)

    def _read(self, name: str, kind: str) -> dict[str, NDArray[Any]] | None:
        """Arrays of a file, or None if there is none, or one that was cut, damaged, or belongs elsewhere."""
        try:
            with np.load(self._path(name, kind), allow_pickle=False) as archive:
                arrays = {key: archive[key] for key in archive.files}
        except (OSError, ValueError, EOFError, KeyError, NotImplementedError, zipfile.BadZipFile, zlib.error):
            return None
        seal = arrays.pop(_SEAL, None)
        whole = seal is not None and np.array_equal(seal, self._seal(name, kind, arrays))
        return arrays if whole else None

    def _seal(self, name: str, kind: str, arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.uint8]:
        digest = blake2b(f"{self._key}/{name}/{kind}".encode(), digest_size=16)
        for key, value in arrays.items():
            digest.update(f"{key}/{value.dtype}/{value.shape}".encode())
            digest.update(np.ascontiguousarray(value).reshape(-1).view(np.uint8).data)
        return np.frombuffer(digest.digest(), dtype=np.uint8)


def _names(kernel: PassKernel) -> list[str]:
    return [*kernel.rows, *kernel.sums]
