"""A high quantile of what comes in row by row, without keeping the rows."""

from __future__ import annotations

import math

import numpy as np

from latentadj.core.matrix import Array

__all__ = ["UpperQuantile"]


class UpperQuantile:
    """The quantile of each column over a known number of rows, from the largest values alone.

    Parameters
    ----------
    n_rows : int
    level : float
        Between 0 and 1.
    n_columns : int

    Notes
    -----
    An order statistic, the higher one where the quantile falls between two: ``method="higher"`` of `numpy.quantile`.
    At most twice as many rows are held as have a value at or above it, 5 % of all for an interval of 95 %. NaN counts
    as infinite: where a draw has no value, nothing is known of how large it might be.

    Examples
    --------
    >>> largest = UpperQuantile(4, 0.6, 2)
    >>> for row in np.array([[1.0, 8.0], [4.0, 5.0], [2.0, 6.0], [3.0, 7.0]]):
    ...     largest.add(row)
    >>> largest.value()
    array([3., 7.])
    """

    def __init__(self, n_rows: int, level: float, n_columns: int) -> None:
        self.n_rows = n_rows
        self.n_above = n_rows - math.ceil(level * (n_rows - 1))
        self._held = np.empty((2 * self.n_above, n_columns))
        self._used = 0
        self._seen = 0

    def add(self, row: Array) -> None:
        """Take in a row ``(n_columns,)``."""
        if self._used == len(self._held):
            self._held[: self.n_above] = np.partition(self._held, self.n_above, axis=0)[self.n_above :]
            self._used = self.n_above
        self._held[self._used] = np.where(np.isnan(row), np.inf, row)
        self._used += 1
        self._seen += 1

    def value(self) -> Array:
        """Return the quantile ``(n_columns,)`` of all rows.

        Raises
        ------
        ValueError
            Before all rows have come in.
        """
        if self._seen != self.n_rows:
            raise ValueError(f"{self._seen} of {self.n_rows} rows have come in.")
        place = self._used - self.n_above
        out: Array = np.partition(self._held[: self._used], place, axis=0)[place]
        return out
