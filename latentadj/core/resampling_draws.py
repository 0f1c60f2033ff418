"""Random rearrangements of residuals that all features share: permutations, sign flips, rotations, bootstrap draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from latentadj.core.matrix import Array

__all__ = [
    "Draws",
    "GatherDraws",
    "MultiplierDraws",
    "RotationDraws",
    "multipliers",
    "permutations",
    "resamples",
    "rotations",
    "signs",
]

Index = NDArray[np.intp]

#: With at most so many groups, random signs give too few different draws.
FEW_GROUPS = 12


class Draws(Protocol):
    """Linear maps V of residuals, one per draw, the same for all features."""

    @property
    def n_draws(self) -> int:
        """How many."""
        ...

    def directions(self, draws: slice, tested: Array, reduced: Array) -> tuple[Array, Array | None]:
        """Return ``V' [tested reduced]`` and what squares of residuals count in the squared length of ``V r``.

        Parameters
        ----------
        draws : slice
        tested : ndarray of shape (n_samples, q)
        reduced : ndarray of shape (n_samples, r)

        Returns
        -------
        directions : ndarray of shape (c, k, n_samples)
            The q tested ones first.
        squares : ndarray of shape (c, n_samples) or None
            None where lengths stay as they are.
        """
        ...


@dataclass(frozen=True)
class GatherDraws:
    """Residual ``index[b, i]`` takes the place of residual i.

    Attributes
    ----------
    index : ndarray of int, shape (n_draws, n_samples)
    replacement : bool
        Whether a residual may be taken more than once.
    """

    index: Index
    replacement: bool = False

    @property
    def n_draws(self) -> int:
        """How many."""
        return len(self.index)

    def directions(self, draws: slice, tested: Array, reduced: Array) -> tuple[Array, Array | None]:
        """See `Draws.directions`."""
        index = self.index[draws]
        columns = np.concatenate([tested, reduced], axis=1)
        out = np.zeros((*index.shape, columns.shape[1]))
        rows = np.arange(len(index))[:, None]
        if not self.replacement:
            out[rows, index] = columns
            return out.transpose(0, 2, 1), None
        counts = np.zeros(index.shape)
        np.add.at(out, (rows, index), columns)
        np.add.at(counts, (rows, index), 1.0)
        return out.transpose(0, 2, 1), counts

    def of_squares(self) -> GatherDraws:
        """Return the draws that do to squares what these do to residuals."""
        return self

    def apply(self, draw: int, residual: Array) -> Array:
        """Rearranged residuals ``(n_samples, m)`` of one draw."""
        out: Array = residual[self.index[draw]]
        return out


@dataclass(frozen=True)
class MultiplierDraws:
    """Residual i is multiplied by ``values[b, i]``.

    Attributes
    ----------
    values : ndarray of shape (n_draws, n_samples)
    """

    values: Array

    @property
    def n_draws(self) -> int:
        """How many."""
        return len(self.values)

    def directions(self, draws: slice, tested: Array, reduced: Array) -> tuple[Array, Array | None]:
        """See `Draws.directions`."""
        values = self.values[draws]
        columns = np.concatenate([tested, reduced], axis=1)
        squares = np.square(values)
        return values[:, None, :] * columns.T, None if np.all(squares == 1.0) else squares

    def of_squares(self) -> MultiplierDraws:
        """Return the draws that do to squares what these do to residuals."""
        return MultiplierDraws(np.square(self.values))

    def apply(self, draw: int, residual: Array) -> Array:
        """Multiplied residuals ``(n_samples, m)`` of one draw."""
        out: Array = self.values[draw][:, None] * residual
        return out


@dataclass(frozen=True)
class RotationDraws:
    """Residuals are rotated within the space that the null model leaves them.

    Attributes
    ----------
    tested : ndarray of shape (n_draws, q, n_samples)
        What the rotation brings onto the tested directions: orthonormal and orthogonal to the null model.
    """

    tested: Array

    @property
    def n_draws(self) -> int:
        """How many."""
        return len(self.tested)

    def directions(self, draws: slice, tested: Array, reduced: Array) -> tuple[Array, Array | None]:
        """See `Draws.directions`; nothing is rotated into the null model, so that there are no more directions."""
        return self.tested[draws], None


def permutations(n_draws: int, n_samples: int, rng: np.random.Generator, within: Index | None = None) -> Index:
    """Draw permutations of the samples.

    Parameters
    ----------
    n_draws, n_samples : int
    rng : numpy.random.Generator
    within : ndarray of int, shape (n_samples,), optional
        Samples are exchanged with those of the same label only.

    Returns
    -------
    ndarray of int, shape (n_draws, n_samples)

    Examples
    --------
    >>> permutations(2, 4, np.random.default_rng(0), np.array([0, 0, 1, 1])) // 2
    array([[0, 0, 1, 1],
           [0, 0, 1, 1]])
    """
    order = np.argsort(rng.random((n_draws, n_samples)), axis=1)
    if within is None:
        return order
    shuffled = np.take_along_axis(order, np.argsort(within[order], axis=1, kind="stable"), axis=1)
    out = np.empty_like(order)
    out[:, np.argsort(within, kind="stable")] = shuffled
    return out


def signs(n_draws: int, groups: Index, rng: np.random.Generator) -> Array:
    """Draw a sign for each group ``(n_samples,)`` of samples in every draw, ``(n_draws, n_samples)``."""
    chosen = rng.integers(0, 2, size=(n_draws, int(groups.max(initial=-1)) + 1))
    out: Array = np.where(chosen == 1, 1.0, -1.0)[:, groups]
    return out


def multipliers(n_draws: int, groups: Index, rng: np.random.Generator) -> Array:
    """Draw multipliers of mean 0 and variance 1 for each group ``(n_samples,)``, ``(n_draws, n_samples)``.

    Notes
    -----
    Signs, or the six points of Webb (2023), Canadian Journal of Economics 56:839, where there are so few groups that
    signs would give few different draws.
    """
    if int(groups.max(initial=-1)) >= FEW_GROUPS:
        return signs(n_draws, groups, rng)
    points = np.sqrt([0.5, 1.0, 1.5])
    chosen = rng.integers(0, 6, size=(n_draws, int(groups.max(initial=-1)) + 1))
    out: Array = np.concatenate([-points, points])[chosen][:, groups]
    return out


def resamples(n_draws: int, n_samples: int, rng: np.random.Generator, within: Index | None = None) -> Index:
    """Draw samples with replacement, of the same label only where labels ``(n_samples,)`` are given."""
    if within is None:
        return rng.integers(0, n_samples, size=(n_draws, n_samples))
    out = np.empty((n_draws, n_samples), dtype=np.intp)
    for label in np.unique(within):
        members = np.flatnonzero(within == label)
        out[:, members] = members[rng.integers(0, len(members), size=(n_draws, len(members)))]
    return out


def rotations(n_draws: int, n_tested: int, left: Array, rng: np.random.Generator) -> Array:
    """Draw uniformly distributed orthonormal directions.

    Parameters
    ----------
    n_draws, n_tested : int
    left : ndarray of shape (n_samples, f)
        Orthonormal basis of what the null model leaves.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (n_draws, n_tested, n_samples)

    Notes
    -----
    Rows of a uniformly distributed orthogonal matrix (Langsrud 2005, Statistics and Computing 15:53).
    """
    q, r = np.linalg.qr(rng.normal(size=(n_draws, left.shape[1], n_tested)).astype(np.float64))
    turn = np.where(np.einsum("bii->bi", r) < 0, -1.0, 1.0)
    return np.asarray((left @ (q * turn[:, None, :])).transpose(0, 2, 1), dtype=np.float64)
