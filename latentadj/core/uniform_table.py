"""Lookup tables with intervals of one width, for functions that change by a few per cent within an interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from latentadj.core.piecewise import Elementwise, Reals

_NODES = 0.5 + 0.5 * np.cos(np.pi * (np.arange(6) + 0.5) / 6)  # Chebyshev nodes of degree 5 on [0, 1]
_NODES_TO_COEF = np.linalg.inv(np.vander(_NODES, increasing=True))


@dataclass(frozen=True, slots=True)
class UniformQuintic:
    """Polynomials of degree 5 on intervals of equal width that start at 0.

    Attributes: `coef` (6, n_intervals), by powers of the position within the interval, from 0 to 1; `per_unit`,
    how many intervals there are in a unit of the argument, a power of two; `end`, where the table ends.
    """

    coef: Reals
    per_unit: float
    end: float

    @classmethod
    def fit(cls, function: Elementwise, end: float, per_unit: float) -> Self:
        """Interpolate `function` on [0, end)."""
        left = np.arange(int(end * per_unit))
        values = function(((left[:, None] + _NODES) / per_unit).reshape(-1)).reshape(len(left), -1)
        level = values[:, 2]  # taken off, so that rounding is relative to the change within an interval
        coef = _NODES_TO_COEF @ (values - level[:, None]).T
        coef[0] += level
        return cls(coef, per_unit, end)

    def evaluate(self, v: Reals, out: Reals, work: tuple[Reals, Reals]) -> Reals:
        """Put the values at `v` (n,) into `out` and return it; meaningless outside [0, end), NaN at NaN.

        `work` are two arrays of the size of `v`, overwritten; `out` may be neither of them nor `v`.
        """
        position, spread = work
        np.multiply(v, self.per_unit, out=position)
        np.floor(position, out=spread)
        interval = spread.astype(np.intp)
        position -= spread
        self.coef[5].take(interval, mode="clip", out=out)
        for row in self.coef[4::-1]:
            out *= position
            out += row.take(interval, mode="clip", out=spread)
        return out
