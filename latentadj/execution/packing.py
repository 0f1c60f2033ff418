"""Objects as bytes for other processes, without what all of them share, what is zero, and what is there already."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentadj.data.stores.dask_array import DaskMatrix

#: Arrays smaller than this are not worth a message of their own.
SHARED_BYTES = 1 << 12


def shared_arrays(first: Any, second: Any) -> list[NDArray[Any]]:
    """Arrays that two objects both hold, the same arrays and not equal ones.

    Parameters
    ----------
    first, second : object
        Whatever can be pickled. Values of arrays are not looked at.

    Returns
    -------
    list of ndarray
        Those of four kilobytes or more.

    Examples
    --------
    >>> basis = np.ones((100, 10))
    >>> [array is basis for array in shared_arrays([basis, np.ones(1000)], {"basis": basis})]  # doctest: +SKIP
    [True]
    """
    held = {id(array): array for array in _arrays(first)}
    both = {id(array): array for array in _arrays(second) if id(array) in held}
    return [array for array in both.values() if array.nbytes >= SHARED_BYTES]


@dataclass(frozen=True)
class Package:
    """An object as bytes.

    Attributes
    ----------
    content : bytes
    remote : tuple of DaskMatrix
        Matrices of the object that lie in the memory of a cluster; whoever opens the package gives what stands for
        each.
    """

    content: bytes
    remote: tuple[DaskMatrix, ...]


@dataclass
class Packer:
    """Turns objects into packages.

    Parameters
    ----------
    shared : sequence of ndarray
        Arrays that are known where packages are opened.
    """

    shared: Sequence[NDArray[Any]] = ()
    _known: dict[int, int] = field(init=False)

    def __post_init__(self) -> None:
        self._known = {id(array): i for i, array in enumerate(self.shared)}

    def pack(self, item: Any, zeros: Sequence[NDArray[Any]] = ()) -> Package:
        """Pack an object.

        Parameters
        ----------
        item : object
        zeros : sequence of ndarray
            Arrays in it that are known to be 0.

        Returns
        -------
        Package
        """
        empty = {id(array): array for array in zeros}
        remote: list[DaskMatrix] = []

        def place(part: Any) -> tuple[Any, ...] | None:
            if isinstance(part, np.ndarray):
                if id(part) in self._known:
                    return "shared", self._known[id(part)]
                return _blank(part) if id(part) in empty else None
            if isinstance(part, DaskMatrix) and part.is_remote:
                remote.append(part)
                return "remote", len(remote) - 1
            return None

        return Package(_pickled(item, place), tuple(remote))


def unpack(content: bytes, shared: Sequence[NDArray[Any]], remote: Sequence[Any]) -> Any:
    """Open a package.

    Parameters
    ----------
    content : bytes
    shared : sequence of ndarray
        As the `Packer` was given them.
    remote : sequence of FeatureMatrix
        What stands for each remote matrix of the package.

    Returns
    -------
    object
    """
    known: Mapping[str, Callable[..., Any]] = {
        "shared": lambda i: shared[i],
        "remote": lambda i: remote[i],
        "zeros": lambda shape, dtype, order: np.zeros(shape, dtype, order),
    }
    opener = _Unpickler(io.BytesIO(content))
    opener.known = known
    return opener.load()


class _Unpickler(pickle.Unpickler):
    known: Mapping[str, Callable[..., Any]]

    def persistent_load(self, place: Any) -> Any:
        kind, *details = place
        return self.known[kind](*details)


def _blank(array: NDArray[Any]) -> tuple[Any, ...]:
    order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    return "zeros", array.shape, array.dtype.str, order


def _arrays(item: Any) -> list[NDArray[Any]]:
    """All arrays that an object holds; they are kept, so that no two of them have had the same address."""
    found: list[NDArray[Any]] = []

    def place(part: Any) -> tuple[Any, ...] | None:
        if isinstance(part, np.ndarray):
            found.append(part)
            return ("array",)
        return ("matrix",) if isinstance(part, DaskMatrix) else None

    _pickled(item, place)
    return found


def _pickled(item: Any, place: Callable[[Any], tuple[Any, ...] | None]) -> bytes:
    """Pickle an object, except for parts that have a place elsewhere."""
    buffer = io.BytesIO()
    pickler = _pickler_class()(buffer, protocol=5)
    pickler.place = place
    pickler.dump(item)
    return buffer.getvalue()


@cache
def _pickler_class() -> Any:
    """A pickler that takes functions and classes of notebooks along; it comes with dask."""
    base: Any = import_module("cloudpickle").Pickler

    class Pickler(base):  # type: ignore[misc]
        place: Callable[[Any], tuple[Any, ...] | None]

        def persistent_id(self, part: Any) -> tuple[Any, ...] | None:
            return self.place(part)

    return Pickler
