"""Many independent permutations of all features from one: sums over groups of features are permuted again."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from latentadj.core.matrix import Array
from latentadj.core.pass_kernel import KernelState, PassKernel
from latentadj.core.random_orders import GROUPS, permuted_rows, random_orders, residual_rows, shifted

#: Groups whose sums are permuted again; the top shares of two replicates of a round correlate by about half of one
#: over this (measured: normal and t3 features, 2 to 16 groups).
N_GROUPS = 96
#: Replicates made from the same sums; the next ones begin with fresh permutations of the features.
ROUND = 32
#: Keeps the borders of groups of equal features away from ties, which round-off would decide.
OFFSET = 0.3819660112501051


def feature_groups(squares: Array, n_groups: int = N_GROUPS) -> NDArray[np.intp]:
    """Cut features into consecutive groups of about equal sums of squares.

    Parameters
    ----------
    squares : ndarray of shape (n_features,)
        Residual sums of squares, weights included.
    n_groups : int, default=96

    Returns
    -------
    ndarray of int, shape (n_features,)
        Not decreasing. A group holds at most ``2 / n_groups`` of the total beside its largest feature, so that features
        that dominate the others are in groups of their own.

    Examples
    --------
    >>> feature_groups(np.array([1.0, 1, 1, 1, 9, 9, 1, 1]), 4).tolist()
    [0, 0, 0, 0, 1, 3, 4, 4]
    """
    total = squares.sum()
    if not total > 0:
        return np.zeros(len(squares), dtype=np.intp)
    middle = np.cumsum(squares) - squares / 2
    groups: NDArray[np.intp] = np.floor(n_groups * middle / total + OFFSET).astype(np.intp)
    return groups


class RegroupedGramKernel(PassKernel):
    """Sample Gram matrices of independently permuted residuals, from sums over groups that are permuted again.

    Parameters
    ----------
    basis : ndarray of shape (n_samples, rank)
        Orthonormal basis of the design that is removed from every feature.
    key : ndarray of uint64, shape (2,)
        Key of the random streams.
    replicates : range
        Numbers of the replicates.
    groups : ndarray of int, shape (n_features,)
        Group of every feature, not decreasing.
    weights : ndarray of shape (n_features,), optional
        Factor of each feature's residuals.

    Notes
    -----
    ``G_b = sum_g Q_bg (sum_{j in g} (P_j r_j)(P_j r_j)') Q_bg'`` with an independent uniform permutation ``P_j`` for
    every feature and ``Q_bg`` for every replicate and group. The products ``Q_bg P_j`` of one replicate are again
    independent and uniform over features, so that each ``G_b`` has exactly the distribution that permuting every
    feature anew has. Replicates of a round share their ``P_j``, so that products of two features are the same in all
    of them, up to their place, if both are in one group: with 96 groups of equal sums of squares the top shares
    of two replicates correlate by about 0.005. Work is ``m n^2`` flops and ``m n`` random numbers per round, and
    ``n_groups n^2`` moves per replicate.
    """

    reads = {"groups": 0, "weights": 0}
    sums = ("grams",)

    def __init__(
        self,
        basis: Array,
        key: NDArray[np.uint64],
        replicates: range,
        groups: NDArray[np.intp],
        *,
        weights: Array | None = None,
    ) -> None:
        n_samples = basis.shape[0]
        self.basis = basis
        self.key = key
        self.replicates = replicates
        self.groups = groups
        self.weights = weights
        self.rounds = range(replicates.start // ROUND, -(-replicates.stop // ROUND))
        self.grams = np.zeros((len(replicates), n_samples, n_samples))
        self._open = np.zeros((len(self.rounds), n_samples, n_samples))
        self._open_group = -1
        self._moved = np.empty((2, n_samples, n_samples))

    def fork(self) -> Self:
        """Return a kernel for one run, with sums and an open group of its own."""
        twin = super().fork()
        twin._open, twin._open_group, twin._moved = np.zeros_like(self._open), -1, np.empty_like(self._moved)
        return twin

    def update(self, block: Array, columns: slice) -> None:
        """Add the products of one block's permuted residuals to the sums of their groups."""
        for features, rows in residual_rows(block, columns, self.basis, self.weights):
            own, n_samples = shifted(features, self.first_feature), rows.shape[1]
            permuted = [permuted_rows(rows, random_orders(self.key, r, own, n_samples)) for r in self.rounds]
            for group, members in _runs_of_equals(self.groups[features]):
                self._begin(group)
                for gram, values in zip(self._open, permuted, strict=True):
                    gram += values[members].T @ values[members]

    def _begin(self, group: int) -> None:
        """Finish the group that is open if another one begins."""
        if group != self._open_group:
            self._finish()
            self._open_group = group

    def _finish(self) -> None:
        """Permute the open group's sums for every replicate and add them."""
        if self._open_group < 0:
            return
        numbers, n_samples = slice(self.replicates.start, self.replicates.stop), self.grams.shape[1]
        orders = random_orders(self.key, self._open_group, numbers, n_samples, GROUPS).astype(np.intp)
        half, whole = self._moved
        for gram, replicate, order in zip(self.grams, self.replicates, orders, strict=True):
            self._open[replicate // ROUND - self.rounds.start].take(order, axis=0, out=half, mode="clip")
            gram += half.take(order, axis=1, out=whole, mode="clip")
        self._open[:], self._open_group = 0.0, -1

    def merge(self, other: Self) -> None:
        """Add another run's Gram matrices; a group that both have a part of is a sum of two parts."""
        other._finish()
        super().merge(other)

    def state(self, columns: slice) -> KernelState:
        """Return the Gram matrices, with the open group in them."""
        self._finish()
        return super().state(columns)

    def result(self) -> Array:
        """Return the Gram matrices ``(n_replicates, n_samples, n_samples)``."""
        self._finish()
        return self.grams


def _runs_of_equals(numbers: NDArray[np.intp]) -> Iterator[tuple[int, slice]]:
    """Runs of equal numbers: the number, and where it stands."""
    borders = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(numbers)]
    for start, stop in pairwise(borders):
        yield int(numbers[start]), slice(start, stop)
