"""Sample covariance as a sum of known matrices, with hidden factors taken out: all on n x n matrices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, cholesky, qr, solve, solve_triangular
from scipy.optimize import minimize

from latentadj.core.matrix import Array
from latentadj.core.spectrum import spectrum_of_gram

#: Smallest share of the last component, which keeps the covariance positive definite.
SMALLEST_SHARE = 1e-4
MAX_ROUNDS, TOLERANCE = 100, 1e-10


@dataclass(frozen=True, slots=True)
class SampleCovariance:
    """Estimated multipliers of known covariance matrices.

    Attributes
    ----------
    shares : ndarray of shape (n_components,)
        Multipliers, at least 0, scaled so that `covariance` has mean diagonal 1.
    covariance : ndarray of shape (n_samples, n_samples)
    converged : bool
    n_iter : int
    """

    shares: Array
    covariance: Array
    converged: bool
    n_iter: int


def sample_covariance(gram: Array, components: Array, design_basis: Array, k: int) -> SampleCovariance:
    """Alternate between k factors and the covariance of what they and the design leave.

    Parameters
    ----------
    gram : ndarray of shape (n_samples, n_samples)
        Average of ``y y'`` over features that are scaled to equal variance, the design removed.
    components : ndarray of shape (n_components, n_samples, n_samples)
        Positive semi-definite; the last one positive definite.
    design_basis : ndarray of shape (n_samples, rank)
        Orthonormal.
    k : int
        Factors to take out.

    Returns
    -------
    SampleCovariance

    Notes
    -----
    McKennan and Nicolae (2020), Journal of the American Statistical Association, "Estimating and accounting for
    unobserved covariates in high-dimensional correlated data": factors are the leading directions of the data after
    the covariance's inverse root, and the multipliers maximise the restricted likelihood of the space orthogonal to
    design and factors, each feature counting alike.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> block = np.kron(np.eye(15), np.ones((2, 2)))
    >>> root = np.linalg.cholesky(0.5 * block + 0.5 * np.eye(30))
    >>> Y = root @ rng.normal(size=(30, 2000))
    >>> found = sample_covariance(Y @ Y.T / 2000, np.array([block, np.eye(30)]), np.empty((30, 0)), 0)
    >>> found.shares.round(1)
    array([0.5, 0.5])
    """
    n_samples = len(gram)
    sizes = np.einsum("bii->b", components) / n_samples
    shares = np.ones(len(components)) / (len(components) * sizes)
    change, n_iter = np.inf, 0
    while change > TOLERANCE and n_iter < MAX_ROUNDS:
        n_iter += 1
        directions = _leading_directions(gram, np.tensordot(shares, components, 1), design_basis, k)
        left = _complement(np.column_stack([design_basis, directions]))
        reduced = np.array([left.T @ component @ left for component in components])
        updated = restricted_shares(left.T @ gram @ left, reduced, shares)
        updated = updated / float(updated @ sizes)
        change = float(np.max(np.abs(updated - shares) * sizes))
        shares = updated
    covariance = np.tensordot(shares, components, 1)
    return SampleCovariance(shares, covariance, change <= TOLERANCE, n_iter)


def _leading_directions(gram: Array, covariance: Array, design_basis: Array, k: int) -> Array:
    """Factor scores ``(n_samples, k)``: leading directions after whitening, mapped back."""
    if k == 0:
        return np.empty((len(gram), 0))
    lower = np.asarray(cholesky(covariance, lower=True))
    half = solve_triangular(lower, gram, lower=True)
    white = solve_triangular(lower, half.T, lower=True)
    complement = _complement(np.asarray(solve_triangular(lower, design_basis, lower=True)))
    out: Array = lower @ spectrum_of_gram((white + white.T) / 2.0, complement, 1).vectors[:, :k]
    return out


def _complement(columns: Array) -> Array:
    n_samples, rank = columns.shape
    if rank == 0:
        return np.eye(n_samples)
    full = np.asarray(qr(columns, mode="full")[0], dtype=np.float64)
    return full[:, rank:]


def restricted_shares(gram: Array, components: Array, start: Array) -> Array:
    """Multipliers that maximise a Gaussian likelihood with mean zero, at least 0.

    Parameters
    ----------
    gram : ndarray of shape (r, r)
        Average of ``y y'``.
    components : ndarray of shape (n_components, r, r)
    start : ndarray of shape (n_components,)

    Returns
    -------
    ndarray of shape (n_components,)
        Bounded quasi-Newton steps, then Newton's until the free multipliers do not move any more.
    """
    sizes = np.maximum(np.einsum("bii->b", components) / len(gram), np.finfo(float).tiny)
    total = float(np.trace(gram)) / len(gram)
    scaled = components / sizes[:, None, None]
    smallest = np.zeros(len(components))
    smallest[-1] = SMALLEST_SHARE * total
    found = minimize(
        _deviance, np.maximum(start * sizes, smallest), (gram, scaled), jac=True, method="L-BFGS-B",
        bounds=[(low, None) for low in smallest], options={"ftol": 1e-15, "gtol": 1e-9 * max(total, 1e-300)},
    )  # fmt: skip
    out: Array = _newton(found.x, gram, scaled, smallest) / sizes
    return out


def _deviance(shares: Array, gram: Array, components: Array) -> tuple[float, Array]:
    """Return ``log |V| + tr(V^-1 S)`` and its gradient."""
    covariance = np.tensordot(shares, components, 1)
    try:
        factor = cho_factor(covariance, lower=True)
    except LinAlgError:
        return np.inf, np.zeros_like(shares)
    inverse = cho_solve(factor, np.eye(len(gram)))
    weighted = inverse - inverse @ gram @ inverse
    value = 2.0 * float(np.sum(np.log(np.diag(factor[0])))) + float(np.sum(inverse * gram))
    return value, np.einsum("bij,ij->b", components, weighted)


def _newton(shares: Array, gram: Array, components: Array, smallest: Array) -> Array:
    """Newton steps on the multipliers that are not at their bounds."""
    for _ in range(20):
        free = shares > smallest * (1 + 1e-6) + 1e-9 * shares.sum()
        covariance = np.tensordot(shares, components, 1)
        inverse = solve(covariance, np.eye(len(gram)), assume_a="pos")
        moved = inverse @ components[free]
        data = inverse @ gram
        gradient = np.einsum("bii->b", moved) - np.einsum("bij,ji->b", moved, data)
        hessian = 2.0 * np.einsum("aij,bjk,ki->ab", moved, moved, data, optimize=True)
        hessian -= np.einsum("aij,bji->ab", moved, moved, optimize=True)
        step = np.zeros_like(shares)
        step[free] = -np.linalg.lstsq((hessian + hessian.T) / 2.0, gradient)[0]
        if np.any(shares + step < smallest) or np.max(np.abs(step)) > 0.1 * shares.sum():
            return shares
        shares = shares + step
        if np.max(np.abs(step)) < 1e-14 * shares.sum():
            break
    return shares
