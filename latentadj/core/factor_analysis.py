"""Factor models of a residual matrix: principal components, plain and weighted.

All work on the residual block ``Y3 = Y Q_perp`` in the notation of the method papers, given as a feature
matrix and the orthonormal complement of the design; it is never formed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
    basis: Array | None,
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
    basis : ndarray of shape (n_samples, rank) or None
        Orthonormal basis of the design; None takes it out of finished Gram matrices alone, which is faster, for
        features whose fitted part is not large (`safe_to_project_last`).
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
    ``|y_j|^2 / nu``. One pass per round: a feature's noise variance and its part of the next Gram matrix are local to
    it. The pass that is expected to be the last one leaves the Gram matrix out. Features without residual variation
    get weight 0.
    """
    nu, k = complement.shape[1], start.directions.shape[1]
    if k == 0:
        return start
    usable = rss > 0
    floor = VARIANCE_FLOOR * rss / nu
    psi, changes, gram = np.maximum(start.psi, floor), [np.inf, np.inf], None
    del start  # unless the caller keeps it, its loadings make room for those of the rounds
    for n_iter in range(1, max_iter + 1):
        if gram is None:
            weights = precision_roots(psi, usable)
            gram = run_pass(Y, GramKernel(Y.shape[0], basis=basis, weights=weights))[0]
        directions = spectrum_of_gram(gram, complement, Y.shape[1]).vectors[:, :k]
        last = n_iter == max_iter or _next_change(changes) < tol
        kernel = NoiseKernel(directions, rss, floor, nu - k, basis=basis, with_gram=not last)
        loadings = np.empty(0)  # those of the round before make room
        loadings, updated, gram = run_pass(Y, kernel)[0]
        changes.append(float(np.max(np.abs(np.log(updated[usable] / psi[usable])), initial=0.0)))
        psi = updated
        if changes[-1] < tol:
            break
    return FactorModel(directions, loadings, psi, changes[-1] < tol, n_iter)


def _next_change(changes: list[float]) -> float:
    """What the next change will be if it shrinks as the last one did; infinite when that is not known."""
    before, last = changes[-2:]
    return last * last / before if np.isfinite(before) and before > 0 else np.inf


def precision_roots(psi: Array, usable: NDArray[np.bool_]) -> Array:
    """One over the noise standard deviations ``(n_features,)``, 0 for features that are not usable or have none."""
    return np.divide(1.0, np.sqrt(psi), out=np.zeros_like(psi), where=usable & (psi > 0))


class NoiseKernel(GramKernel):
    """Loadings and noise variances for given scores, and the Gram matrix weighted by these variances.

    Parameters
    ----------
    directions : ndarray of shape (n_samples, k)
        Orthonormal, and orthogonal to `basis`.
    rss : ndarray of shape (n_features,)
        Residual sums of squares; features with 0 get weight 0.
    floor : ndarray of shape (n_features,)
        Least noise variances.
    divisor : float
        Divisor of the noise sums of squares.
    basis : ndarray of shape (n_samples, rank) or None
        What is removed from every feature.
    with_gram : bool
        Form the Gram matrix too.
    """

    reads = {"rss": 0, "floor": 0}
    rows = {"loadings": 0, "psi": 0, "weights": 0}

    def __init__(
        self, directions: Array, rss: Array, floor: Array, divisor: float, *, basis: Array | None, with_gram: bool
    ) -> None:
        super().__init__(len(directions), basis=basis, weights=np.empty_like(rss))
        self.directions = np.ascontiguousarray(directions.T)
        self.rss, self.floor, self.divisor, self.with_gram = rss, floor, divisor, with_gram
        self.loadings: Array = np.empty((len(rss), len(self.directions)))
        self.psi = np.empty_like(rss)

    def update(self, block: NDArray[Any], columns: slice) -> None:
        """Write the features' loadings and noise variances, and add their products."""
        loadings = self.directions @ block.astype(np.float64, copy=False)
        rss = self.rss[columns]
        noise = np.maximum(rss - np.einsum("kj,kj->j", loadings, loadings), 0.0) / self.divisor
        psi = np.maximum(noise, self.floor[columns])
        self.loadings[columns], self.psi[columns] = loadings.T, psi
        if self.with_gram:
            assert self.weights is not None
            self.weights[columns] = precision_roots(psi, rss > 0)
            super().update(block, columns)

    def result(self) -> tuple[Array, Array, Array | None]:  # type: ignore[override]
        """Return loadings ``(n_features, k)``, noise variances and the Gram matrix, None where it was left out."""
        return self.loadings, self.psi, self.gram if self.with_gram else None
