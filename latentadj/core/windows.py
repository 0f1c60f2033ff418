"""Parts of matrices, and of objects that hold arrays, for some consecutive features and without the others."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from operator import attrgetter
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from latentadj.core.matrix import ArrayMatrix, FeatureMatrix, FeatureSubset, FeatureWindow, StoresSingle


@runtime_checkable
class Windowed(Protocol):
    """A matrix that knows how to leave out what a window does not need."""

    def window(self, columns: slice) -> FeatureMatrix:
        """Return the features of a slice."""
        ...


class SingleWindow(FeatureWindow):
    """Consecutive features of a matrix that can be read in single precision."""

    def read_single(self, columns: slice) -> NDArray[np.float32]:
        """Read the block at its place in the whole matrix."""
        base: Any = self.base
        out: NDArray[np.float32] = base.read_single(slice(self.start + columns.start, self.start + columns.stop))
        return out


def window(value: Any, axis: int, columns: slice) -> Any:
    """Part of an array or of a matrix that holds, where this is in memory, nothing of the other features.

    Parameters
    ----------
    value : ndarray, FeatureMatrix or object
        What has no features (None, a number) stays as it is. A view says in `reads`, like a kernel, which of its
        arrays and matrices belong to features.
    axis : int
        Axis of the features, of arrays.
    columns : slice
        With a start and a stop.

    Returns
    -------
    ndarray, FeatureMatrix or object

    Examples
    --------
    >>> window(np.arange(6.0).reshape(2, 3), 1, slice(1, 3)).tolist()
    [[1.0, 2.0], [4.0, 5.0]]
    >>> part = window(FeatureSubset(ArrayMatrix(np.arange(9.0)[None]), np.array([2, 5, 7])), 1, slice(1, 3))
    >>> part.base.shape, part.read(slice(0, 2))
    ((1, 3), array([[5., 7.]]))
    """
    if isinstance(value, np.ndarray):
        return value[(*(slice(None),) * axis, columns)]
    if isinstance(value, ArrayMatrix):
        return ArrayMatrix(value.values[:, columns])
    if isinstance(value, FeatureSubset):
        return _subset(value, columns)
    if isinstance(value, FeatureWindow):
        return window(value.base, 1, slice(value.start + columns.start, value.start + columns.stop))
    if isinstance(value, Windowed):
        return value.window(columns)
    if not isinstance(value, FeatureMatrix):
        return value
    reads: Mapping[str, int] | None = getattr(value, "reads", None)
    if reads is None:
        kind = SingleWindow if isinstance(value, StoresSingle) else FeatureWindow
        return kind(value, columns.start, columns.stop)
    return with_windows(copy.copy(value), reads, columns)


def _subset(subset: FeatureSubset, columns: slice) -> FeatureSubset:
    index = subset.index[columns]
    first, last = (int(index[0]), int(index[-1]) + 1) if len(index) else (0, 0)
    return FeatureSubset(window(subset.base, 1, slice(first, last)), index - first)


def with_windows(owner: Any, reads: Mapping[str, int], columns: slice) -> Any:
    """Cut what belongs to features of an object down to some of them, in place.

    Parameters
    ----------
    owner : object
        Parts of it that are changed are copied before.
    reads : mapping of str to int
        Names, which may lead into parts (``"fit.coef"``), and the axis of the features.
    columns : slice

    Returns
    -------
    object
        The same.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> with_windows(SimpleNamespace(fit=SimpleNamespace(mean=np.arange(4))), {"fit.mean": 0}, slice(2, 4)).fit.mean
    array([2, 3])
    """
    for name, axis in reads.items():
        put(owner, name, window(attrgetter(name)(owner), axis, columns))
    return owner


def put(owner: Any, name: str, value: Any) -> None:
    """Set an attribute, of a copy of the part that holds it where the name leads into one.

    Parameters
    ----------
    owner : object
        May be frozen.
    name : str
    value : object

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> fit = SimpleNamespace(mean=1)
    >>> owner = SimpleNamespace(fit=fit)
    >>> put(owner, "fit.mean", 2)
    >>> owner.fit.mean, fit.mean
    (2, 1)
    """
    head, _, rest = name.partition(".")
    if rest:
        part = copy.copy(getattr(owner, head))
        put(part, rest, value)
        value = part
    object.__setattr__(owner, head, value)
