"""What workers of a cluster do: work through a run of blocks, add up what runs have gathered."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import reduce
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from latentadj.core.matrix import FeatureMatrix
from latentadj.core.pass_kernel import PassKernel
from latentadj.core.passes import do_run, one_blas_thread
from latentadj.data.stores.base import StoredMatrix
from latentadj.exceptions import FileFormatError, InputError
from latentadj.execution.packing import unpack

#: Arrays by the kernel that they belong to and their place in it.
Parts: TypeAlias = dict[tuple[int, str], NDArray[Any]]
#: Chunks of a matrix that lie in a worker's memory: rows of chunks.
Chunks: TypeAlias = Sequence[Sequence[NDArray[Any]]]


def work_through(
    content: bytes, shared: Sequence[NDArray[Any]], chunks: Sequence[Chunks], widths: Sequence[int]
) -> tuple[Parts | InputError, Parts]:
    """Feed the blocks of one run to its kernels.

    Parameters
    ----------
    content : bytes
        A `Package` of a matrix and kernels for the features of the run.
    shared : sequence of ndarray
        What packages of all runs refer to.
    chunks : sequence of grids of ndarray
        Of each matrix in the package that lies in the cluster's memory.
    widths : sequence of int
        Features of each block.

    Returns
    -------
    rows : dict, or InputError
        What belongs to features; what is wrong with the data, which no repetition would mend.
    sums : dict
        What is to be added over runs.
    """
    matrix: FeatureMatrix
    kernels: list[Any]
    matrix, kernels = unpack(content, shared, [ChunkedArrays(grid) for grid in chunks])
    edges = np.append(0, np.cumsum(widths)).tolist()
    try:
        with _one_blas_thread():
            do_run(matrix, [slice(*pair) for pair in pairwise(edges)], kernels)
    except InputError as error:
        if isinstance(error, FileFormatError):  # another attempt may read the file
            raise
        return error, {}
    rows: Parts = {}
    sums: Parts = {}
    for number, kernel in enumerate(kernels):
        for name, array in kernel.state(slice(0, edges[-1])).items():
            (sums if name in kernel.sums else rows)[number, name] = array
    return rows, sums


def part_of(found: tuple[Any, Any], part: int) -> Any:
    """Return what belongs to features (0) or what is to be added (1)."""
    return found[part]


def same(item: Any) -> Any:
    """Return an object: a task that holds it for others."""
    return item


def added(parts: Sequence[Parts]) -> Parts:
    """Add up what several runs have gathered, in their order.

    Examples
    --------
    >>> added([{(0, "total"): np.ones(2)}, {(0, "total"): np.ones(2)}])
    {(0, 'total'): array([2., 2.])}
    """
    if not all(parts):  # one of the runs could not be worked through, or there is nothing to add
        return {}
    return {name: reduce(np.add, [part[name] for part in parts]) for name in parts[0]}


def added_in_tree(parts: Sequence[Parts], fan_in: int) -> Parts:
    """Add up what all runs have gathered, some neighbours at a time.

    Examples
    --------
    >>> added_in_tree([{(0, "total"): np.ones(1)}] * 5, 2)
    {(0, 'total'): array([5.])}
    """
    while len(parts) > 1:
        parts = [added(parts[start : start + fan_in]) for start in range(0, len(parts), fan_in)]
    return parts[0]


class ChunkedArrays(StoredMatrix):
    """A matrix made of a grid of arrays, which are not copied as a whole.

    Parameters
    ----------
    grid : sequence of sequences of ndarray
        Rows of arrays that lie beside each other.

    Examples
    --------
    >>> ChunkedArrays([[np.ones((1, 2)), np.ones((1, 3))], [np.zeros((1, 2)), np.zeros((1, 3))]]).read(slice(1, 3))
    array([[1., 1.],
           [0., 0.]])
    """

    def __init__(self, grid: Chunks) -> None:
        widths = [part.shape[1] for part in grid[0]]
        edges = np.append(0, np.cumsum(widths)).astype(np.int64)
        shape = sum(row[0].shape[0] for row in grid), int(edges[-1])
        self._grid = grid
        self._place = {int(start): i for i, start in enumerate(edges[:-1])}
        self._describe("The chunks of a dask array", shape, grid[0][0].dtype, edges, (grid,))

    def _load(self, start: int, stop: int) -> NDArray[Any]:
        parts = [np.asarray(row[self._place[start]]) for row in self._grid]
        return parts[0].view() if len(parts) == 1 else np.concatenate(parts)


_GUARD = threading.Lock()
_HELD: dict[str, Any] = {"tasks": 0, "stack": None}


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread as long as any task of this worker is at work; its tasks may overlap."""
    with _GUARD:
        _HELD["tasks"] += 1
        if _HELD["tasks"] == 1:
            _HELD["stack"] = ExitStack()
            _HELD["stack"].enter_context(one_blas_thread())
    try:
        yield
    finally:
        with _GUARD:
            _HELD["tasks"] -= 1
            if _HELD["tasks"] == 0:
                _HELD["stack"].close()


def zero_state(kernel: PassKernel, number: int, parts: Mapping[tuple[int, str], NDArray[Any]]) -> dict[str, Any]:
    """State of a kernel that holds what was gathered of it, and zeros for sums that were not.

    Parameters
    ----------
    kernel : PassKernel
    number : int
        Which of the pass it is.
    parts : dict

    Returns
    -------
    dict of str to ndarray
    """
    empty = kernel.fork().state(slice(0, 0))
    return empty | {name: array for (owner, name), array in parts.items() if owner == number}
