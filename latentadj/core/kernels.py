"""Accumulators over feature blocks: regression sums, Gram matrices, projections.

Sums of squares are formed after centring each feature whenever the design contains the constant, and the
residual sum of squares is recomputed from explicit residuals where the subtraction would lose digits.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np

from latentadj.core.matrix import Array
from latentadj.core.pass_kernel import PassKernel

#: Below this share of the total, ``|y|^2 - |Q'y|^2`` has lost too many digits and is recomputed.
CANCELLATION = 1e-8
#: Below this share of the raw total a feature is centred before it is squared.
MEAN_DOMINATES = 1e-3


class Scratch(threading.local):
    """A reusable buffer, one per thread, that takes the shape and the memory order of the block it stands for."""

    def __init__(self) -> None:
        self._flat: Array = np.empty(0)

    def __reduce__(self) -> tuple[type[Scratch], tuple[()]]:
        """Travel to another process without the buffer."""
        return Scratch, ()

    def like(self, block: Array) -> Array:
        """Return an uninitialised array of the shape and memory order of `block`."""
        if self._flat.size < block.size:
            self._flat = np.empty(block.size)
        flat = self._flat[: block.size]
        features_contiguous = abs(block.strides[0]) < abs(block.strides[1])
        return flat.reshape(block.shape[::-1]).T if features_contiguous else flat.reshape(block.shape)


def column_sum_of_squares(block: Array) -> Array:
    """Sum of squares of every column, ``(n, b) -> (b,)``, without a temporary."""
    out: Array = np.einsum("ij,ij->j", block, block)
    return out


@dataclass(frozen=True, slots=True)
class RegressionSums:
    """What one pass leaves of every feature for a given orthonormal design basis.

    Attributes
    ----------
    effects : ndarray of shape (n_features, rank)
        Coordinates ``Q' y`` in the design basis.
    rss : ndarray of shape (n_features,)
        Residual sum of squares.
    tss : ndarray of shape (n_features,)
        Sum of squares about the mean when the design holds the constant, else the raw one. Not finite where
        the data are not.
    mean : ndarray of shape (n_features,)
        Mean over samples.
    """

    effects: Array
    rss: Array
    tss: Array
    mean: Array


class RegressionKernel(PassKernel):
    """Coordinates in an orthonormal basis and the residual sum of squares, for all features at once.

    Parameters
    ----------
    basis : ndarray of shape (n_samples, rank)
        Orthonormal columns spanning the design.
    n_features : int
    centred : bool
        Whether the constant lies in the span of the basis. ``tss`` is then taken about the mean, and a
        feature whose mean takes up more than three digits of its sum of squares is centred before anything
        is squared.

    Notes
    -----
    ``RSS = |y|^2 - |Q'y|^2``. With ``c = |y|^2 / RSS`` the relative error is about ``c`` units of round-off,
    so features with ``c > 1000`` are centred first, and those with ``c > 1e8`` even then (a feature that the
    design fits almost exactly) have their residuals formed explicitly.
    """

    rows = {"effects": 0, "rss": 0, "tss": 0, "mean": 0}

    def __init__(self, basis: Array, n_features: int, *, centred: bool) -> None:
        n_samples, rank = basis.shape
        self.basis = basis
        self.centred = centred
        mean = np.full((n_samples, 1), 1.0 / n_samples)
        self._directions = np.ascontiguousarray(basis if centred else np.column_stack([basis, mean]))
        self._mean_weights = basis.mean(axis=0)
        self.effects = np.empty((n_features, rank))
        self.rss = np.empty(n_features)
        self.tss = np.empty(n_features)
        self.mean = np.empty(n_features)

    def update(self, block: Array, columns: slice) -> None:
        """Write the sums of the features of one block."""
        with np.errstate(invalid="ignore", over="ignore"):
            effects, mean = self._effects_and_mean(block)
            tss = column_sum_of_squares(block)
            rss = tss - column_sum_of_squares(effects.T)
            lost = np.flatnonzero(rss < MEAN_DOMINATES * tss)
            if self.centred:
                tss = tss - block.shape[0] * mean**2
            if lost.size:
                effects[lost], tss[lost], rss[lost] = self._careful(block[:, lost], mean[lost])
        self.effects[columns], self.mean[columns] = effects, mean
        self.tss[columns], self.rss[columns] = np.maximum(tss, 0.0), np.maximum(rss, 0.0)

    def _effects_and_mean(self, block: Array) -> tuple[Array, Array]:
        """Coordinates in the basis and means; with the constant in its span the means follow from the former."""
        coordinates = self._coordinates(block)
        if self.centred:
            return coordinates, coordinates @ self._mean_weights
        return coordinates[:, :-1], coordinates[:, -1]

    def _coordinates(self, block: Array) -> Array:
        """Return ``block' directions`` by the product that BLAS does faster for the block's memory order."""
        if abs(block.strides[0]) < abs(block.strides[1]):
            coordinates: Array = block.T @ self._directions
        else:
            coordinates = (self._directions.T @ block).T
        return coordinates

    def _careful(self, block: Array, mean: Array) -> tuple[Array, Array, Array]:
        """Effects, total and residual sums of squares of features whose size hides their variation."""
        if self.centred:
            block = block - mean
        effects = self.basis.T @ block
        tss = column_sum_of_squares(block)
        rss = tss - column_sum_of_squares(effects)
        lost = np.flatnonzero(rss < CANCELLATION * tss)
        if lost.size:
            rss[lost] = column_sum_of_squares(block[:, lost] - self.basis @ effects[:, lost])
        if self.centred:
            constant = self.basis.sum(axis=0)
            constant[np.abs(constant) < 1e-12 * block.shape[0]] = 0.0
            effects += np.outer(constant, mean)
        return effects.T, tss, rss

    def result(self) -> RegressionSums:
        """Return the sums of all features."""
        return RegressionSums(self.effects, self.rss, self.tss, self.mean)


class GramKernel(PassKernel):
    """Sample Gram matrix ``sum_j w_j^2 r_j r_j'`` of features with a design removed.

    Parameters
    ----------
    n_samples : int
    basis : ndarray of shape (n_samples, rank), optional
        Orthonormal columns to remove from every feature before the products; nothing is removed without it.
    mean : ndarray of shape (n_features,), optional
        Known means, subtracted from the features instead: the cheap way when only the constant is removed.
    weights : ndarray of shape (n_features,), optional
        Factor of each feature.

    Notes
    -----
    The design is removed before the products are formed: removing it from a finished Gram matrix loses the
    digits that the means take up. Work is ``m n^2`` for m features.
    """

    reads = {"mean": 0, "weights": 0}
    sums = ("gram",)

    def __init__(
        self,
        n_samples: int,
        *,
        basis: Array | None = None,
        mean: Array | None = None,
        weights: Array | None = None,
    ) -> None:
        self.basis = basis
        self.mean = mean
        self.weights = weights
        self.gram = np.zeros((n_samples, n_samples))
        self._scratch = Scratch()

    def update(self, block: Array, columns: slice) -> None:
        """Add the products of one block."""
        work = block
        if self.basis is not None or self.mean is not None:
            removed = self.mean[columns] if self.mean is not None else self._fitted(block)
            work = np.subtract(block, removed, out=self._scratch.like(block))
        if self.weights is not None:
            out = work if work is not block else self._scratch.like(block)
            work = np.multiply(work, self.weights[columns], out=out)
        self.gram += work @ work.T

    def _fitted(self, block: Array) -> Array:
        basis = np.empty((len(block), 0)) if self.basis is None else self.basis
        out: Array = basis @ (basis.T @ block)
        return out

    def result(self) -> Array:
        """Return the Gram matrix ``(n_samples, n_samples)``."""
        return self.gram


class ProjectionKernel(PassKernel):
    """Coordinates of every feature along some sample-space directions: ``Y' V``.

    Parameters
    ----------
    directions : ndarray of shape (n_samples, k)
    n_features : int
    centred : bool, default=False
        Remove each feature's mean first (only matters for directions that are not orthogonal to the
        constant, and for the digits of those that are).
    """

    rows = {"coordinates": 0}

    def __init__(self, directions: Array, n_features: int, *, centred: bool = False) -> None:
        centre = directions.mean(axis=0) if centred else 0.0
        self.directions = np.ascontiguousarray(directions - centre).T
        self.coordinates = np.empty((n_features, directions.shape[1]))

    def update(self, block: Array, columns: slice) -> None:
        """Write the coordinates of one block's features."""
        self.coordinates[columns] = (self.directions @ block).T

    def result(self) -> Array:
        """Return the coordinates ``(n_features, k)``."""
        return self.coordinates


class ScoreKernel(PassKernel):
    """Sample-space sums over features: ``Y W`` for per-feature coefficients, ``(n_samples, k)``.

    Parameters
    ----------
    n_samples : int
    coefficients : ndarray of shape (n_features, k)
    offset : ndarray of shape (n_features,), optional
        Subtracted from each feature before the sum (its training mean, say).
    """

    reads = {"coefficients": 0, "offset": 0}
    sums = ("total",)

    def __init__(self, n_samples: int, coefficients: Array, *, offset: Array | None = None) -> None:
        self.coefficients = coefficients
        self.offset = offset
        self.total = np.zeros((n_samples, coefficients.shape[1]))

    def update(self, block: Array, columns: slice) -> None:
        """Add one block's contribution."""
        coefficients = self.coefficients[columns]
        if self.offset is None:
            self.total += block @ coefficients
        else:
            self.total += (block - self.offset[columns]) @ coefficients

    def result(self) -> Array:
        """Return the sums ``(n_samples, k)``."""
        return self.total
