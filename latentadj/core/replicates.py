"""Unwanted variation from replicates: what differs between measurements of the same thing (RUV-III)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh, lstsq, solve

from latentadj.core.kernels import GramKernel, ProjectionKernel, ScoreKernel
from latentadj.core.matrix import AdjustedMatrix, Array, FeatureMatrix, FeatureSubset, RotatedMatrix
from latentadj.core.passes import run_pass
from latentadj.core.regression import DesignBasis, design_basis, design_pass
from latentadj.core.spectrum import residual_spectrum

#: Eigenvalues below this share of the largest are round-off.
RANK_TOLERANCE = 1e-12
#: Share of a moment of the controls' loadings that is never taken for noise.
MIN_RELIABILITY = 0.05


@dataclass(frozen=True, slots=True)
class ReplicateFactors:
    """Unwanted factors of all samples, found between replicates.

    Attributes
    ----------
    scores : ndarray of shape (n_samples, k)
    loadings : ndarray of shape (n_features, k)
        Coordinates of the replicate differences along their leading directions.
    directions : ndarray of shape (n_samples, k)
        Contrasts of the samples with ``loadings = Y' directions``.
    """

    scores: Array
    loadings: Array
    directions: Array

    def adjusted(self, Y: FeatureMatrix) -> AdjustedMatrix:
        """Return ``Y - scores loadings'`` as a lazy view."""
        return AdjustedMatrix(Y, self.scores, self.loadings)


def membership(labels: ArrayLike) -> Array:
    """Indicator matrix ``(n_samples, n_groups)`` of labels, groups in sorted order.

    Examples
    --------
    >>> membership(["b", "a", "b"])
    array([[0., 1.],
           [1., 0.],
           [0., 1.]])
    """
    groups, codes = np.unique(np.asarray(labels), return_inverse=True)
    out = np.zeros((len(codes), len(groups)))
    out[np.arange(len(codes)), codes] = 1.0
    return out


def averaging(labels: ArrayLike) -> Array:
    """Return the matrix ``(n_groups, n_samples)`` that takes the mean of every group."""
    members = membership(labels)
    out: Array = (members / members.sum(axis=0)).T
    return out


def replicate_means(Y: FeatureMatrix, labels: ArrayLike) -> RotatedMatrix:
    """Return the means of replicates ``(n_groups, n_features)`` as a lazy view."""
    return RotatedMatrix(Y, averaging(labels).T)


def replicate_basis(labels: ArrayLike) -> DesignBasis:
    """Orthonormal basis of the replicates' means."""
    return design_basis(membership(labels))


def factor_room(labels: ArrayLike, n_controls: int) -> int:
    """Largest number of factors that replicates and controls can carry: ``min(n_samples - n_groups, n_controls)``."""
    values = np.asarray(labels)
    return min(len(values) - len(np.unique(values)), n_controls)


def ruv_three(
    Y: FeatureMatrix,
    labels: ArrayLike,
    controls: NDArray[np.bool_],
    n_factors: int,
    *,
    pseudo: Array | None = None,
    weights: Array | None = None,
    mean: Array | None = None,
) -> ReplicateFactors:
    """Estimate unwanted factors from replicates and negative controls.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
    labels : array-like of shape (n_samples + n_pseudo,)
        Samples with the same label are replicates.
    controls : ndarray of bool, shape (n_features,)
    n_factors : int
        At most what `factor_room` allows.
    pseudo : ndarray of shape (n_pseudo, n_samples), optional
        Averages of samples that serve as further samples, in the search for differences only.
    weights : ndarray of shape (n_features,), optional
        Factor of each feature, for directions and for the regression over controls.
    mean : ndarray of shape (n_features,), optional
        Subtracted from the controls before the regression over them.

    Returns
    -------
    ReplicateFactors
        Fewer factors where the differences have a smaller rank.

    Notes
    -----
    Molania et al. (2019), Nucleic Acids Research 47:6073: U are the leading left singular vectors of the residuals
    from the replicates' means, ``a = U' Y``, and the scores are the regression of the controls on their ``a``. With
    logarithms of counts this is RUVs (Risso et al. 2014); with pseudo-samples RUV-III-PRPS (Molania et al. 2023,
    Nature Biotechnology 41:82).

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> rng = np.random.default_rng(0)
    >>> z, subject = rng.normal(size=12), np.repeat(np.arange(6), 2)
    >>> Y = np.outer(z, rng.normal(size=80)) + rng.normal(size=(6, 80))[subject] + 0.1 * rng.normal(size=(12, 80))
    >>> found = ruv_three(ArrayMatrix(Y), subject, np.ones(80, dtype=bool), 1)
    >>> found.scores.shape, found.loadings.shape
    ((12, 1), (80, 1))
    """
    augmentation = None if pseudo is None else np.vstack([np.eye(Y.shape[0]), pseudo])
    extended = Y if augmentation is None else RotatedMatrix(Y, augmentation.T)
    spectrum = residual_spectrum(extended, replicate_basis(labels), weights=weights)
    positive = int(np.sum(spectrum.eigenvalues > RANK_TOLERANCE * spectrum.eigenvalues.max(initial=0.0)))
    directions = spectrum.vectors[:, : min(n_factors, positive)]
    if augmentation is not None:
        directions = augmentation.T @ directions
    (loadings,) = run_pass(Y, ProjectionKernel(directions, Y.shape[1]))
    return ReplicateFactors(control_scores(Y, loadings, controls, weights, mean), loadings, directions)


def control_scores(
    Y: FeatureMatrix,
    loadings: Array,
    controls: NDArray[np.bool_],
    weights: Array | None = None,
    mean: Array | None = None,
) -> Array:
    """Regress every sample's controls on their loadings.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
    loadings : ndarray of shape (n_features, k)
    controls : ndarray of bool, shape (n_features,)
    weights : ndarray of shape (n_features,), optional
        Square roots of the features' weights.
    mean : ndarray of shape (n_features,), optional
        Subtracted first.

    Returns
    -------
    ndarray of shape (n_samples, k)
    """
    index = np.flatnonzero(controls)
    square = np.ones(len(index)) if weights is None else weights[index] ** 2
    chosen = loadings[index]
    coefficients = lstsq(chosen.T @ (chosen * square[:, None]), (chosen * square[:, None]).T)[0].T
    offset = None if mean is None else mean[index]
    out: Array = run_pass(FeatureSubset(Y, index), ScoreKernel(Y.shape[0], coefficients, offset=offset))[0]
    return out


def within_variance(Y: FeatureMatrix, labels: ArrayLike, removed: Array | None = None) -> Array:
    """Noise variances within groups of samples.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
    labels : array-like of shape (n_samples,)
    removed : ndarray of shape (n_features, k), optional
        Coordinates along orthonormal directions within groups that are factors and no noise.

    Returns
    -------
    ndarray of shape (n_features,)
        Zeros without degrees of freedom.
    """
    basis = replicate_basis(labels)
    factors = np.zeros((Y.shape[1], 0)) if removed is None else removed
    df = basis.n_samples - basis.rank - factors.shape[1]
    if df < 1:
        return np.zeros(Y.shape[1])
    left = design_pass(Y, basis).rss - np.einsum("mk,mk->m", factors, factors)
    out: Array = np.maximum(left, 0.0) / df
    return out


def corrected_scores(
    Y: FeatureMatrix,
    found: ReplicateFactors,
    controls: NDArray[np.bool_],
    noise: Array,
    weights: Array,
    mean: Array,
) -> Array:
    """Scores without the part that noise shared with the loadings adds to them.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
    found : ReplicateFactors
    controls : ndarray of bool, shape (n_features,)
    noise : ndarray of shape (n_features,)
        Noise variance of one sample.
    weights, mean : ndarray of shape (n_features,)
        As in `ruv_three`.

    Returns
    -------
    ndarray of shape (n_samples, k)

    Notes
    -----
    Loadings ``a = Y' V`` hold the noise of the samples that V contrasts. The regression of a sample's controls on
    them therefore overstates the contrasts V themselves, by ``N V`` with N the controls' weighted sum of noise
    variances, and with weak factors the scores follow the differences between replicates more than the factors
    elsewhere. Its moments are freed of that: ``(Y_c a_c - N V)(a_c' a_c - N V'V)^-1`` (errors in variables, Fuller
    1987, section 2.2). No direction's moment is cut to less than a twentieth.
    """
    index = np.flatnonzero(controls)
    square = weights[index] ** 2
    inverse = np.linalg.inv(np.linalg.cholesky(found.directions.T @ found.directions))
    loadings, directions = found.loadings[index] @ inverse.T, found.directions @ inverse.T
    values, vectors = eigh(loadings.T @ (loadings * square[:, None]))
    excess = np.minimum(float(square @ noise[index]), (1.0 - MIN_RELIABILITY) * values)
    coefficients = (loadings @ vectors) * square[:, None]
    kernel = ScoreKernel(Y.shape[0], coefficients, offset=mean[index])
    (moments,) = run_pass(FeatureSubset(Y, index), kernel)
    rotated = (moments - directions @ vectors * excess) / (values - excess)
    out: Array = rotated @ vectors.T @ inverse
    return out


def replicate_projection(Y: FeatureMatrix, labels: ArrayLike, controls: NDArray[np.bool_]) -> Array:
    """Map of the samples that removes as many factors as there can be.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
    labels : array-like of shape (n_samples,)
    controls : ndarray of bool, shape (n_features,)
        More than samples, so that their Gram matrix has an inverse K.

    Returns
    -------
    ndarray of shape (n_samples, n_samples)
        ``M (M' K M)^-1 M' K``: replicates become equal, as generalised least squares on their means.
    """
    (gram,) = run_pass(FeatureSubset(Y, np.flatnonzero(controls)), GramKernel(Y.shape[0]))
    members = membership(labels)
    precise = solve(gram, members, assume_a="pos")
    return np.asarray(members @ solve(members.T @ precise, precise.T, assume_a="pos"))
