"""Factor models of a residual matrix: principal components, weighted components, maximum likelihood.

All work on the residual block ``Y3 = Y Q_perp`` in the notation of the method papers, given as a feature
matrix and the orthonormal complement of the design; it is never formed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve, cholesky

from latentadj.core.kernels import GramKernel, ProjectionKernel, ScoreKernel
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


def maximum_likelihood(
    rotated: FeatureMatrix,
    start: FactorModel,
    *,
    tol: float = 1e-6,
    max_iter: int = 1000,
    lagged_variance: bool = False,
) -> FactorModel:
    """Maximum-likelihood factor analysis with random scores, by the EM algorithm.

    Parameters
    ----------
    rotated : FeatureMatrix of shape (nu, n_features)
        Residuals in coordinates of the complement; rows are exchangeable samples.
    start : FactorModel
        Principal components with loadings for unit-variance scores (``Z' Z = nu I``).
    tol : float, default=1e-6
        Stop when the log-likelihood changes by less, relative to its size. The default is the reference's
        and is loose: noise variances may still be 1e-3 off the optimum.
    max_iter : int, default=1000
    lagged_variance : bool, default=False
        Update the noise variances with the loadings of the round before, as the R package cate does; the
        M-step proper uses the new ones.

    Returns
    -------
    FactorModel
        ``directions`` are generalised-least-squares scores ``(nu, k)``.

    Notes
    -----
    Rubin and Thayer (1982), with the parameter expansion of Liu, Rubin and Wu (1998): after each M-step the
    loadings are multiplied by a Cholesky factor of the scores' second moment, which costs nothing and replaces
    hundreds of rounds by about ten. Bai and Li (2012) for the inference the estimates are used in. The
    reference mode has no expansion.
    """
    nu = rotated.shape[0]
    k = start.loadings.shape[1]
    if k == 0:
        return start
    loadings, psi = start.loadings, start.psi
    tss = run_pass(rotated, _TotalKernel(rotated.shape[1]))[0]
    likelihood = -np.inf
    n_iter = 0
    scores, gain, likelihood_now = _e_step(rotated, loadings, psi, tss)
    while n_iter < max_iter and likelihood_now - likelihood >= tol * abs(likelihood):
        n_iter += 1
        likelihood = likelihood_now
        moment = scores.T @ scores + nu * gain
        (cross,) = run_pass(rotated, ProjectionKernel(scores, rotated.shape[1]))
        updated = cho_solve(cho_factor(moment), cross.T).T
        left = _expected_rss(tss, cross, loadings if lagged_variance else updated, moment)
        psi = np.maximum(left / nu, VARIANCE_FLOOR * tss / nu)
        loadings = updated if lagged_variance else updated @ cholesky(moment / nu, lower=True)
        scores, gain, likelihood_now = _e_step(rotated, loadings, psi, tss)
    converged = likelihood_now - likelihood < tol * abs(likelihood)
    return FactorModel(_gls_scores(rotated, loadings, psi), loadings, psi, converged, n_iter)


class _TotalKernel:
    """Raw sum of squares of every feature."""

    def __init__(self, n_features: int) -> None:
        self.total = np.empty(n_features)

    def fork(self) -> _TotalKernel:
        return self

    def update(self, block: Array, columns: slice) -> None:
        self.total[columns] = np.einsum("ij,ij->j", block, block)

    def merge(self, other: _TotalKernel) -> None:
        """Rows were written in place."""

    def result(self) -> Array:
        return self.total


def _expected_rss(tss: Array, cross: Array, loadings: Array, moment: Array) -> Array:
    """Expected sum of squares of ``y - loadings z`` over the posterior of the scores, per feature."""
    fitted: Array = 2.0 * np.einsum("mk,mk->m", cross, loadings)
    spread: Array = np.einsum("mk,kl,ml->m", loadings, moment, loadings, optimize=True)
    return tss - fitted + spread


def _e_step(Y: FeatureMatrix, loadings: Array, psi: Array, tss: Array) -> tuple[Array, Array, float]:
    """Posterior mean of the scores, their posterior covariance, and the log-likelihood (up to a constant)."""
    nu, k = Y.shape[0], loadings.shape[1]
    precision = loadings / psi[:, None]
    information = np.eye(k) + loadings.T @ precision
    sums = _scores(Y, precision)
    gain = cho_solve(cho_factor(information), np.eye(k))
    scores = sums @ gain
    log_det = 2.0 * np.sum(np.log(np.diag(cholesky(information)))) + np.sum(np.log(psi))
    quadratic = np.sum(tss / psi) - np.sum(sums * scores)
    return scores, gain, -0.5 * (nu * log_det + float(quadratic))


def _scores(Y: FeatureMatrix, coefficients: Array) -> Array:
    (total,) = run_pass(Y, ScoreKernel(Y.shape[0], coefficients))
    out: Array = total
    return out


def _gls_scores(Y: FeatureMatrix, loadings: Array, psi: Array) -> Array:
    precision = loadings / psi[:, None]
    return np.asarray(cho_solve(cho_factor(loadings.T @ precision), _scores(Y, precision).T).T)
