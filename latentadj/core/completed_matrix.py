"""A matrix whose missing values are filled in as it is read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentadj.core.content_noise import Keys, normal_noise, value_keys
from latentadj.core.matrix import Array, FeatureMatrix, FeatureView


@dataclass(frozen=True)
class CompletedMatrix(FeatureView):
    """Another matrix, completed block by block: what a model fits, and noise as strong as that of observed values.

    Parameters
    ----------
    base : FeatureMatrix of shape (n_samples, n_features)
        NaN marks missing values.
    directions : ndarray of shape (n_samples, p)
        Orthonormal columns spanning the design and the factors.
    coordinates : ndarray of shape (n_features, p)
        Of what is fitted beside `shift`.
    shift : ndarray of shape (n_features,)
    noise : ndarray of shape (n_features,)
        Standard deviation of the noise.
    usable : ndarray of bool, shape (n_features,)
        The others are 0 throughout.
    sample_keys : ndarray of uint64, shape (n_samples,)
        What the noise is drawn from beside the features' values.
    """

    base: FeatureMatrix
    directions: Array
    coordinates: Array
    shift: Array
    noise: Array
    usable: NDArray[np.bool_]
    sample_keys: Keys
    reads = {"base": 1, "coordinates": 0, "shift": 0, "noise": 0, "usable": 0}

    def read(self, columns: slice) -> Array:
        """Return the completed block."""
        block = self.base.read(columns)
        missing = np.isnan(block)
        here = np.flatnonzero(missing.any(axis=0) | ~self.usable[columns])
        if not here.size:
            return block
        completed = block.copy(order="K")
        completed[:, here] = self._completed(block[:, here], missing[:, here], here + (columns.start or 0))
        return completed

    def _completed(self, block: Array, missing: NDArray[np.bool_], features: NDArray[np.intp]) -> Array:
        fitted = self.directions @ self.coordinates[features].T + self.shift[features]
        drawn = self._drawn(block, missing) * self.noise[features]
        completed = np.where(missing, fitted + drawn, block)
        return np.where(self.usable[features], completed, 0.0)

    def _drawn(self, block: Array, missing: NDArray[np.bool_]) -> Array:
        """Standard normal noise where values are missing, 0 elsewhere."""
        feature_keys = value_keys(block).sum(axis=0, dtype=np.uint64)
        sample, feature = np.nonzero(missing)
        drawn = np.zeros(block.shape)
        drawn[sample, feature] = normal_noise(self.sample_keys[sample], feature_keys[feature])
        return drawn
