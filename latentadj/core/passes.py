"""The only loop over features in the package.

A pass reads every block once and feeds it to all kernels. Blocks are grouped into contiguous runs whose
number does not depend on the number of threads, and the runs are merged in order: results are the same for
any number of threads, and equal to round-off for any block width.

Each run uses one-thread BLAS: on tall, skinny products two BLAS threads that wait for each other can be many
times slower than one (PERFORMANCE notes, "thread trap").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any, Protocol, Self, TypeVar

import numpy as np
from threadpoolctl import ThreadpoolController

from latentadj.core.matrix import Array, ArrayMatrix, FeatureMatrix, StoresSingle, default_width
from latentadj.core.memory import Scratch, release_freed_memory
from latentadj.core.pass_kernel import PassKernel
from latentadj.core.pass_options import (
    NoProgress,
    PassRecord,
    Progress,
    Run,
    available_cores,
    current_options,
    pass_options,
)

__all__ = ["N_RUNS", "Kernel", "available_cores", "do_run", "one_blas_thread", "pass_options", "run_pass"]

R_co = TypeVar("R_co", covariant=True)

#: Contiguous runs of blocks in a pass; fixed, so that sums are formed in the same order on every machine.
N_RUNS = 16
#: Bytes of a block for kernels that do little with each value: threads then meet less often between blocks.
LIGHT_BYTES = 1 << 22
#: Values of a stored matrix from which on the buffers of its readers are worth giving back after a pass.
LARGE_VALUES = 1 << 24


class Kernel(Protocol[R_co]):
    """An accumulator over feature blocks; `PassKernel` writes all but `update` and `result`."""

    def fork(self) -> Self:
        """Return an empty accumulator for one run; arrays with one row per feature may be shared."""
        ...

    def update(self, block: Array, columns: slice) -> None:
        """Take in one block ``(n_samples, width)``; never write into it or keep it: the next one may lie there."""
        ...

    def merge(self, other: Self) -> None:
        """Add what another run has gathered; runs are merged in the order of their features."""
        ...

    def result(self) -> R_co:
        """Return what was accumulated."""
        ...


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread; also usable as a decorator.

    Notes
    -----
    Passes use their own threads over blocks. BLAS threads left to themselves keep spinning for a while after
    each small product between passes, and take the cores away from the next pass: three times the time was
    seen on two cores.
    """
    with _blas().limit(limits=1, user_api="blas"):
        yield


@cache
def _blas() -> ThreadpoolController:
    """Find the loaded BLAS libraries once; looking them up costs milliseconds."""
    return ThreadpoolController()


def run_pass(Y: FeatureMatrix, *kernels: Kernel[Any], width: int | None = None, wider: int = 1) -> tuple[Any, ...]:
    """Read the matrix once and feed every block to all kernels.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
    *kernels : Kernel
        Accumulators; their results are returned in the same order.
    width : int, optional
        Features per block; by default what `pass_options` or the matrix prefers.
    wider : int, default=1
        Multiple of the usual width, for kernels that do little with each feature.

    Returns
    -------
    tuple
        One result per kernel.
    """
    options = current_options()
    runs = _runs(list(Y.column_blocks(width or options.width or _usual_width(Y.shape[0], kernels, wider))))
    progress = options.progress or NoProgress()
    portable = all(isinstance(kernel, PassKernel) for kernel in kernels)
    progress.begin(Y.shape[1])
    if not (portable and options.executor and options.executor.carry_out(Y, runs, kernels, progress)):
        record = options.checkpoint.begin(Y, runs, kernels) if portable and options.checkpoint else None
        _on_threads(Y, runs, kernels, record, progress, options.n_threads or available_cores())
    if not isinstance(Y, ArrayMatrix) and Y.shape[0] * Y.shape[1] >= LARGE_VALUES:
        release_freed_memory()
    return tuple(kernel.result() for kernel in kernels)


def _usual_width(n_samples: int, kernels: Sequence[Kernel[Any]], wider: int) -> int | None:
    """Features per block where nobody set them; None leaves it to the matrix."""
    if wider > 1:
        return wider * default_width(n_samples)
    light = all(getattr(kernel, "light", False) for kernel in kernels)
    return max(default_width(n_samples), LIGHT_BYTES // (8 * max(n_samples, 1))) if light else None


def _runs(blocks: list[slice]) -> list[list[slice]]:
    """Group blocks into contiguous runs."""
    return [list(run) for run in np.array_split(np.array(blocks, dtype=object), min(N_RUNS, len(blocks) or 1))]


def _on_threads(
    Y: FeatureMatrix,
    runs: Sequence[Run],
    kernels: Sequence[Kernel[Any]],
    record: PassRecord | None,
    progress: Progress,
    n_threads: int,
) -> None:
    """Carry out a pass on threads of this process and merge the runs in order."""
    scratch = Scratch()

    def job(number: int) -> list[Kernel[Any]]:
        forks = [kernel.fork() for kernel in kernels]
        run = runs[number]
        columns = slice(run[0].start, run[-1].stop) if run else slice(0, 0)
        if record is None or not record.restore(number, forks, columns):
            do_run(Y, run, forks, scratch=scratch)
            if record is not None:
                record.save(number, forks, columns)
        return forks

    with one_blas_thread():
        if min(n_threads, len(runs)) == 1:
            _merge_in_order(kernels, runs, map(job, range(len(runs))), progress)
        else:
            with ThreadPoolExecutor(min(n_threads, len(runs))) as pool:
                _merge_in_order(kernels, runs, pool.map(job, range(len(runs))), progress)


def do_run(
    Y: FeatureMatrix, run: Run, kernels: Sequence[Kernel[Any]], offset: int = 0, *, scratch: Scratch | None = None
) -> None:
    """Feed the blocks of one run to kernels.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
    run : sequence of slice
    kernels : sequence of Kernel
    offset : int, default=0
        Position of the feature that the kernels call 0 (those that `PassKernel.carved` made).
    scratch : Scratch, optional
        Where blocks stored in single precision are put in double, of several runs one after the other.
    """
    scratch = Scratch() if scratch is None else scratch
    for columns in run:
        block, single = _read(Y, columns, kernels, scratch)
        own = slice(columns.start - offset, columns.stop - offset)
        for kernel in kernels:
            kernel.update(single if getattr(kernel, "takes_single", False) else block, own)


def _read(Y: FeatureMatrix, columns: slice, kernels: Sequence[Kernel[Any]], scratch: Scratch) -> tuple[Any, Any]:
    """Read a block in double precision and, if that is how it is stored, in single for the kernels that take it.

    Most values are stored in single precision; new pages for each of their blocks cost more than reading them where
    the C library gives every large array back at once, as on the workers of dask.
    """
    if not (Y.dtype == np.float32 and isinstance(Y, StoresSingle)):
        block = Y.read(columns)
        return block, block
    single = Y.read_single(columns)
    if all(getattr(kernel, "takes_single", False) for kernel in kernels):
        return single, single
    block = scratch.like(single)
    np.copyto(block, single)
    return block, single


def _merge_in_order(kernels: Sequence[Kernel[Any]], runs: Sequence[Run], done: Any, progress: Progress) -> None:
    for run, forks in zip(runs, done, strict=True):
        for kernel, fork in zip(kernels, forks, strict=True):
            kernel.merge(fork)
        progress.advance(run[-1].stop - run[0].start if run else 0)
