"""Accumulators over feature blocks: regression sums, Gram matrices, projections.

Sums of squares are formed after centring each feature whenever the design contains the constant, and the
residual sum of squares is recomputed from explicit residuals where the subtraction would lose digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentadj.core.matrix import Array
from latentadj.core.memory import Scratch, features_lie_together
from latentadj.core.pass_kernel import PassKernel
from latentadj.core.pass_options import current_options

#: Below this share of the total, ``|y|^2 - |Q'y|^2`` has lost too many digits and is recomputed.
CANCELLATION = 1e-8
#: Below this share of the raw total a feature is centred before it is squared.
MEAN_DOMINATES = 1e-3
#: Most features whose products are added up in single precision.
SINGLE_FEATURES = 2048
#: Up to so many directions, products with vectors are faster than one with a matrix.
FEW_DIRECTIONS = 3


def column_sum_of_squares(block: Array, out: Array | None = None) -> Array:
    """Sum of squares of every column, ``(n, b) -> (b,)``, without a temporary."""
    if features_lie_together(block):
        return np.asarray(np.vecdot(block.T, block.T, out=out))
    return np.asarray(np.einsum("ij,ij->j", block, block, out=out))


def coordinates_along(directions: Array, block: Array, out: Array) -> None:
    """Write ``directions @ block``, ``(k, n) x (n, b) -> (k, b)``.

    Up to three directions are taken one at a time: products with a vector run at the speed of memory, those with a
    matrix of a few columns do not.
    """
    if len(directions) > FEW_DIRECTIONS:
        np.matmul(directions, block, out=out)
        return
    for direction, row in zip(directions, out, strict=True):
        np.matmul(direction, block, out=row)


def _taken(block: Array, chosen: np.ndarray) -> Array:
    """Copy of some features of a block, in its memory order."""
    return block.T[chosen].T if features_lie_together(block) else block[:, chosen]


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
    light = True

    def __init__(self, basis: Array, n_features: int, *, centred: bool) -> None:
        n_samples, rank = basis.shape
        self.basis = basis
        self.centred = centred
        self._directions = np.ascontiguousarray(basis.T)
        self._mean_weights = basis.mean(axis=0) if centred else np.full(n_samples, 1.0 / n_samples)
        self.effects: Array = np.empty((rank, n_features)).T
        self.rss = np.empty(n_features)
        self.tss = np.empty(n_features)
        self.mean = np.empty(n_features)

    def update(self, block: Array, columns: slice) -> None:
        """Write the sums of the features of one block."""
        effects, tss, rss = self.effects[columns].T, self.tss[columns], self.rss[columns]
        with np.errstate(invalid="ignore", over="ignore"):
            self._sums(block, effects, tss)
            mean = np.matmul(self._mean_weights, effects if self.centred else block, out=self.mean[columns])
            np.subtract(tss, column_sum_of_squares(effects), out=rss)
            lost = np.flatnonzero(rss < MEAN_DOMINATES * tss)
            if self.centred:
                tss -= len(block) * mean**2
            if lost.size:
                effects[:, lost], tss[lost], rss[lost] = self._careful(_taken(block, lost), mean[lost])
            np.maximum(tss, 0.0, out=tss)
            np.maximum(rss, 0.0, out=rss)

    def _sums(self, block: Array, effects: Array, squares: Array) -> None:
        """Write coordinates ``(rank, b)`` and sums of squares ``(b,)``."""
        coordinates_along(self._directions, block, out=effects)
        column_sum_of_squares(block, out=squares)

    def _careful(self, block: Array, mean: Array) -> tuple[Array, Array, Array]:
        """Effects, total and residual sums of squares of features whose size hides their variation.

        `block` ``(n_samples, n_lost)`` is overwritten.
        """
        if self.centred:
            block -= mean
        effects, tss = np.empty((len(self._directions), len(mean))), np.empty(len(mean))
        self._sums(block, effects, tss)
        rss = tss - column_sum_of_squares(effects)
        lost = np.flatnonzero(rss < CANCELLATION * tss)
        if lost.size:
            rss[lost] = column_sum_of_squares(block[:, lost] - self.basis @ effects[:, lost])
        if self.centred:
            constant = self.basis.sum(axis=0)
            constant[np.abs(constant) < 1e-12 * len(block)] = 0.0
            effects += np.outer(constant, mean)
        return effects, tss, rss

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
    single : bool, optional
        Form the products in single precision; by default what `pass_options` says.

    Notes
    -----
    The design is removed before the products are formed: removing it from a finished Gram matrix loses the
    digits that the means take up. Work is ``m n^2`` for m features.

    In single precision features are centred before they are rounded, whatever is to be removed: with
    ``y_j = x_j + c_j u``, where u is what the design leaves of the constant,
    ``sum y_j y_j' = sum x_j x_j' + t u' + u t' + (sum c_j^2) u u'``, ``t = sum c_j x_j``, and only the first sum is
    formed in single precision, of at most 2048 features at a time.
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
        single: bool | None = None,
    ) -> None:
        self.basis = basis
        self.mean = mean
        self.weights = weights
        self.gram = np.zeros((n_samples, n_samples))
        self.takes_single = bool(current_options().single_precision if single is None else single)
        dtype = np.float32 if self.takes_single else np.float64
        self._scratch, self._products = Scratch(dtype), Scratch(dtype)
        self._single_basis = None if basis is None else basis.astype(np.float32)

    def update(self, block: NDArray[Any], columns: slice) -> None:
        """Add the products of one block; of single-precision values too where `takes_single` says so."""
        if self.takes_single:
            self._add_single(block, columns)
            return
        work = block
        if self.basis is not None or self.mean is not None:
            work = self._scratch.like(block)
            np.subtract(block, self.mean[columns] if self.mean is not None else self._fitted(block, work), out=work)
        if self.weights is not None:
            out = work if work is not block else self._scratch.like(block)
            work = np.multiply(work, self.weights[columns], out=out)
        self._add_products(work)

    def _fitted(self, block: Array, out: Array) -> Array:
        basis = np.empty((len(block), 0)) if self.basis is None else self.basis
        return np.matmul(basis, basis.T @ block, out=out)

    def _add_products(self, work: NDArray[Any]) -> None:
        products = self._products.like(self.gram)
        np.matmul(work, work.T, out=products)
        self.gram += products

    def _add_single(self, block: NDArray[Any], columns: slice) -> None:
        level = np.full(len(block), 1.0 / len(block), block.dtype) @ block
        level = level.astype(np.float32)
        work = np.subtract(block, level, out=self._scratch.like(block), casting="same_kind")
        if self._single_basis is not None:
            work -= self._single_basis @ (self._single_basis.T @ work)
        offset = level.astype(np.float64) - (0.0 if self.mean is None else self.mean[columns])
        if self.weights is not None:
            work *= self.weights[columns].astype(np.float32)
            offset *= self.weights[columns]
        for start in range(0, block.shape[1], SINGLE_FEATURES):
            self._add_products(work[:, start : start + SINGLE_FEATURES])
        self._add_level(work, offset)

    def _add_level(self, work: NDArray[np.float32], offset: Array) -> None:
        """Put back the part of the features that was taken out before rounding and is not to be removed."""
        constant = np.ones(len(work))
        if self.basis is not None:
            constant -= self.basis @ self.basis.sum(axis=0)
            if constant @ constant < 1e-16 * len(work):
                return
        along = work @ offset.astype(np.float32)
        half = along + (0.5 * (offset @ offset)) * constant
        self.gram += np.outer(half, constant)
        self.gram += np.outer(constant, half)

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
    light = True

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
    light = True
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
