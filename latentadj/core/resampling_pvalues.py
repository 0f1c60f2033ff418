"""p-values from statistics of many draws under the null: per feature, pooled, and of the largest statistic."""

from __future__ import annotations

import numpy as np

from latentadj.core.matrix import Array

__all__ = ["Exceedances"]

#: Statistics closer than this, relative to their size, are the same: draws that leave the data as they are.
TIE = 1e-9


class Exceedances:
    """Counts how often statistics of draws under the null reach the observed ones.

    Parameters
    ----------
    observed : ndarray of shape (n_features,)
        Statistics whose absolute values count; NaN for features that were not tested.

    Notes
    -----
    p-values are ``(b + 1) / (B + 1)``: the observed arrangement is one of those that were possible (Phipson and Smyth
    2010, Statistical Applications in Genetics and Molecular Biology 9(1)). Pooled p-values take the draws of all
    features for one distribution, which is right if the statistics have the same distribution under the null.
    Family-wise p-values are step-down: the statistic of rank j is held against the largest of those of rank j and below
    in the same draw (Westfall and Young 1993, algorithm 4.1; Ge, Dudoit and Speed 2003, box 3).

    Examples
    --------
    >>> counts = Exceedances(np.array([3.0, 1.0]))
    >>> counts.add(np.array([[0.5, 2.0], [0.5, 0.2], [1.5, 0.1]]))
    >>> counts.p_value(), counts.p_pooled().round(3), counts.p_max()
    (array([0.25, 0.5 ]), array([0.143, 0.429]), array([0.25, 0.5 ]))
    """

    def __init__(self, observed: Array) -> None:
        size = np.abs(observed)
        self._order = np.argsort(-size, kind="stable")[: int(np.sum(~np.isnan(size)))]
        self._size = size * (1.0 - TIE)
        self._shape = observed.shape
        self._own = np.zeros(observed.shape)
        self._pooled = np.zeros(observed.shape)
        self._max = np.zeros(len(self._order))
        self.n_draws = 0
        self._n_pooled = 0

    def add(self, statistics: Array) -> None:
        """Take in the statistics ``(c, n_features)`` of some draws; those that are NaN do not reach anything."""
        size = np.nan_to_num(np.abs(statistics), nan=0.0, posinf=np.inf)
        self.n_draws += len(size)
        self._own += np.sum(size >= self._size, axis=0)
        ranked = size[:, self._order]
        flat = np.sort(ranked, axis=None)
        self._n_pooled += flat.size
        self._pooled[self._order] += flat.size - np.searchsorted(flat, self._size[self._order], side="left")
        largest = np.maximum.accumulate(ranked[:, ::-1], axis=1)[:, ::-1]
        self._max += np.sum(largest >= self._size[self._order], axis=0)

    def p_value(self) -> Array:
        """p-value of each feature from its own draws, ``(n_features,)``."""
        return self._tested((self._own + 1.0) / (self.n_draws + 1.0))

    def p_pooled(self) -> Array:
        """p-value of each feature from the draws of all, ``(n_features,)``."""
        return self._tested((self._pooled + 1.0) / (self._n_pooled + 1.0))

    def p_max(self) -> Array:
        """p-value of each feature adjusted for the family-wise error by step-down, ``(n_features,)``."""
        out = np.full(self._shape, np.nan)
        out[self._order] = np.maximum.accumulate((self._max + 1.0) / (self.n_draws + 1.0))
        return out

    def _tested(self, p_value: Array) -> Array:
        return np.where(np.isnan(self._size), np.nan, p_value)
