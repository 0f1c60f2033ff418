"""How passes over the data are carried out, set by a context manager around any call."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Protocol

from latentadj.core.matrix import FeatureMatrix

#: Contiguous blocks that are worked through one after the other.
Run = Sequence[slice]


class Executor(Protocol):
    """Carries out a pass somewhere else than on this machine's threads."""

    def carry_out(self, Y: FeatureMatrix, runs: Sequence[Run], kernels: Sequence[Any], progress: Progress) -> bool:
        """Feed every block to all kernels and leave what they gather in them; False if it cannot take this pass."""
        ...


class PassRecord(Protocol):
    """What a checkpoint keeps of one pass."""

    def restore(self, run: int, kernels: Sequence[Any], columns: slice) -> bool:
        """Put back what an earlier process gathered in a run; False if it did not finish it."""
        ...

    def save(self, run: int, kernels: Sequence[Any], columns: slice) -> None:
        """Keep what was gathered in a run."""
        ...


class Checkpoint(Protocol):
    """Keeps the finished runs of passes, so that a killed analysis goes on where it was."""

    def begin(self, Y: FeatureMatrix, runs: Sequence[Run], kernels: Sequence[Any]) -> PassRecord | None:
        """Return the record of the pass that begins now; None where it cannot be kept."""
        ...


class Progress(Protocol):
    """Is told how far passes have come."""

    def begin(self, n_features: int) -> None:
        """A pass over so many features begins."""
        ...

    def advance(self, n_features: int) -> None:
        """So many features more are done."""
        ...


class NoProgress:
    """Says nothing."""

    def begin(self, n_features: int) -> None:
        """Say nothing."""

    def advance(self, n_features: int) -> None:
        """Say nothing."""


@dataclass(frozen=True, slots=True)
class PassOptions:
    """Settings of passes; None is the default of each.

    Attributes
    ----------
    n_threads : int or None
        Worker threads; by default the number of usable cores.
    width : int or None
        Features per block; by default about a megabyte worth.
    executor : Executor or None
        Where passes are carried out; by default on threads of this process.
    checkpoint : Checkpoint or None
        Keeps finished runs.
    progress : Progress or None
        Is told how far passes have come.
    single_precision : bool or None
        Form products of samples with samples in single precision.
    """

    n_threads: int | None = None
    width: int | None = None
    executor: Executor | None = None
    checkpoint: Checkpoint | None = None
    progress: Progress | None = None
    single_precision: bool | None = None


_DEFAULTS = PassOptions()
_options: ContextVar[PassOptions] = ContextVar("pass_options", default=_DEFAULTS)


@contextmanager
def pass_options(
    *,
    n_threads: int | None = None,
    width: int | None = None,
    executor: Executor | None = None,
    checkpoint: Checkpoint | None = None,
    progress: Progress | None = None,
    single_precision: bool | None = None,
) -> Iterator[None]:
    """Set how the passes inside a ``with`` block are carried out.

    Parameters
    ----------
    n_threads : int, optional
        Worker threads; by default the number of usable cores.
    width : int, optional
        Features per block; by default about a megabyte worth.
    executor : Executor, optional
        Carries passes out elsewhere: a `DaskExecutor`, on a cluster.
    checkpoint : Checkpoint, optional
        Keeps finished parts of passes: a `FolderCheckpoint`, in a folder.
    progress : Progress, optional
        Is told how far passes have come.
    single_precision : bool, optional
        Form Gram matrices from centred features in single precision, added up in double precision; False by default.

    Notes
    -----
    What is not given stays as an enclosing ``with`` block set it.

    Gram matrices take most of the time of an analysis of many samples, and half of it in single precision. Factors then
    agree to about 1e-7; everything else is in double precision as before.

    Examples
    --------
    >>> import numpy as np
    >>> from latentadj.core.kernels import GramKernel
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> from latentadj.core.passes import run_pass
    >>> with pass_options(n_threads=1, width=2):
    ...     (gram,) = run_pass(ArrayMatrix(np.ones((2, 5))), GramKernel(n_samples=2))
    >>> gram
    array([[5., 5.],
           [5., 5.]])
    """
    given = {
        "n_threads": n_threads,
        "width": width,
        "executor": executor,
        "checkpoint": checkpoint,
        "progress": progress,
        "single_precision": single_precision,
    }
    changed: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    token = _options.set(replace(_options.get(), **changed))
    try:
        yield
    finally:
        _options.reset(token)


def current_options() -> PassOptions:
    """Return the settings in force here."""
    return _options.get()


def available_cores() -> int:
    """Return the number of cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
