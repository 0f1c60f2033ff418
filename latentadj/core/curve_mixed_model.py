"""Random curves of samples over bins, beside fixed effects of covariates in every bin: restricted maximum likelihood.

``y_i = (w_i' x I) beta + Z_i u_i + e_i`` for the bin averages y_i of sample i, with ``u_i ~ N(0, s2 L L')`` and noise
variances ``s2 / weight`` in the bins. The covariance of the curves' coefficients is free, so that the basis in which
the curves are written does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from latentadj.core.matrix import Array
from latentadj.core.regression import design_basis

#: Smallest eigenvalue of the starting covariance, relative to the largest.
START_FLOOR = 1e-4


@dataclass(frozen=True, slots=True)
class BinAverages:
    """Averages over bins of features.

    Attributes
    ----------
    values : ndarray of shape (n_samples, n_bins)
    covariates : ndarray of shape (n_samples, r)
        Independent columns whose effects are fixed, and differ between bins.
    curves : ndarray of shape (n_samples, n_bins, q)
        Basis of the curves, at every sample's bins.
    weights : ndarray of shape (n_bins,)
    """

    values: Array
    covariates: Array
    curves: Array
    weights: Array


@dataclass(frozen=True, slots=True)
class CurveModel:
    """Fitted mixed model.

    Attributes
    ----------
    fixed : ndarray of shape (r, n_bins)
        Effects of the covariates.
    root : ndarray of shape (q, q)
        L: the covariance of curves is ``variance * root root'``.
    variance : float
        Noise variance of a bin of weight one.
    criterion : float
        Minus twice the restricted log likelihood.
    converged : bool
    """

    fixed: Array
    root: Array
    variance: float
    criterion: float
    converged: bool

    def predict(self, averages: BinAverages) -> Array:
        """Best linear unbiased predictions ``(n_samples, q)`` of each sample's curve, from its own averages."""
        left = averages.values - averages.covariates @ self.fixed
        return _curves(_Precision.of(averages, self.root), averages, left)


@dataclass(frozen=True, slots=True)
class _Precision:
    """Inverse covariances of samples for unit noise variance."""

    matrices: Array
    log_determinant: float
    gain: Array

    @classmethod
    def of(cls, averages: BinAverages, root: Array) -> _Precision:
        scaled = averages.curves @ root
        weighted = scaled * averages.weights[:, None]
        inner = np.eye(root.shape[0]) + np.swapaxes(scaled, 1, 2) @ weighted
        gain = np.linalg.solve(inner, np.swapaxes(weighted, 1, 2))
        matrices = np.diag(averages.weights) - weighted @ gain
        log_determinant = float(np.linalg.slogdet(inner)[1].sum())
        return cls(matrices, log_determinant - len(scaled) * float(np.log(averages.weights).sum()), root @ gain)


def _curves(precision: _Precision, averages: BinAverages, left: Array) -> Array:
    out: Array = np.einsum("iqb,ib->iq", precision.gain, left)
    return out


def fit_curves(averages: BinAverages) -> CurveModel:
    """Fit the mixed model by restricted maximum likelihood.

    Parameters
    ----------
    averages : BinAverages

    Returns
    -------
    CurveModel

    Notes
    -----
    The criterion is that of Bates, Maechler, Bolker and Walker (2015), Journal of Statistical Software 67(1), equation
    42, profiled over fixed effects and noise variance. It is minimised over the entries of L, relative to a start from
    the samples' own least-squares curves.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> line = np.column_stack([np.ones(8), np.linspace(-1, 1, 8)])
    >>> u = rng.normal(size=(200, 2)) @ np.array([[2.0, 1.0], [0.0, 0.5]])
    >>> y = u @ line.T + 0.3 * rng.normal(size=(200, 8))
    >>> made = BinAverages(y, np.ones((200, 1)), np.tile(line, (200, 1, 1)), np.ones(8))
    >>> fit = fit_curves(made)
    >>> error = fit.predict(made) - (u - u.mean(axis=0))
    >>> bool(abs(np.sqrt(fit.variance) - 0.3) < 0.02), bool(np.abs(error).max() < 0.6)
    (True, True)
    """
    start = _start(averages)
    q = len(start)
    lower = np.tril_indices(q)

    def root_of(entries: Array) -> Array:
        relative = np.zeros((q, q))
        relative[lower] = entries
        return start @ relative

    def criterion_of(entries: Array) -> float:
        return _profile(averages, root_of(entries))[0]

    limits: Any = {"ftol": 1e-13, "gtol": 1e-7, "maxiter": 500, "maxfun": 20000}
    found = minimize(criterion_of, np.eye(q)[lower], method="L-BFGS-B", options=limits)
    criterion, fixed, variance = _profile(averages, root_of(found.x))
    return CurveModel(fixed, root_of(found.x), variance, criterion, bool(found.success))


def _profile(averages: BinAverages, root: Array) -> tuple[float, Array, float]:
    """Restricted criterion, fixed effects ``(r, n_bins)`` and noise variance, given L."""
    precision = _Precision.of(averages, root)
    n, n_bins = averages.values.shape
    covariates = averages.covariates
    size = covariates.shape[1] * n_bins
    pairs = np.einsum("ia,ic->iac", covariates, covariates).reshape(n, -1)
    moments = (pairs.T @ precision.matrices.reshape(n, -1)).reshape(covariates.shape[1], -1, n_bins, n_bins)
    factor = cho_factor(moments.transpose(0, 2, 1, 3).reshape(size, size), lower=True)
    weighted = np.einsum("ibd,id->ib", precision.matrices, averages.values)
    fixed = cho_solve(factor, (covariates.T @ weighted).ravel()).reshape(-1, n_bins)
    left = averages.values - covariates @ fixed
    squares = float(np.einsum("ib,ibd,id->", left, precision.matrices, left))
    df = n * n_bins - size
    log_moments = 2.0 * float(np.log(np.abs(np.diag(factor[0]))).sum())
    criterion = precision.log_determinant + log_moments + df * (1.0 + np.log(2.0 * np.pi * squares / df))
    return float(criterion), fixed, squares / df


def _start(averages: BinAverages) -> Array:
    """Root of the curves' covariance relative to the noise, from least squares sample by sample."""
    basis = design_basis(averages.covariates)
    left = basis.project_out(averages.values)
    weighted = averages.curves * averages.weights[:, None]
    moments = np.swapaxes(averages.curves, 1, 2) @ weighted
    own = np.linalg.solve(moments, np.einsum("ibq,ib->iq", weighted, left)[..., None])[..., 0]
    noise = left - np.einsum("ibq,iq->ib", averages.curves, own)
    df = max(noise.size - own.size - basis.rank * noise.shape[1], 1)
    variance = float(np.einsum("ib,b->", noise**2, averages.weights)) / df
    values, vectors = np.linalg.eigh(own.T @ own / max(len(own) - basis.rank, 1) / variance)
    floored = np.maximum(values, START_FLOOR * values[-1])
    out: Array = vectors * np.sqrt(floored)
    return out
