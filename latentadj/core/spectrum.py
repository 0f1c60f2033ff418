"""Spectrum of the residual matrix: eigenvalues and sample-space directions.

Three routes lead to the same numbers; the choice is made here and nowhere else. With more features than
samples, the Gram matrix of the residuals (one pass, ``m n^2`` flops) and its eigenvectors; with few features,
an exact SVD of the residual block.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh, svd

from latentadj.core.kernels import GramKernel, RegressionSums
from latentadj.core.matrix import Array, FeatureMatrix, collect
from latentadj.core.passes import run_pass
from latentadj.core.regression import DesignBasis
from latentadj.core.weighted_sums import wide


@dataclass(frozen=True, slots=True)
class ResidualSpectrum:
    """Eigenvalues and eigenvectors of the sample Gram matrix of residuals.

    Attributes
    ----------
    eigenvalues : ndarray of shape (df_resid,)
        Decreasing; squared singular values of the (weighted) residual matrix.
    vectors : ndarray of shape (n_samples, df_resid)
        Orthonormal and orthogonal to the design.
    n_features : int
        Features that went in.
    """

    eigenvalues: Array
    vectors: Array
    n_features: int

    @property
    def shares(self) -> Array:
        """Share of the residual sum of squares along each direction, shape (df_resid,)."""
        total = self.eigenvalues.sum()
        return self.eigenvalues / total if total > 0 else np.zeros_like(self.eigenvalues)


def residual_spectrum(
    Y: FeatureMatrix,
    basis: DesignBasis,
    *,
    weights: Array | None = None,
    solver: str = "auto",
    project_last: bool = False,
) -> ResidualSpectrum:
    """Decompose the residuals of all features from a design.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
    basis : DesignBasis
        What is removed from every feature first.
    weights : ndarray of shape (n_features,), optional
        Factor of each feature's residuals (1 / standard deviation, say).
    solver : {"auto", "gram", "svd"}, default="auto"
        "svd" forms the residual matrix and is exact to the last digits; "gram" makes one pass and squares the
        condition number. "auto" takes the SVD when there are fewer features than samples.
    project_last : bool, default=False
        Form the Gram matrix of the features as they are and take the design out of that: one sweep less, for
        features whose fitted part is not large (see `safe_to_project_last`).

    Returns
    -------
    ResidualSpectrum

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> from latentadj.core.regression import design_basis
    >>> Y = ArrayMatrix(np.random.default_rng(0).normal(size=(6, 40)))
    >>> spectrum = residual_spectrum(Y, design_basis(np.ones((6, 1))))
    >>> spectrum.vectors.shape
    (6, 5)
    """
    n_samples, n_features = Y.shape
    complement = basis.complement()
    if solver == "svd" or (solver == "auto" and n_features < n_samples):
        return _by_svd(Y, complement, weights)
    removed = basis.q if basis.rank and not project_last else None
    kernel = GramKernel(n_samples, basis=removed, weights=weights)
    (gram,) = run_pass(Y, kernel, wider=1 if removed is not None else wide(n_samples))
    return spectrum_of_gram(gram, complement, n_features)


def safe_to_project_last(sums: RegressionSums) -> bool:
    """Tell whether taking a design out of a finished Gram matrix costs at most four of sixteen digits.

    Parameters
    ----------
    sums : RegressionSums
        Of the same design.

    Returns
    -------
    bool
        False as soon as one feature's fitted part is more than 10,000 times its residual part.
    """
    fitted = np.einsum("ij,ij->i", sums.effects, sums.effects)
    return bool(np.all(fitted <= 1e4 * sums.rss))


def spectrum_of_gram(gram: Array, complement: Array, n_features: int) -> ResidualSpectrum:
    """Decompose a Gram matrix inside the space that the design leaves.

    Parameters
    ----------
    gram : ndarray of shape (n_samples, n_samples)
    complement : ndarray of shape (n_samples, df_resid)
        Orthonormal basis of that space.
    n_features : int

    Returns
    -------
    ResidualSpectrum
    """
    values, rotated = eigh(complement.T @ gram @ complement)
    values = np.maximum(values[::-1], 0.0)
    return ResidualSpectrum(values, complement @ rotated[:, ::-1], n_features)


def _by_svd(Y: FeatureMatrix, complement: Array, weights: Array | None) -> ResidualSpectrum:
    rotated = complement.T @ collect(Y)
    if weights is not None:
        rotated = rotated * weights
    left, singular, _ = svd(rotated, full_matrices=True)
    values = np.zeros(complement.shape[1])
    values[: len(singular)] = singular**2
    return ResidualSpectrum(values, complement @ left, Y.shape[1])


def top_eigenvectors(gram: Array, k: int) -> Array:
    """Return the eigenvectors ``(n, k)`` of the k largest eigenvalues of a symmetric matrix, largest first."""
    n = gram.shape[0]
    if k == 0:
        return np.empty((n, 0))
    _, vectors = eigh(gram, subset_by_index=(n - k, n - 1))
    out: Array = vectors[:, ::-1]
    return out
