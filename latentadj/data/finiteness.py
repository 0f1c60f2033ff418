"""Search for missing and infinite values, block by block."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..core.matrix import ArrayMatrix, FeatureMatrix
from ..core.pass_kernel import KernelState, PassKernel
from ..core.passes import run_pass
from ..exceptions import InputError

_CHUNK = 1 << 22  # values looked at in one go
#: Cells that a message names.
MOST_CELLS = 5
_NO_CELLS: NDArray[np.intp] = np.empty((0, 2), dtype=np.intp)


def check_finite(
    values: NDArray[Any] | FeatureMatrix,
    sample_ids: Any = None,
    feature_ids: Any = None,
    *,
    allow_missing: bool = False,
) -> None:
    """Raise if the matrix holds NaN or infinite values, and say where.

    Parameters
    ----------
    values : (n_samples, n_features) float array or FeatureMatrix
        Read in blocks; no temporary of the size of the matrix is made.
    sample_ids, feature_ids : sequences of str, optional
        For the message; without them positions are given.
    allow_missing : bool
        Accept NaN and look for infinite values only.

    Raises
    ------
    InputError
        Count of each kind, the first five cells, and what to do.

    Examples
    --------
    >>> check_finite(np.array([[1.0, np.inf]]), ["s1"], ["f1", "f2"])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    latentadj.exceptions.InputError: The matrix holds 1 infinite value(s), ...
    """
    if not isinstance(values, np.ndarray):
        if not isinstance(values, ArrayMatrix):
            n_nan, n_inf, first = run_pass(values, FinitenessKernel(allow_missing=allow_missing))[0]
            return _raise(n_nan, n_inf, first, allow_missing, sample_ids, feature_ids)
        values = values.values
    n_nan, n_inf, first = 0, 0, []
    for start, stop, by_rows in _chunks(values):
        block = values[start:stop] if by_rows else values[:, start:stop]
        if np.isfinite(block).all():
            continue
        missing, infinite = np.isnan(block), np.isinf(block)
        n_nan, n_inf = n_nan + int(missing.sum()), n_inf + int(infinite.sum())
        if len(first) < MOST_CELLS:
            bad = infinite if allow_missing else missing | infinite
            shift = (start, 0) if by_rows else (0, start)
            first += [(int(i) + shift[0], int(j) + shift[1]) for i, j in np.argwhere(bad)[: MOST_CELLS - len(first)]]
    return _raise(n_nan, n_inf, first, allow_missing, sample_ids, feature_ids)


def _raise(
    n_nan: int, n_inf: int, first: list[tuple[int, int]], allow_missing: bool, sample_ids: Any, feature_ids: Any
) -> None:
    if n_inf or (n_nan and not allow_missing):
        raise InputError(_finite_message(0 if allow_missing else n_nan, n_inf, first, sample_ids, feature_ids))


class FinitenessKernel(PassKernel):
    """Counts of missing and infinite values and the first cells that hold them, for `run_pass`.

    Parameters
    ----------
    allow_missing : bool
        Whether only infinite values are worth a cell.
    """

    sums = ("n_bad",)

    def __init__(self, *, allow_missing: bool = False) -> None:
        self.allow_missing = allow_missing
        self.n_bad = np.zeros(2, dtype=np.intp)
        self.cells = _NO_CELLS

    def update(self, block: NDArray[np.float64], columns: slice) -> None:
        """Count in one block."""
        if np.isfinite(block).all():
            return
        missing, infinite = np.isnan(block), np.isinf(block)
        self.n_bad += missing.sum(), infinite.sum()
        bad = infinite if self.allow_missing else missing | infinite
        self._take(np.argwhere(bad.T)[:MOST_CELLS] + (self.first_feature + (columns.start or 0), 0))

    def _take(self, cells: NDArray[np.intp]) -> None:
        """Keep the first cells in order of features, then of samples."""
        both = np.concatenate([self.cells, cells])
        self.cells = both[np.lexsort(both.T[::-1])][:MOST_CELLS]

    def fork(self) -> Self:
        """Return an empty accumulator."""
        twin = super().fork()
        twin.cells = _NO_CELLS
        return twin

    def merge(self, other: Self) -> None:
        """Add another run's counts and cells."""
        super().merge(other)
        self._take(other.cells)

    def state(self, columns: slice) -> KernelState:
        """Return the counts and the cells."""
        return super().state(columns) | {"cells": self.cells}

    def restore(self, state: KernelState, columns: slice) -> None:
        """Add the counts and cells of another run."""
        super().restore(state, columns)
        self._take(state["cells"])

    def result(self) -> tuple[int, int, list[tuple[int, int]]]:
        """Return the counts and the cells (sample, feature)."""
        n_nan, n_inf = self.n_bad.tolist()
        return n_nan, n_inf, [(sample, feature) for feature, sample in self.cells.tolist()]


def _chunks(values: NDArray[Any]) -> list[tuple[int, int, bool]]:
    """Cut along the axis that is slow in memory, so that every block is contiguous."""
    by_rows = bool(values.flags.c_contiguous)
    length, other = values.shape if by_rows else values.shape[::-1]
    step = max(1, _CHUNK // max(1, other))
    return [(start, min(start + step, length), by_rows) for start in range(0, length, step)]


def _finite_message(n_nan: int, n_inf: int, first: list[tuple[int, int]], sample_ids: Any, feature_ids: Any) -> str:
    kinds = [f"{n_nan} missing value(s) (NaN)"] * (n_nan > 0) + [f"{n_inf} infinite value(s)"] * (n_inf > 0)
    cells = ", ".join(f"({_name(sample_ids, i)}, {_name(feature_ids, j)})" for i, j in first)
    remedy = ""
    if n_inf:
        remedy += " Infinite values often come from the logarithm of zero: add an offset before taking logs."
    if n_nan:
        remedy += (
            " Pass missing='allow' to fit every feature to the values it has (--missing allow on the command line), or "
            "leave out the features or samples with missing values."
        )
    return f"The matrix holds {' and '.join(kinds)}, first at (sample, feature): {cells}.{remedy}"


def _name(ids: Any, position: int) -> str:
    return str(position) if ids is None else repr(str(ids[position]))
