"""Principal components of samples, for display before and after adjustment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from latentadj.core.matrix import AdjustedMatrix, FeatureMatrix
from latentadj.core.regression import design_basis, fit_regression
from latentadj.core.spectrum import residual_spectrum

if TYPE_CHECKING:
    from latentadj.results.adjustment import AdjustmentResult

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


def shown_loadings(result: AdjustmentResult, matrix: FeatureMatrix) -> Array:
    """Return what one unit of each factor adds to the values at hand, shape (n_features, k).

    Parameters
    ----------
    result : AdjustmentResult
    matrix : FeatureMatrix of shape (n_samples, n_features)
        Its data.

    Returns
    -------
    ndarray of shape (n_features, k)
        The loadings of the result where features were fitted to these values by one least-squares fit. Where they
        were fitted elsewhere (to counts, to some of the values, with weights of their own), the fit may be on another
        scale, and the values are regressed on the full design.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 30))
    >>> res = la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=1)
    >>> bool(np.array_equal(shown_loadings(res, res.matrix), res.loadings))
    True
    """
    if result.fit.cov_unscaled.ndim == 2:
        return np.asarray(result.loadings.to_numpy())
    known = len(result.design.names)
    return fit_regression(matrix, result.full_design.matrix).coef[:, known:]
