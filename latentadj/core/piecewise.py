"""Lookup tables: a smooth function as polynomials on intervals found by integer arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

Reals: TypeAlias = NDArray[np.floating[Any]]
Elementwise: TypeAlias = Callable[..., Reals]

_NODES = np.cos(np.pi * (np.arange(6) + 0.5) / 6)  # Chebyshev nodes of degree 5 on [-1, 1]
_NODES_TO_COEF = np.linalg.inv(np.vander(_NODES, increasing=True))


@dataclass(frozen=True, slots=True)
class PiecewiseQuintic:
    """Polynomials of degree 5 on intervals cut by the exponent and leading mantissa bits of v + offset.

    Attributes: `coef` (6, n_intervals), by powers of the distance from the middle of the interval; `first`,
    the leading bits of the first interval; `drop`, how many trailing bits are ignored; `offset`.
    """

    coef: Reals
    first: int
    drop: int
    offset: float

    @classmethod
    def fit(cls, function: Elementwise, low: float, high: float, bits: int, offset: float) -> Self:
        """Interpolate `function` on [low, high] with 2**bits intervals per doubling of v + offset."""
        drop = 52 - bits
        first, last = np.array([low + offset, high + offset]).view(np.int64) >> drop
        edges = (np.arange(first, last + 2) << drop).view(np.float64) - offset
        middle, half = (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2
        nodes = middle[:, None] + half[:, None] * _NODES
        values = function(nodes.reshape(-1)).reshape(nodes.shape)
        level = values[:, 2]  # taken off, so that rounding is relative to the change within an interval
        coef = _NODES_TO_COEF @ (values - level[:, None]).T / half ** np.arange(6)[:, None]
        coef[0] += level
        return cls(coef, int(first), drop, offset)

    def __call__(self, v: Reals) -> Reals:
        """Values at `v` (n,), one chunk; meaningless outside [low, high], NaN at NaN."""
        bits = ((v + self.offset) if self.offset else v).view(np.int64)
        interval = bits >> self.drop
        middle = interval << self.drop
        middle |= 1 << (self.drop - 1)
        distance = middle.view(np.float64)
        if self.offset:
            distance -= self.offset
        np.subtract(v, distance, out=distance)
        interval -= self.first
        result: Reals = self.coef[5].take(interval, mode="clip")
        spread = np.empty_like(result)
        for row in self.coef[4::-1]:
            result *= distance
            result += row.take(interval, mode="clip", out=spread)
        return result
