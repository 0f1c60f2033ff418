"""What kernels of a pass share: which of their arrays belong to features, and which are sums."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from operator import attrgetter
from types import MappingProxyType
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from latentadj.core.windows import put, with_windows

#: What a run of blocks leaves in a kernel: arrays by their place in it.
KernelState: TypeAlias = dict[str, NDArray[Any]]

NONE: Mapping[str, int] = MappingProxyType({})


class PassKernel:
    """Base class of kernels: says which arrays have a place for every feature, and which are added up.

    From that follows how a kernel is split over runs of blocks, carried to another process, kept on disk and put
    together again; a subclass writes `update` and `result`. Names may lead into parts (``"fit.coef"``).

    Attributes
    ----------
    reads : mapping of str to int
        Arrays or matrices that `update` only reads, and their axis of features.
    rows : mapping of str to int
        Arrays that `update` writes for the features of its block, and their axis of features.
    sums : tuple of str
        Arrays that `update` adds to, 0 at the start.
    first_feature : int
        Position in the whole matrix of the feature that this kernel calls 0.
    takes_single : bool
        Whether `update` may be given single-precision blocks of a matrix that is stored in single precision.
    light : bool
        Whether `update` does so little with each value that larger blocks are better.

    Examples
    --------
    >>> class Means(PassKernel):
    ...     rows = {"mean": 0}
    ...     sums = ("total",)
    ...     def __init__(self, n_features):
    ...         self.mean, self.total = np.zeros(n_features), np.zeros(1)
    ...     def update(self, block, columns):
    ...         self.mean[columns] = block.mean(axis=0)
    ...         self.total += block.sum()
    >>> whole = Means(4)
    >>> part = whole.carved(slice(2, 4))
    >>> part.update(np.ones((3, 2)), slice(0, 2))
    >>> whole.restore(part.state(slice(0, 2)), slice(2, 4))
    >>> whole.mean, whole.total
    (array([0., 0., 1., 1.]), array([6.]))
    """

    reads: ClassVar[Mapping[str, int]] = NONE
    rows: ClassVar[Mapping[str, int]] = NONE
    sums: ClassVar[tuple[str, ...]] = ()
    first_feature: int = 0
    takes_single: bool = False
    light: ClassVar[bool] = False

    def fork(self) -> Self:
        """Return a kernel for one run: its sums are 0, its arrays of features are the same arrays."""
        twin = copy.copy(self)
        for name in self.sums:
            put(twin, name, np.zeros_like(attrgetter(name)(self)))
        return twin

    def merge(self, other: Self) -> None:
        """Add the sums of another run; features' rows were written in place."""
        for name in self.sums:
            total = attrgetter(name)(self)
            total += attrgetter(name)(other)

    def carved(self, columns: slice) -> Self:
        """Return a kernel of its own for the features of a slice, which it calls 0, 1, ...; its sums are 0."""
        twin = self.fork()
        with_windows(twin, self.reads, columns)
        for name, axis in self.rows.items():
            put(twin, name, attrgetter(name)(self)[_along(axis, columns)].copy(order="K"))
        twin.first_feature = self.first_feature + columns.start
        return twin

    def state(self, columns: slice) -> KernelState:
        """Return what has been gathered: the rows of a slice of features, and the sums."""
        kept = {name: attrgetter(name)(self)[_along(axis, columns)] for name, axis in self.rows.items()}
        return kept | {name: attrgetter(name)(self) for name in self.sums}

    def restore(self, state: KernelState, columns: slice) -> None:
        """Take in what another kernel has gathered for a slice of features: write its rows, add its sums."""
        for name, axis in self.rows.items():
            attrgetter(name)(self)[_along(axis, columns)] = state[name]
        for name in self.sums:
            total = attrgetter(name)(self)
            total += state[name]


def _along(axis: int, columns: slice) -> tuple[slice, ...]:
    return (*(slice(None),) * axis, columns)
