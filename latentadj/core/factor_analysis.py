"""Factor models of a residual matrix: principal components, plain and weighted.

All work on the residual block ``Y3 = Y Q_perp`` in the notation of the method papers, given as a feature
matrix and the orthonormal complement of the design; it is never formed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latentadj.core.kernels import GramKernel, ProjectionKernel
from latentadj.core.matrix import Array, FeatureMatrix
from latentadj.core.passes import run_pass
from latentadj.core.spectrum import ResidualSpectrum, spectrum_of_gram

#: Noise variances are kept above this share of a feature's residual variance (Heywood cases).
VARIANCE_FLOOR = 1e-3


@dataclass(frozen=True, slots=True)
class FactorModel:
    """A fitted factor model of residuals.

    Attributes
    ----------
    directions : ndarray of shape (n_samples, k)
        Factor scores; orthonormal and orthogonal to the design unless a method says otherwise.
    loadings : ndarray of shape (n_features, k)
    psi : ndarray of shape (n_features,)
        Noise variances.
    converged : bool
    n_iter : int
    """

    directions: Array
    loadings: Array
    psi: Array
    converged: bool
    n_iter: int


def principal_components(
    Y: FeatureMatrix, spectrum: ResidualSpectrum, rss: Array, k: int, *, divisor: float
) -> FactorModel:
    """Leading residual components, their least-squares loadings and what they leave.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
    spectrum : ResidualSpectrum
    rss : ndarray of shape (n_features,)
        Residual sums of squares from the design.
    k : int
    divisor : float
        Divisor of the noise sums of squares.

    Returns
    -------
    FactorModel
    """
    directions = spectrum.vectors[:, :k]
    (loadings,) = run_pass(Y, ProjectionKernel(directions, Y.shape[1]))
    psi = np.maximum(rss - np.einsum("mk,mk->m", loadings, loadings), 0.0) / divisor
    return FactorModel(directions, loadings, psi, True, 1)


def weighted_components(
    Y: FeatureMatrix,
    complement: Array,
    basis: Array,
    start: FactorModel,
    rss: Array,
    *,
    tol: float = 1e-6,
    max_iter: int = 100,
) -> FactorModel:
    """Principal components in which every feature counts with the inverse of its noise variance.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
    complement : ndarray of shape (n_samples, nu)
        Orthonormal basis of what the design leaves.
    basis : ndarray of shape (n_samples, rank)
        Orthonormal basis of the design.
    start : FactorModel
        Unweighted components, for instance.
    rss : ndarray of shape (n_features,)
    tol : float, default=1e-6
        Stop when no log noise variance moves by more.
    max_iter : int, default=100

    Returns
    -------
    FactorModel

    Notes
    -----
    Alternates the maximum-likelihood steps of a factor model with fixed scores: ``G = sum_j y_j y_j' / psi_j``,
    scores = leading eigenvectors of G, ``psi_j = (|y_j|^2 - |a_j|^2) / (nu - k)``, floored relative to
    ``|y_j|^2 / nu``. One Gram pass and one projection pass per round. Features without residual variation
    get weight 0.
    """
    nu, k = complement.shape[1], start.directions.shape[1]
    if k == 0:
        return start
    usable = rss > 0
    floor = VARIANCE_FLOOR * rss / nu
    psi, model = np.maximum(start.psi, floor), start
    for n_iter in range(1, max_iter + 1):
        weights = np.divide(1.0, np.sqrt(psi), out=np.zeros_like(psi), where=usable & (psi > 0))
        (gram,) = run_pass(Y, GramKernel(Y.shape[0], basis=basis, weights=weights))
        spectrum = spectrum_of_gram(gram, complement, Y.shape[1])
        model = principal_components(Y, spectrum, rss, k, divisor=nu - k)
        updated = np.maximum(model.psi, floor)
        change = np.max(np.abs(np.log(updated[usable] / psi[usable])), initial=0.0)
        psi = updated
        if change < tol:
            return FactorModel(model.directions, model.loadings, psi, True, n_iter)
    return FactorModel(model.directions, model.loadings, psi, False, max_iter)
