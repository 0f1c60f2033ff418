"""The only loop over features in the package.

A pass reads every block once and feeds it to all kernels. Blocks are grouped into contiguous runs whose
number does not depend on the number of threads, and the runs are merged in order: results are the same for
any number of threads, and equal to round-off for any block width.

Each run uses one-thread BLAS: on tall, skinny products two BLAS threads that wait for each other can be many
times slower than one (PERFORMANCE notes, "thread trap").
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, Protocol, Self, TypeVar

import numpy as np
from threadpoolctl import ThreadpoolController

from latentadj.core.matrix import Array, FeatureMatrix, default_width

R_co = TypeVar("R_co", covariant=True)

#: Contiguous runs of blocks in a pass; fixed, so that sums are formed in the same order on every machine.
N_RUNS = 16

_n_threads: ContextVar[int | None] = ContextVar("n_threads", default=None)
_width: ContextVar[int | None] = ContextVar("width", default=None)


class Kernel(Protocol[R_co]):
    """An accumulator over feature blocks."""

    def fork(self) -> Self:
        """Return an empty accumulator for one run; arrays with one row per feature may be shared."""
        ...

    def update(self, block: Array, columns: slice) -> None:
        """Take in one block ``(n_samples, width)``; never write into it."""
        ...

    def merge(self, other: Self) -> None:
        """Add what another run has gathered; runs are merged in the order of their features."""
        ...

    def result(self) -> R_co:
        """Return what was accumulated."""
        ...


@contextmanager
def pass_options(*, n_threads: int | None = None, width: int | None = None) -> Iterator[None]:
    """Set the number of worker threads and the block width for the passes inside a ``with`` block.

    Parameters
    ----------
    n_threads : int, optional
        Worker threads; by default the number of usable cores.
    width : int, optional
        Features per block; by default about half a megabyte worth.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> from latentadj.core.kernels import GramKernel
    >>> Y = ArrayMatrix(np.ones((2, 5)))
    >>> with pass_options(n_threads=1, width=2):
    ...     (gram,) = run_pass(Y, GramKernel(n_samples=2))
    >>> gram
    array([[5., 5.],
           [5., 5.]])
    """
    tokens = _n_threads.set(n_threads), _width.set(width)
    try:
        yield
    finally:
        _n_threads.reset(tokens[0])
        _width.reset(tokens[1])


def available_cores() -> int:
    """Return the number of cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
    usual = wider * default_width(Y.shape[0]) if wider > 1 else None
    blocks = list(Y.column_blocks(width or _width.get() or usual))
    runs = [list(run) for run in np.array_split(np.array(blocks, dtype=object), min(N_RUNS, len(blocks) or 1))]
    n_threads = min(_n_threads.get() or available_cores(), len(runs))
    with one_blas_thread():
        if n_threads == 1:
            forks = (_do_run(Y, run, kernels) for run in runs)
            _merge_in_order(kernels, forks)
        else:
            with ThreadPoolExecutor(n_threads) as pool:
                _merge_in_order(kernels, pool.map(lambda run: _do_run(Y, run, kernels), runs))
    return tuple(kernel.result() for kernel in kernels)


def _do_run(Y: FeatureMatrix, blocks: Sequence[slice], kernels: Sequence[Kernel[Any]]) -> list[Kernel[Any]]:
    forks = [kernel.fork() for kernel in kernels]
    for columns in blocks:
        block = Y.read(columns)
        for fork in forks:
            fork.update(block, columns)
    return forks


def _merge_in_order(kernels: Sequence[Kernel[Any]], runs: Any) -> None:
    for forks in runs:
        for kernel, fork in zip(kernels, forks, strict=True):
            kernel.merge(fork)
