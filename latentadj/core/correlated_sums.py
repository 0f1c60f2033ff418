"""What one pass leaves of features with missing values when the samples are correlated."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latentadj.core.feature_fits import described, observed, only
from latentadj.core.feature_grams import distinct_columns, pattern_powers
from latentadj.core.matrix import Array
from latentadj.core.observed_sums import ObservedSums
from latentadj.core.pass_kernel import PassKernel
from latentadj.core.stacked_bases import Rows
from latentadj.core.whitening import Whitening

#: Bytes of the largest temporary.
_CHUNK_BYTES = 1 << 22
#: Below this share of what was there before missing samples were taken out, a sum of squares is not relied on.
_CANCELLATION = 1e-3


class CorrelatedSumsKernel(PassKernel):
    """Accumulate `ObservedSums` for generalised least squares on the samples that were observed, for `run_pass`.

    Parameters
    ----------
    basis : ndarray of shape (n_samples, rank)
        Orthonormal columns spanning the mapped design.
    n_features : int
    whitening : Whitening
        Dense.
    centred : bool
        Whether the constant lies in the span of the design.

    Notes
    -----
    With ``O = V^-1`` and M the missing samples, ``(V without M)^-1 = O - O[:, M] O[M, M]^-1 O[M, :]`` on the others:
    every sum is the one with missing values set to 0, less a correction that takes a system of the size of M only.
    Systems are made and solved as stacks, one for every pattern of a block.
    """

    rows = {
        "n_obs": 0,
        "mean": 0,
        "constant": 0,
        "found.effects": 0,
        "found.squares": 0,
        "found.shift": 0,
        "found.patterns": 1,
        "found.grams": 1,
    }

    def __init__(self, basis: Array, n_features: int, whitening: Whitening, *, centred: bool) -> None:
        n, r = basis.shape
        self.centred = centred
        self.n_obs = np.empty(n_features, dtype=np.intp)
        self.mean = np.empty(n_features)
        self.constant = np.empty(n_features, dtype=bool)
        self.precision = whitening.transform.T @ whitening.transform
        self.mapped = whitening.transform.T @ basis
        self._upper = np.triu_indices(r)
        self._powers = pattern_powers(n)
        grams = np.repeat(np.eye(r)[self._upper][:, None], n_features, axis=1)
        patterns = np.empty((len(self._powers), n_features))
        effects, squares, shift = np.empty((n_features, r)), np.empty(n_features), np.zeros(n_features)
        self.found = ObservedSums(effects, squares, shift, patterns, grams)

    def update(self, block: Array, columns: slice) -> None:
        """Write the sums of the features of one block."""
        seen = observed(block, None)
        values, shift = described(self, only(block, seen), seen, columns, centred=self.centred)
        weighed = self.precision @ values
        sums = self.found
        sums.shift[columns] = shift
        sums.effects[columns] = values.T @ self.mapped
        sums.squares[columns] = np.einsum("ij,ij->j", values, weighed)
        words = sums.patterns[:, columns] = self._powers @ seen.astype(np.float64)
        missing = np.flatnonzero(~seen.all(axis=0))
        order, group = distinct_columns(words[:, missing])
        if order.size:
            self._correct(~seen, weighed, missing[order], group, columns.start or 0)

    def _correct(self, gone: NDArray[np.bool_], weighed: Array, features: Rows, group: Rows, first: int) -> None:
        """Take missing samples out of the sums of features of the block, patterns of similar size at a time."""
        starts = np.flatnonzero(np.diff(group, prepend=-1))
        sizes = gone[:, features[starts]].sum(axis=0)
        by_size = np.argsort(sizes, kind="stable")
        ends = np.append(starts[1:], len(features))
        start = 0
        while start < len(by_size):
            width = max(int(_CHUNK_BYTES // (8 * sizes[by_size[start]] ** 2)), 1)
            some = by_size[start : start + min(width, 64)]
            members = np.concatenate([np.arange(starts[i], ends[i]) for i in some])
            own = np.repeat(np.arange(len(some)), ends[some] - starts[some])
            patterns = gone[:, features[starts[some]]].T
            self._correct_some(patterns, weighed[:, features[members]].T, own, features[members] + first)
            start += len(some)

    def _correct_some(self, patterns: NDArray[np.bool_], weighed: Array, own: Rows, features: Rows) -> None:
        """Correct features ``(b, n_samples)``, feature i with missing samples ``patterns[own[i]]``."""
        place, real = _positions(patterns)
        system = self.precision[place[:, :, None], place[:, None, :]]
        system = np.where(real[:, :, None] & real[:, None, :], system, np.eye(place.shape[1]))
        inverse = np.linalg.inv(system)
        mapped = np.where(real[:, :, None], self.mapped[place], 0.0)
        solved = inverse @ mapped
        lost = (mapped.transpose(0, 2, 1) @ solved)[:, self._upper[0], self._upper[1]]
        there = np.where(real[own], np.take_along_axis(weighed, place[own], axis=1), 0.0)
        sums = self.found
        sums.grams[:, features] -= lost[own].T
        sums.effects[features] -= np.matmul(there[:, None, :], solved[own])[:, 0]
        before = sums.squares[features]
        after = before - np.einsum("bk,bk->b", np.matmul(inverse[own], there[:, :, None])[:, :, 0], there)
        sums.squares[features] = np.where(after >= _CANCELLATION * before, after, np.nan)

    def result(self) -> ObservedSums:
        """Return the sums of all features."""
        return self.found


def _positions(patterns: NDArray[np.bool_]) -> tuple[Rows, NDArray[np.bool_]]:
    """Positions ``(u, k)`` of what is true in rows, padded, and which of them are no padding."""
    sizes = patterns.sum(axis=1)
    place = np.argsort(~patterns, axis=1, kind="stable")[:, : sizes.max()]
    return place, np.arange(place.shape[1]) < sizes[:, None]
