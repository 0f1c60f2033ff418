"""Independent components by joint diagonalisation of fourth-order cumulants (JADE); deterministic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from latentadj.core.kernels import GramKernel, ProjectionKernel, ScoreKernel
from latentadj.core.matrix import Array, ArrayMatrix, FeatureMatrix
from latentadj.core.pass_kernel import PassKernel
from latentadj.core.passes import run_pass

#: Sweeps end after one whose largest angle is below this: angles shrink quadratically, so the answer is exact by then.
ANGLE = 1e-7
#: A direction whose variance is below this share of the largest is round-off.
RELATIVE_VARIANCE = 1e-12


@dataclass(frozen=True, slots=True)
class WhitenedFeatures:
    """Features as observations of a few uncorrelated variables of unit variance.

    Attributes
    ----------
    values : ndarray of shape (k, n_features)
        Mean 0 and identity covariance over the features.
    mixing : ndarray of shape (n_samples, k)
        ``mixing @ values`` is the rank-k part of the features, less their common mean.
    """

    values: Array
    mixing: Array


def whitened_features(Y: FeatureMatrix, removed: Array, k: int, weights: Array | None = None) -> WhitenedFeatures:
    """Take features as observations of the samples and reduce the samples to k uncorrelated directions.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
    removed : ndarray of shape (n_samples, r)
        Orthonormal directions that leave every feature first; r may be 0.
    k : int
        Directions that are wanted; fewer come back when the features span fewer.
    weights : ndarray of shape (n_features,), optional
        Factor of each feature.

    Returns
    -------
    WhitenedFeatures

    Notes
    -----
    Two passes: the samples' Gram matrix and totals, then the features' coordinates. Directions of the covariance
    over the features, which are centred by their common mean profile and not each by itself.
    """
    n, m = Y.shape
    basis = removed if removed.shape[1] else None
    factor = np.ones(m) if weights is None else weights
    gram, total = run_pass(Y, GramKernel(n, basis=basis, weights=weights), ScoreKernel(n, factor[:, None]))
    mean = (total - removed @ (removed.T @ total)) / m
    values, vectors = eigh(gram / m - mean @ mean.T)
    kept = values > RELATIVE_VARIANCE * max(float(values[-1]), np.finfo(float).tiny)
    values, vectors = values[kept][::-1][:k], vectors[:, kept][:, ::-1][:, :k]
    vectors = vectors - removed @ (removed.T @ vectors)
    (coordinates,) = run_pass(Y, ProjectionKernel(vectors, m))
    centred = (coordinates * factor[:, None] - (vectors.T @ mean)[:, 0]) / np.sqrt(values)
    return WhitenedFeatures(np.ascontiguousarray(centred.T), vectors * np.sqrt(values))


def jade_rotation(values: Array, *, max_sweeps: int = 200) -> tuple[Array, bool]:
    """Find the rotation that makes whitened variables as independent as their fourth moments can tell.

    Parameters
    ----------
    values : ndarray of shape (k, n_features)
        Mean 0, identity covariance.
    max_sweeps : int, default=200
        Largest number of sweeps over all pairs of variables.

    Returns
    -------
    rotation : ndarray of shape (k, k)
        Sources are ``rotation.T @ values``.
    converged : bool

    Notes
    -----
    Cardoso and Souloumiac (1993), IEE Proceedings F 140:362; (1996), SIAM J. Matrix Anal. Appl. 17:161 for the
    Jacobi angles. All ``k (k + 1) / 2`` cumulant matrices enter, those of different variables with weight sqrt 2,
    so that the criterion does not depend on the basis that one starts from.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> S = rng.uniform(-1, 1, size=(2, 5000))
    >>> S = np.linalg.inv(np.linalg.cholesky(np.cov(S, ddof=0))) @ (S - S.mean(axis=1)[:, None])
    >>> turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    >>> rotation, _ = jade_rotation(turn @ S)
    >>> np.abs(turn.T @ rotation).max(axis=0).round(1)
    array([1., 1.])
    """
    return joint_diagonalizer(cumulant_matrices(values), max_sweeps=max_sweeps)


def cumulant_matrices(values: Array) -> Array:
    """Fourth-order cumulant matrices of whitened variables, in one pass over the features.

    Parameters
    ----------
    values : ndarray of shape (k, n_features)

    Returns
    -------
    ndarray of shape (k (k + 1) / 2, k, k)
    """
    k, m = values.shape
    kernel = _FourthMomentKernel(k)
    moments = run_pass(ArrayMatrix(values), kernel)[0] / m
    first, second = kernel.pairs
    position = np.zeros((k, k), dtype=np.intp)
    position[first, second] = position[second, first] = np.arange(len(first))
    matrices: Array = moments[:, position]
    eye = np.eye(k)
    crossed = eye[first][:, :, None] * eye[second][:, None, :]
    matrices -= crossed + crossed.transpose(0, 2, 1)
    same = first == second
    matrices[same] -= eye
    matrices[~same] *= np.sqrt(2.0)
    return matrices


class _FourthMomentKernel(PassKernel):
    """Sums of products of all pairs of pairs of variables over the features."""

    sums = ("total",)

    def __init__(self, k: int) -> None:
        self.pairs = np.triu_indices(k)
        self.total = np.zeros((len(self.pairs[0]), len(self.pairs[0])))

    def update(self, block: Array, columns: slice) -> None:
        products = block[self.pairs[0]] * block[self.pairs[1]]
        self.total += products @ products.T

    def result(self) -> Array:
        return self.total


def joint_diagonalizer(matrices: Array, *, max_sweeps: int = 200) -> tuple[Array, bool]:
    """Find the rotation that makes symmetric matrices jointly as diagonal as can be, by Jacobi sweeps.

    Parameters
    ----------
    matrices : ndarray of shape (L, k, k)
        Symmetric.
    max_sweeps : int, default=200

    Returns
    -------
    rotation : ndarray of shape (k, k)
        ``rotation.T @ M @ rotation`` is nearly diagonal for all of them.
    converged : bool
    """
    work, k = matrices.copy(), matrices.shape[1]
    rotation = np.eye(k)
    for _ in range(max_sweeps):
        largest = 0.0
        for p in range(k - 1):
            for q in range(p + 1, k):
                angle = _jacobi_angle(work, p, q)
                largest = max(largest, abs(angle))
                _rotate(work, rotation, p, q, angle)
        if largest <= ANGLE:
            return rotation, True
    return rotation, False


def _jacobi_angle(matrices: Array, p: int, q: int) -> float:
    """Angle in the plane of variables p and q that leaves the least off the diagonals."""
    apart = matrices[:, p, p] - matrices[:, q, q]
    off = 2.0 * matrices[:, p, q]
    ton, toff = float(apart @ apart - off @ off), float(2.0 * apart @ off)
    return 0.5 * float(np.arctan2(toff, ton + np.hypot(ton, toff)))


def _rotate(matrices: Array, rotation: Array, p: int, q: int, angle: float) -> None:
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrices[:, :, [p, q]] = matrices[:, :, [p, q]] @ turn
    matrices[:, [p, q], :] = turn.T @ matrices[:, [p, q], :]
    rotation[:, [p, q]] = rotation[:, [p, q]] @ turn
