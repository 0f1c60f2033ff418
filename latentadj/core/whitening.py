"""Samples with unequal variances or correlated noise, brought to equal and independent ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import cholesky, solve, solve_triangular

from latentadj.core.matrix import Array, FeatureMatrix, FeatureView


@dataclass(frozen=True)
class Whitening:
    """A linear map of the samples after which their noise is independent and of equal variance.

    Attributes
    ----------
    transform : ndarray of shape (n_samples,) or (n_samples, n_samples)
        Factors of the samples, or a square matrix T with ``T V T' = I``.

    Notes
    -----
    Generalised least squares on Y is least squares on the map of Y with the map of the design (Aitken 1935), so
    that everything written for independent samples applies after the map. A square map is only given up to a rotation;
    the one is taken that maps constants to constants, so that centring features still takes their level out.
    """

    transform: Array

    @classmethod
    def from_weights(cls, weights: ArrayLike) -> Self:
        """Weights ``(n_samples,)``, proportional to one over each sample's noise variance.

        Examples
        --------
        >>> Whitening.from_weights([1.0, 4.0]).apply(np.array([[1.0], [1.0]])).ravel()
        array([1., 2.])
        """
        return cls(np.sqrt(np.asarray(weights, dtype=np.float64)))

    @classmethod
    def from_covariance(cls, covariance: ArrayLike) -> Self:
        """Noise covariance ``(n_samples, n_samples)`` of a feature, up to a factor; positive definite."""
        lower = np.asarray(cholesky(np.asarray(covariance, dtype=np.float64), lower=True))
        return cls(keeping_constants(np.asarray(solve_triangular(lower, np.eye(len(lower)), lower=True))))

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return len(self.transform)

    def apply(self, columns: Array) -> Array:
        """Map columns ``(n_samples, k)``."""
        if self.transform.ndim == 1:
            return columns * self.transform[:, None]
        out: Array = self.transform @ columns
        return out

    def undo(self, columns: Array) -> Array:
        """Map columns ``(n_samples, k)`` back."""
        if self.transform.ndim == 1:
            return columns / self.transform[:, None]
        return np.asarray(solve(self.transform, columns))

    def after(self, first: Whitening | None) -> Whitening:
        """Return the map that applies `first` and then this one."""
        if first is None:
            return self
        if self.transform.ndim == 1 and first.transform.ndim == 1:
            return Whitening(self.transform * first.transform)
        square = first.transform if first.transform.ndim == 2 else np.diag(first.transform)
        return Whitening(self.apply(square))

    @property
    def constant(self) -> Array:
        """What the map makes of the constant, of unit length, ``(n_samples,)``."""
        mapped = self.apply(np.ones((self.n_samples, 1)))[:, 0]
        return np.asarray(mapped / np.linalg.norm(mapped))


def keeping_constants(transform: Array) -> Array:
    """Reflect a square map so that it maps constants to constants.

    Parameters
    ----------
    transform : ndarray of shape (n, n)

    Returns
    -------
    ndarray of shape (n, n)

    Examples
    --------
    >>> kept = keeping_constants(np.array([[1.0, 0.0], [-0.5, 1.5]]))
    >>> bool(np.ptp(kept.sum(axis=1)) < 1e-12)
    True
    """
    n = len(transform)
    mapped = transform.sum(axis=1)
    target = np.full(n, np.linalg.norm(mapped) / np.sqrt(n))
    normal = mapped - target
    length = float(normal @ normal)
    if length < 1e-24 * float(mapped @ mapped):
        return transform
    out: Array = transform - np.outer(normal * (2.0 / length), normal @ transform)
    return out


@dataclass(frozen=True)
class WhitenedMatrix(FeatureView):
    """Another matrix with its samples mapped by a `Whitening`, block by block.

    Parameters
    ----------
    base : FeatureMatrix of shape (n_samples, n_features)
    whitening : Whitening
    """

    base: FeatureMatrix
    whitening: Whitening

    def read(self, columns: slice) -> Array:
        """Return the mapped block."""
        return self.whitening.apply(self.base.read(columns))
