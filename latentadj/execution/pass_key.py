"""A hash of everything that a pass over the data depends on."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import partial
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentadj.core.matrix import ArrayMatrix, FeatureMatrix
from latentadj.core.pass_kernel import PassKernel
from latentadj.core.pass_options import Run, current_options

#: Bytes of an array that are copied at a time, where its values do not lie together.
_PIECE_BYTES = 1 << 22
_SIMPLE = (type(None), bool, int, float, complex, str, bytes, slice, np.generic, np.dtype, type)


class UnknownContentError(TypeError):
    """An object of which it cannot be said what it holds."""


class PassKeys:
    """Keys of the passes of one analysis, each of which depends on those before it.

    Notes
    -----
    A key is made of the matrix (a file's name, an array's values, what a view does to them), the runs, and of every
    kernel its class, its parameters and the per-feature inputs. Arrays that a kernel fills count by their shape only:
    nothing has been written to them yet.

    Examples
    --------
    >>> from latentadj.core.kernels import GramKernel
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> Y, runs = ArrayMatrix(np.eye(3)), [[slice(0, 3)]]
    >>> first = PassKeys().next(Y, runs, [GramKernel(3)])
    >>> first == PassKeys().next(Y, runs, [GramKernel(3)])
    True
    >>> first == PassKeys().next(ArrayMatrix(2 * np.eye(3)), runs, [GramKernel(3)])
    False
    """

    def __init__(self) -> None:
        self._last = ""
        self._known: dict[int, tuple[weakref.ref[NDArray[Any]], bytes]] = {}

    def next(self, Y: FeatureMatrix, runs: Sequence[Run], kernels: Sequence[PassKernel]) -> str:
        """Return the key of the pass that follows those asked for before.

        Parameters
        ----------
        Y : FeatureMatrix of shape (n_samples, n_features)
        runs : sequence of sequence of slice
        kernels : sequence of PassKernel

        Returns
        -------
        str
            32 hexadecimal digits.

        Raises
        ------
        UnknownContentError
            A kernel or the matrix holds something that cannot be told from something else.
        """
        feeder = _Feeder(self._data)
        feeder.feed((self._last, Y.shape, str(Y.dtype), current_options().single_precision))
        feeder.feed([[(block.start, block.stop) for block in run] for run in runs])
        feeder.feed(Y)
        for kernel in kernels:
            feeder.feed_kernel(kernel)
        self._last = feeder.digest()
        return self._last

    def _data(self, values: NDArray[Any]) -> bytes:
        """Hash of the values of a matrix, which every pass reads and which are hashed once."""
        held, found = self._known.get(id(values), (None, b""))
        if held is None or held() is not values:
            own = blake2b(digest_size=16)
            _feed_array(own, values)
            found = own.digest()
            self._known[id(values)] = (weakref.ref(values), found)
        return found


class _Feeder:
    """Feeds nested objects to a hash; every value with its type, so that none is taken for another."""

    def __init__(self, matrix_hash: Callable[[NDArray[Any]], bytes]) -> None:
        self._hash = blake2b(digest_size=16)
        self._matrix_hash = matrix_hash
        self._within: list[int] = []

    def digest(self) -> str:
        return self._hash.hexdigest()

    def feed_kernel(self, kernel: PassKernel) -> None:
        filled = {*kernel.rows, *kernel.sums}
        self._feed_parts(kernel, vars(kernel), filled)

    def feed(self, value: Any, filled: frozenset[str] | set[str] = frozenset()) -> None:
        if id(value) in self._within:  # an object that leads back to itself
            self._text("again", len(self._within) - self._within.index(id(value)))
            return
        self._within.append(id(value))
        self._feed(value, filled)
        self._within.pop()

    def _feed(self, value: Any, filled: frozenset[str] | set[str]) -> None:
        if isinstance(value, _SIMPLE):
            self._text(type(value).__name__, repr(value))
        elif isinstance(value, np.ndarray):
            self._array(value)
        elif isinstance(value, tuple | list):
            self._text(type(value).__qualname__, len(value))
            for item in value:
                self.feed(item)
        elif isinstance(value, Mapping):
            self._feed_parts(value, dict(value), filled)
        elif isinstance(value, set | frozenset):
            self._text(type(value).__name__, sorted(map(repr, value)))
        elif isinstance(value, np.random.Generator):
            self.feed(value.bit_generator.state)
        else:
            self._feed_object(value, filled)

    def _feed_object(self, value: Any, filled: frozenset[str] | set[str]) -> None:
        if isinstance(value, partial):
            self.feed((value.func, value.args, value.keywords))
        elif hasattr(value, "__code__"):
            cells = [cell.cell_contents for cell in value.__closure__ or ()]
            self._text("function", f"{value.__module__}.{value.__qualname__}")
            self.feed((value.__defaults__, cells))
        elif hasattr(value, "__func__"):
            self.feed((value.__func__, value.__self__))
        elif isinstance(value, threading.local) or type(value).__module__ == "_thread":
            self._text("own", type(value).__qualname__)
        elif isinstance(value, ArrayMatrix) and not value.values.dtype.hasobject:
            self._text("values", f"{value.values.dtype}{value.shape}")
            self._hash.update(self._matrix_hash(value.values))
        elif is_dataclass(value):
            parts = {field.name: getattr(value, field.name) for field in fields(value)}
            self._feed_parts(value, parts, filled)
        elif hasattr(value, "__dask_tokenize__"):
            self.feed(value.__dask_tokenize__())
        elif isinstance(value, FeatureMatrix) and hasattr(value, "_arguments"):
            self._feed_parts(value, {"arguments": value._arguments}, filled)
        elif isinstance(value, np.ufunc) or (callable(value) and hasattr(value, "__name__")):
            self._text("callable", f"{getattr(value, '__module__', '')}.{value.__name__}")
        elif hasattr(value, "__fspath__"):
            self._text("path", str(value))
        elif hasattr(value, "__dict__"):
            self._feed_parts(value, vars(value), filled)
        else:
            raise UnknownContentError(f"a {type(value).__qualname__} cannot be told from another one")

    def _feed_parts(self, owner: Any, parts: Mapping[Any, Any], filled: frozenset[str] | set[str]) -> None:
        """Feed named parts; of arrays that are to be filled only the shape."""
        cls = type(owner)
        self._text("parts", f"{cls.__module__}.{cls.__qualname__}:{len(parts)}")
        for name, part in parts.items():
            self._text("name", repr(name))
            if name in filled:
                self._text("filled", f"{part.dtype}{part.shape}")
            else:
                inner = {path.partition(".")[2] for path in filled if path.startswith(f"{name}.")}
                self.feed(part, inner)

    def _array(self, values: NDArray[Any]) -> None:
        if values.dtype.hasobject:
            self.feed(values.tolist())
            return
        self._text("array", f"{values.dtype}{values.shape}")
        _feed_array(self._hash, values)

    def _text(self, kind: str, value: object) -> None:
        text = f"{kind}={value}".encode()
        self._hash.update(len(text).to_bytes(8, "little") + text)


def _feed_array(digest: Any, values: NDArray[Any]) -> None:
    """Feed the values of an array in the order in which they lie, and say which order that is."""
    turned = values.flags.f_contiguous and not values.flags.c_contiguous
    digest.update(b"F" if turned else b"C")
    straight = values.T if turned else values
    if straight.flags.c_contiguous:
        digest.update(straight.reshape(-1).view(np.uint8).data if straight.size else b"")
        return
    rows = max(1, _PIECE_BYTES // max(straight[:1].nbytes, 1))
    for start in range(0, len(straight), rows):
        digest.update(np.ascontiguousarray(straight[start : start + rows]).reshape(-1).view(np.uint8).data)
