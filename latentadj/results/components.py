"""Principal components of samples, for display before and after adjustment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentadj.core.matrix import AdjustedMatrix, FeatureMatrix
from latentadj.core.regression import design_basis
from latentadj.core.spectrum import residual_spectrum

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Components:
    """Leading principal components of the centred samples.

    Attributes
    ----------
    scores : ndarray of shape (n_samples, n_components)
    shares : ndarray of shape (n_components,)
        Share of the total variance along each.
    """

    scores: Array
    shares: Array


def sample_components(Y: FeatureMatrix, factors: Array, loadings: Array | None, n_components: int) -> Components:
    """Principal components of a matrix, or of what is left after its factors' part is subtracted.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
    factors : ndarray of shape (n_samples, k)
    loadings : ndarray of shape (n_features, k) or None
        Nothing is subtracted without loadings.
    n_components : int

    Returns
    -------
    Components
    """
    shown = Y if loadings is None else AdjustedMatrix(Y, factors, loadings)
    spectrum = residual_spectrum(shown, design_basis(np.ones((Y.shape[0], 1))))
    k = min(n_components, len(spectrum.eigenvalues))
    scores = spectrum.vectors[:, :k] * np.sqrt(spectrum.eigenvalues[:k])
    return Components(scores, spectrum.shares[:k])
