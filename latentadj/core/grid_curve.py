"""A density curve on the cells of its grid: evaluation in any order, and where a rate made from it must rise.

The local false discovery rate of a normal quantile z is ``pi0 phi(z) / f(z)`` with f a cubic spline. It rises
with z wherever ``z f + f' < 0``, a polynomial of degree 4 in every cell of the grid, so that the running maximum
over sorted tests needs no sort except in the few cells around a turning point.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from latentadj.core.density import GRID_SIZE, DensityGrid
from latentadj.core.penalized_spline import SmoothingSpline
from latentadj.core.pvalues import FloatArray

N_CELLS = GRID_SIZE - 1
_CHUNK = 8192  # values per step: the temporaries of a step stay in the processor's cache

#: Monomial coefficients to Bernstein coefficients on [0, 1], by degree: ``b_j = sum_i C(j, i) / C(d, i) a_i``.
_TO_BERNSTEIN = {
    3: np.array([[1, 0, 0, 0], [1, 1 / 3, 0, 0], [1, 2 / 3, 1 / 3, 0], [1, 1, 1, 1]]),
    4: np.array(
        [
            [1, 0, 0, 0, 0],
            [1, 1 / 4, 0, 0, 0],
            [1, 1 / 2, 1 / 6, 0, 0],
            [1, 3 / 4, 1 / 2, 1 / 4, 0],
            [1, 1, 1, 1, 1],
        ]
    ),
}


@dataclass(frozen=True, slots=True)
class GridCurve:
    """A smoothing spline through the values of a density grid, by grid cell.

    Attributes
    ----------
    lower, width : float
        First grid point and length of the whole grid, in the unit of the data.
    left : ndarray, shape (511,)
        Where the polynomial of each cell is expanded, on the scale from 0 to 1.
    coefficients : ndarray, shape (4, 511)
        Of u^0 .. u^3, u the distance from `left`; neighbouring cells within a knot interval share them.
    """

    lower: float
    width: float
    left: FloatArray
    coefficients: FloatArray

    @classmethod
    def of(cls, grid: DensityGrid, fit: SmoothingSpline) -> GridCurve:
        """Spread the polynomials of the knot intervals over the cells."""
        piece = _piece_of_cell(fit.breaks.tobytes())
        return cls(grid.lower, grid.upper - grid.lower, fit.breaks[piece], fit.coefficients[:, piece])

    def blocks(self, z: FloatArray) -> Iterator[tuple[slice, NDArray[np.intp], FloatArray]]:
        """Yield, chunk by chunk, where it is, the cells of its points and the curve at them.

        Parameters
        ----------
        z : ndarray, shape (n,)
            Points inside the grid, in any order.

        Yields
        ------
        part : slice
        cell : ndarray of int, shape (chunk,)
        value : ndarray, shape (chunk,)
            Overwritten by the next chunk.
        """
        size = min(_CHUNK, z.size)
        x, value, spread = np.empty(size), np.empty(size), np.empty(size)
        for start in range(0, z.size, _CHUNK):
            part = slice(start, start + _CHUNK)
            n = z[part].size
            cell = self._locate(z[part], x[:n], value[:n])
            self._evaluate(cell, x[:n], value[:n], spread[:n])
            yield part, cell, value[:n]

    def _locate(self, z: FloatArray, x: FloatArray, work: FloatArray) -> NDArray[np.intp]:
        """Put the points on the scale from 0 to 1 into `x` and return their cells."""
        np.subtract(z, self.lower, out=x)
        x /= self.width
        np.multiply(x, N_CELLS, out=work)
        return work.astype(np.intp)

    def _evaluate(self, cell: NDArray[np.intp], x: FloatArray, value: FloatArray, spread: FloatArray) -> None:
        """Horner's rule in place: `x` becomes the distance from the expansion point, `value` the curve."""
        x -= self.left.take(cell, mode="clip", out=spread)
        self.coefficients[3].take(cell, mode="clip", out=value)
        for row in self.coefficients[2::-1]:
            value *= x
            value += row.take(cell, mode="clip", out=spread)

    def normal_rate_rises(self) -> NDArray[np.bool_]:
        """Cells in which the curve is positive and the normal density over it does not fall, ``(511,)``.

        Notes
        -----
        The derivative of ``log(phi / f)`` is ``-(z f + f') / f``. A polynomial has the sign of its Bernstein
        coefficients where these agree; a cell where they do not counts as one that may fall.
        """
        step = self.width / N_CELLS
        a = self._cell_polynomials()
        z = self.lower + step * np.arange(N_CELLS)
        g = np.zeros((5, N_CELLS))
        g[:4] = z * a
        g[1:] += step * a
        g[:3] += np.arange(1, 4)[:, None] * a[1:] / step
        positive = (_TO_BERNSTEIN[3] @ a > 0).all(axis=0)
        return np.asarray(positive & (_TO_BERNSTEIN[4] @ g <= 0).all(axis=0))

    def _cell_polynomials(self) -> FloatArray:
        """Coefficients of t^0 .. t^3 with t from 0 to 1 within each cell, ``(4, 511)``."""
        u = np.arange(N_CELLS) / N_CELLS - self.left
        c0, c1, c2, c3 = self.coefficients
        shifted = np.stack([c0 + u * (c1 + u * (c2 + u * c3)), c1 + u * (2 * c2 + 3 * u * c3), c2 + 3 * u * c3, c3])
        shifted /= float(N_CELLS) ** np.arange(4)[:, None]
        return shifted


@cache
def _piece_of_cell(breaks: bytes) -> NDArray[np.intp]:
    """Knot interval of every grid cell; knots are grid points. There is one set of knots, see `grid_system`."""
    middle = (np.arange(N_CELLS) + 0.5) / N_CELLS
    piece = np.searchsorted(np.frombuffer(breaks)[1:-1], middle, side="right")
    piece.setflags(write=False)
    return piece


def running_maximum(z: FloatArray, rates: FloatArray, cell: NDArray[np.intp], rises: NDArray[np.bool_]) -> FloatArray:
    """Replace rates by their largest value at or before each point in the order of z, without sorting all of them.

    Parameters
    ----------
    z : ndarray, shape (n,)
    rates : ndarray, shape (n,)
        Not negative; overwritten.
    cell : ndarray of int, shape (n,)
        Non-decreasing function of z.
    rises : ndarray of bool, shape (n_cells,)
        Cells within which rates are known not to fall.

    Returns
    -------
    ndarray, shape (n,)
        `rates`.

    Notes
    -----
    Within a cell that rises, the answer is the rate or the largest rate of all cells before; so it is in a cell
    that has no rate above those. Only the points of other cells are sorted.

    Examples
    --------
    >>> z, rates = np.array([0.3, 0.1, 0.2, 1.5]), np.array([0.2, 0.1, 0.4, 0.3])
    >>> running_maximum(z, rates, np.array([0, 0, 0, 1]), np.array([False, True]))
    array([0.4, 0.1, 0.4, 0.4])
    """
    largest = np.zeros(rises.size)
    np.maximum.at(largest, cell, rates)
    before = np.zeros(rises.size)
    np.maximum.accumulate(largest[:-1], out=before[1:])
    turning = ~rises & (largest > before)
    if turning.any():
        inside = np.flatnonzero(turning.take(cell))
        inside = inside[np.argsort(z[inside])]
        rates[inside] = _maximum_within(rates[inside], cell[inside], before)
    np.maximum(rates, before.take(cell), out=rates)
    return rates


def _maximum_within(rates: FloatArray, cell: NDArray[np.intp], before: FloatArray) -> FloatArray:
    """Running maximum of sorted points, each cell starting from what came before it."""
    out: FloatArray = np.maximum.accumulate(np.maximum(rates, before.take(cell)))
    return out
