"""Missing values completed for the estimation of factors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentadj.core.matrix import Array, FeatureMatrix, _Blocked
from latentadj.core.regression import DesignBasis
from latentadj.core.weighted_regression import fit_weighted_regression


@dataclass(frozen=True)
class CompletedMatrix(_Blocked):
    """Observed values where there are any, fitted values elsewhere; made block by block.

    Parameters
    ----------
    base : FeatureMatrix of shape (n_samples, n_features)
    directions : ndarray of shape (n_samples, r)
    coordinates : ndarray of shape (n_features, r)
    """

    base: FeatureMatrix
    directions: Array
    coordinates: Array

    @property
    def shape(self) -> tuple[int, int]:
        """``(n_samples, n_features)``."""
        return self.base.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Always float64."""
        return np.dtype(np.float64)

    def read(self, columns: slice) -> Array:
        """Return the completed block."""
        block = self.base.read(columns)
        return np.where(np.isnan(block), self.directions @ self.coordinates[columns].T, block)


@dataclass(frozen=True)
class Completion:
    """A matrix without missing values; more to come."""

    matrix: FeatureMatrix
    usable: NDArray[np.bool_]


def complete(Y: FeatureMatrix, basis: DesignBasis, *, max_factors: int | None = None) -> Completion:
    """Complete a matrix by the fit of a design."""
    fit = fit_weighted_regression(Y, basis.q)
    coordinates = np.where(np.isfinite(fit.coef), fit.coef, 0.0)
    assert fit.n_obs is not None
    return Completion(CompletedMatrix(Y, basis.q, coordinates), fit.n_obs >= basis.rank + 2)
