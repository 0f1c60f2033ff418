"""Cross-validation over folds of features, from one sample Gram matrix per fold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from latentadj.core.matrix import Array, FeatureMatrix
from latentadj.core.nested_gram import GroupedGramKernel
from latentadj.core.passes import run_pass
from latentadj.core.regression import DesignBasis

#: Samples whose leverage in the design is within this of one have no residual and take no part.
FULL_LEVERAGE = 1e-8


def balanced_labels(n_features: int, n_groups: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Assign features at random to groups whose sizes differ by one at most.

    Parameters
    ----------
    n_features, n_groups : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of int, shape (n_features,)

    Examples
    --------
    >>> np.bincount(balanced_labels(7, 3, np.random.default_rng(0)))
    array([3, 2, 2])
    """
    return rng.permutation(np.arange(n_features, dtype=np.intp) % n_groups)


def residual_grams(
    Y: FeatureMatrix, basis: DesignBasis, labels: NDArray[np.intp], n_groups: int, weights: Array | None
) -> Array:
    """Gram matrices of the residuals of groups of features, in coordinates of the design's complement; one pass.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
    basis : DesignBasis
    labels : ndarray of int, shape (n_features,)
    n_groups : int
    weights : ndarray of shape (n_features,) or None

    Returns
    -------
    ndarray of shape (n_groups, df_resid, df_resid)
        In the basis ``basis.complement()``.
    """
    rotation = np.hstack([basis.q, basis.complement()])
    (grams,) = run_pass(Y, GroupedGramKernel(rotation, labels, n_groups, weights=weights))
    out: Array = grams[:, basis.rank :, basis.rank :]
    return out


def fold_losses(grams: Array, basis: DesignBasis, n_tried: int) -> Array:
    """Squared error of predicting every sample of held-out features from the other samples.

    Parameters
    ----------
    grams : ndarray of shape (n_folds, df_resid, df_resid)
        From `residual_grams`.
    basis : DesignBasis
    n_tried : int
        Largest number of factors, below df_resid.

    Returns
    -------
    ndarray of shape (n_folds, n_tried + 1)
        Sum over held-out features and samples for 0, 1, ... factors.

    Notes
    -----
    For each fold the factors C are the leading eigenvectors of the Gram matrix of all other folds. Every held-out
    feature is regressed on the design and the first k factors; leaving sample i out of that regression turns its
    residual ``e_i`` into ``e_i / (1 - h_i)`` with the leverage ``h_i``. Sums of ``e_i^2`` over the fold are the
    diagonal of ``M G M``, with G the fold's Gram matrix, so that no feature is read again. Leverages include the
    design: the loss does not depend on the basis chosen for its complement.

    References
    ----------
    McKennan and Nicolae (2020), "Estimating and accounting for unobserved covariates in high-dimensional correlated
    data", JASA 117, 225-236, algorithm 2, for uncorrelated samples.
    """
    complement, total = basis.complement(), grams.sum(axis=0)
    design_leverage = np.einsum("ij,ij->i", basis.q, basis.q)
    usable = design_leverage < 1.0 - FULL_LEVERAGE
    losses = np.empty((len(grams), n_tried + 1))
    for fold, gram in enumerate(grams):
        vectors = np.asarray(eigh(total - gram)[1], dtype=np.float64)[:, ::-1]
        directions = (complement @ vectors)[usable]
        losses[fold] = _path(directions, vectors.T @ gram @ vectors, design_leverage[usable], n_tried)
    return losses


def _path(directions: Array, rotated: Array, leverage: Array, n_tried: int) -> Array:
    """Leave-one-sample-out losses for 0 .. n_tried factors; each factor downdates the residual sums."""
    squares = np.einsum("ip,pq,iq->i", directions, rotated, directions, optimize=True)
    losses = np.empty(n_tried + 1)
    left = leverage.copy()
    for k in range(n_tried + 1):
        losses[k] = np.sum(np.maximum(squares, 0.0) / np.maximum(1.0 - left, np.finfo(float).eps) ** 2)
        if k < n_tried:
            here, after = directions[:, k], directions[:, k + 1 :]
            squares = squares - 2.0 * here * (after @ rotated[k + 1 :, k]) - here**2 * rotated[k, k]
            left = left + here**2
    return losses
