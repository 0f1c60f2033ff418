"""Passes carried out by the workers of a dask cluster."""

from __future__ import annotations

import uuid
import warnings
from collections.abc import Sequence
from importlib import import_module
from operator import attrgetter
from typing import Any

from latentadj.core.matrix import FeatureMatrix
from latentadj.core.pass_kernel import PassKernel
from latentadj.core.pass_options import Progress, Run
from latentadj.core.windows import window
from latentadj.exceptions import InputError, MissingExtraError
from latentadj.execution import dask_tasks as tasks
from latentadj.execution.packing import Package, Packer, shared_arrays
from latentadj.execution.task_runs import task_runs

#: Sums that are added in one task.
FAN_IN = 8
#: Bytes up to which sums come with the rows and are added here, in the same order: fewer messages.
SMALL_SUMS = 1 << 16
#: Tasks for every thread of the cluster, so that a slow worker does not hold up the pass.
TASKS_PER_THREAD = 2


class DaskExecutor:
    """Works through passes on a dask cluster, a few coarse tasks each: ``with pass_options(executor=...)``.

    Parameters
    ----------
    client : distributed.Client
        Connected to the cluster; not an asynchronous one.
    n_tasks : int, optional
        Tasks of a pass, each over consecutive features; by default two for every thread of the cluster, and 16 at
        least. Tasks begin and end where chunks do, so that there may be fewer.
    least_bytes : int, default=1048576
        Passes over fewer bytes stay on the threads of this process.

    Attributes
    ----------
    bytes_received : int
        Of arrays that have come to this process so far.

    Raises
    ------
    MissingExtraError
        dask.distributed is not installed.
    InputError
        Not a client, or an asynchronous one; `n_tasks` below 1.

    Notes
    -----
    A task gets its part of the matrix and of every kernel, reads its blocks one after the other with one-thread
    BLAS, and returns what the kernels have gathered. Sums are added on the workers, eight at a time, in an order that
    does not depend on which worker is the quicker one; rows of features come to this process task by task. The data
    do not: what a pass sends here is of the size of its result.

    - A file (.npy, .h5ad, .zarr, .h5, .parquet) is opened again by every task. Workers must see it under the same path.
    - A dask array whose chunks lie in the memory of the cluster (``persist``) is worked on where they lie; one that is
      lazy is computed chunk by chunk within the tasks.
    - An array in the memory of this process is sent, to each task its part, in every pass again. Analyses that
      take many passes (SVA) are better begun from a file.

    Tasks depend on nothing but what they are sent, and the scheduler keeps that: when a worker is lost, its tasks are
    done again by others. Kernels that are not `PassKernel` stay on the threads of this process.

    Examples
    --------
    >>> from distributed import Client  # doctest: +SKIP
    >>> with la.pass_options(executor=la.DaskExecutor(Client("scheduler:8786"))):  # doctest: +SKIP
    ...     result = la.adjust("/shared/expression.zarr", "~ disease | age", samples)
    """

    def __init__(self, client: Any, n_tasks: int | None = None, *, least_bytes: int = 1 << 20) -> None:
        _require_client(client)
        if n_tasks is not None and n_tasks < 1:
            raise InputError(f"n_tasks={n_tasks} is below 1. Leave it out for two tasks per thread of the cluster.")
        self.client = client
        self.n_tasks = n_tasks
        self.least_bytes = least_bytes
        self.bytes_received = 0

    def carry_out(self, Y: FeatureMatrix, runs: Sequence[Run], kernels: Sequence[Any], progress: Progress) -> bool:
        """Feed every block to all kernels and leave what they gather in them.

        Parameters
        ----------
        Y : FeatureMatrix of shape (n_samples, n_features)
        runs : sequence of sequences of slice
        kernels : sequence of PassKernel
        progress : Progress

        Returns
        -------
        bool
            False for matrices of fewer than `least_bytes` bytes.

        Raises
        ------
        Exception
            What went wrong on a worker, after two more attempts; `InputError` at once.
        """
        n_samples, n_features = Y.shape
        if n_features == 0 or n_samples * n_features * Y.dtype.itemsize < self.least_bytes:
            return False
        blocks = [block for run in runs for block in run]
        own = task_runs(Y, blocks, self.n_tasks or self._usual_tasks(len(runs)))
        submitted = self._submit(Y, own, kernels)
        try:
            self._gather(submitted, own, kernels, progress)
        except BaseException:
            self.client.cancel(submitted)
            raise
        return True

    def _usual_tasks(self, n_runs: int) -> int:
        threads = sum(self.client.nthreads().values())
        return max(n_runs, TASKS_PER_THREAD * threads)

    def _submit(self, Y: FeatureMatrix, runs: Sequence[Run], kernels: Sequence[PassKernel]) -> list[Any]:
        """Futures of what each run gathers; parts of the matrix and of kernels are packed one after the other."""
        token = uuid.uuid4().hex
        shared = self._shared(Y, runs, kernels)
        held = self.client.submit(tasks.same, list(shared), key=f"latentadj-shared-{token}") if shared else []
        packer = Packer(shared)
        futures = []
        for number, run in enumerate(runs):
            carved = _carved(Y, run, kernels)
            package = packer.pack(carved, [attrgetter(name)(kernel) for kernel in carved[1] for name in kernel.sums])
            futures.append(self._task(package, held, run, f"latentadj-run-{token}-{number}"))
        return futures

    def _shared(self, Y: FeatureMatrix, runs: Sequence[Run], kernels: Sequence[PassKernel]) -> list[Any]:
        """Arrays that all runs hold, such as bases; sent once to each worker."""
        if len(runs) < 2:
            return []
        return shared_arrays(_carved(Y, runs[0], kernels), _carved(Y, runs[1], kernels))

    def _task(self, package: Package, shared: Any, run: Run, key: str) -> Any:
        chunks = [self._chunks(matrix.array) for matrix in package.remote]
        widths = [block.stop - block.start for block in run]
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sending large graph")
            return self.client.submit(
                tasks.work_through, package.content, shared, chunks, widths, key=key, retries=2, pure=True
            )

    def _chunks(self, array: Any) -> list[list[Any]]:
        """Futures of the chunks of an array that lies in the cluster's memory."""
        return [self.client.compute(row.tolist()) for row in array.to_delayed()]

    def _gather(
        self, submitted: Sequence[Any], runs: Sequence[Run], kernels: Sequence[PassKernel], progress: Progress
    ) -> None:
        """Write rows as runs are done, whichever is first; then the sums of all."""
        size = sum(attrgetter(name)(kernel).nbytes for kernel in kernels for name in kernel.sums)
        together = size < SMALL_SUMS
        wanted = submitted if together else self._apart(submitted, 0)
        total = None if together else self._added(self._apart(submitted, 1), str(submitted[0].key))
        places = {future.key: number for number, future in enumerate(wanted)}
        small: list[Any] = [None] * len(runs)
        for future, found in import_module("distributed").as_completed(list(wanted), with_results=True):
            number = places[future.key]
            rows, small[number] = found if together else (found, None)
            self._restore(rows, kernels, slice(runs[number][0].start, runs[number][-1].stop))
            progress.advance(runs[number][-1].stop - runs[number][0].start)
        self._restore(tasks.added_in_tree(small, FAN_IN) if total is None else total.result(), kernels, slice(0, 0))

    def _apart(self, submitted: Sequence[Any], part: int) -> list[Any]:
        """Futures of the rows (0) or of the sums (1) of all runs."""
        return [self.client.submit(tasks.part_of, future, part, key=f"{future.key}-{part}") for future in submitted]

    def _added(self, sums: list[Any], name: str) -> Any:
        """Future of the sum of all runs, added by tasks of eight in a fixed order."""
        level = 0
        while len(sums) > 1:
            groups = [sums[start : start + FAN_IN] for start in range(0, len(sums), FAN_IN)]
            keys = [f"{name}-added-{level}-{i}" for i in range(len(groups))]
            sums = [self.client.submit(tasks.added, group, key=key) for group, key in zip(groups, keys, strict=True)]
            level += 1
        return sums[0]

    def _restore(self, parts: Any, kernels: Sequence[PassKernel], columns: slice) -> None:
        if isinstance(parts, InputError):
            raise parts
        self.bytes_received += sum(array.nbytes for array in parts.values())
        for number, kernel in enumerate(kernels):
            kernel.restore(tasks.zero_state(kernel, number, parts), columns)

    def __repr__(self) -> str:
        return f"DaskExecutor({self.client!r}, n_tasks={self.n_tasks})"


def _carved(Y: FeatureMatrix, run: Run, kernels: Sequence[PassKernel]) -> tuple[Any, list[PassKernel]]:
    columns = slice(run[0].start, run[-1].stop)
    return window(Y, 1, columns), [kernel.carved(columns) for kernel in kernels]


def _require_client(client: Any) -> None:
    try:
        distributed = import_module("distributed")
    except ImportError as error:
        raise MissingExtraError(
            'DaskExecutor needs dask.distributed, which is not installed. Run: pip install "latentadj[dask]"'
        ) from error
    if not isinstance(client, distributed.Client):
        raise InputError(f"client is a {type(client).__name__}. Give a distributed.Client that is connected.")
    if client.asynchronous:
        raise InputError("The client is asynchronous. Make one without asynchronous=True.")
