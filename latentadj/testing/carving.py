"""An executor that treats every run of blocks as if it were worked through by another process."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from itertools import cycle, islice
from typing import Any

from latentadj.core.matrix import FeatureMatrix
from latentadj.core.pass_options import Progress, Run
from latentadj.core.passes import do_run, one_blas_thread
from latentadj.core.windows import window

#: Numbers of blocks in the runs that a pass is cut into, over and over.
UNEVEN = (1, 3, 2)


class CarvingExecutor:
    """Cuts every pass into runs of unequal length, each with a pickled part of the matrix and of the kernels.

    A kernel that forgets to say which of its arrays belong to features, that keeps something which no sum or row
    holds, that takes a position in its part for one in the whole, or that cannot be pickled gives another answer, or
    none. For tests; `pass_options` takes it.

    Attributes
    ----------
    seen : set of type
        Classes of kernels that were carried out.

    Examples
    --------
    >>> import numpy as np
    >>> from latentadj.core.kernels import GramKernel
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> from latentadj.core.passes import pass_options, run_pass
    >>> executor = CarvingExecutor()
    >>> with pass_options(executor=executor, width=2):
    ...     (gram,) = run_pass(ArrayMatrix(np.ones((2, 9))), GramKernel(n_samples=2))
    >>> gram.tolist(), executor.seen
    ([[9.0, 9.0], [9.0, 9.0]], {<class 'latentadj.core.kernels.GramKernel'>})
    """

    def __init__(self) -> None:
        self.seen: set[type] = set()

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
            Always True.
        """
        self.seen.update(type(kernel) for kernel in kernels)
        uneven = _uneven([block for run in runs for block in run])
        gathered = [(run, _elsewhere(Y, run, kernels)) for run in uneven]
        for run, states in reversed(gathered):
            columns = slice(run[0].start, run[-1].stop)
            for kernel, state in zip(kernels, states, strict=True):
                kernel.restore(state, columns)
            progress.advance(columns.stop - columns.start)
        return True


def _uneven(blocks: list[slice]) -> list[list[slice]]:
    """Group blocks into runs of 1, 3, 2, 1, 3, 2, ... blocks."""
    source = iter(blocks)
    runs = (list(islice(source, n)) for n in cycle(UNEVEN))
    return [run for _, run in zip(blocks, runs, strict=False) if run]


def _elsewhere(Y: FeatureMatrix, run: Run, kernels: Sequence[Any]) -> Any:
    """What a process gathers that gets its part of everything as bytes."""
    first, stop = run[0].start, run[-1].stop
    columns = slice(first, stop)
    sent = pickle.dumps((window(Y, 1, columns), [kernel.carved(columns) for kernel in kernels]))
    part, carved = pickle.loads(sent)
    with one_blas_thread():
        do_run(part, [slice(block.start - first, block.stop - first) for block in run], carved)
    whole = slice(0, stop - first)
    return pickle.loads(pickle.dumps([kernel.state(whole) for kernel in carved]))
