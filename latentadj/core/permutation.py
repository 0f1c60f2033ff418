"""Spectra of residuals after every feature has been permuted on its own: the null of parallel analysis.

The data are read once; nothing of their size is ever made, and the answer does not depend on block width, threads or
the order in which blocks are read.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latentadj.core.matrix import Array, FeatureMatrix
from latentadj.core.pass_kernel import PassKernel
from latentadj.core.passes import run_pass
from latentadj.core.random_orders import permuted_rows, random_key, random_orders, residual_rows, shifted
from latentadj.core.regression import DesignBasis, design_pass
from latentadj.core.regrouped_gram import RegroupedGramKernel, feature_groups

#: Bytes of the Gram matrices that one worker may hold; more replicates than fit are done in further passes.
GRAM_BYTES = 1 << 26
#: Features per sample from which permuting sums over groups is about twice as quick as permuting every feature anew.
GROUPED_FROM = 40


class PermutedGramKernel(PassKernel):
    """Sample Gram matrices of residuals whose samples are permuted feature by feature, one per replicate.

    Parameters
    ----------
    basis : ndarray of shape (n_samples, rank)
        Orthonormal basis of the design that is removed from every feature.
    key : ndarray of uint64, shape (2,)
        Key of the random stream.
    replicates : range
        Numbers of the replicates.
    weights : ndarray of shape (n_features,), optional
        Factor of each feature's residuals.

    Notes
    -----
    ``G_b = sum_j w_j^2 (P_bj r_j)(P_bj r_j)'`` with residuals ``r_j = (I - QQ') y_j`` and independent
    permutations ``P_bj``. Work is about ``m n^2`` flops and ``m n`` random numbers per replicate.
    """

    reads = {"weights": 0}
    sums = ("grams",)

    def __init__(
        self, basis: Array, key: NDArray[np.uint64], replicates: range, *, weights: Array | None = None
    ) -> None:
        n_samples = basis.shape[0]
        self.basis = basis
        self.key = key
        self.replicates = replicates
        self.weights = weights
        self.grams = np.zeros((len(replicates), n_samples, n_samples))

    def update(self, block: Array, columns: slice) -> None:
        """Add the products of one block's permuted residuals, replicate by replicate."""
        product = np.empty(self.grams.shape[1:])
        for features, rows in residual_rows(block, columns, self.basis, self.weights):
            own, n_samples = shifted(features, self.first_feature), rows.shape[1]
            for gram, replicate in zip(self.grams, self.replicates, strict=True):
                permuted = permuted_rows(rows, random_orders(self.key, replicate, own, n_samples))
                gram += np.matmul(permuted.T, permuted, out=product)

    def result(self) -> Array:
        """Return the Gram matrices ``(n_replicates, n_samples, n_samples)``."""
        return self.grams


def permuted_eigenvalues(
    Y: FeatureMatrix,
    basis: DesignBasis,
    n_permutations: int,
    rng: np.random.Generator,
    *,
    weights: Array | None = None,
    squares: Array | None = None,
    gram_bytes: int = GRAM_BYTES,
) -> Array:
    """Eigenvalues of the residual Gram matrix after permuting every feature's residuals on its own.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
    basis : DesignBasis
    n_permutations : int
    rng : numpy.random.Generator
        Gives the key of the random stream and nothing else.
    weights : ndarray of shape (n_features,), optional
        Factor of each feature's residuals (1 / standard deviation, say).
    squares : ndarray of shape (n_features,), optional
        Residual sums of squares, weights included; one more pass without them where they are needed.
    gram_bytes : int
        Memory of the Gram matrices of one worker; what does not fit is done in further passes.

    Returns
    -------
    ndarray of shape (n_permutations, df_resid)
        Decreasing along rows; squared singular values of the permuted residuals from which the design has
        been removed again.

    Notes
    -----
    With 40 features per sample or more, replicates are made by `RegroupedGramKernel`: each is an exact draw, and
    the top shares of two of the same 32 correlate by about 0.005. With fewer, every feature is permuted anew for
    every replicate.

    References
    ----------
    Buja and Eyuboglu (1992), "Remarks on parallel analysis", Multivariate Behavioral Research 27, 509-540.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> from latentadj.core.regression import design_basis
    >>> rng = np.random.default_rng(0)
    >>> Y = ArrayMatrix(rng.normal(size=(8, 300)))
    >>> permuted_eigenvalues(Y, design_basis(np.ones((8, 1))), 5, rng).shape
    (5, 7)
    """
    key, complement = random_key(rng), basis.complement()
    groups = _groups_of(Y, basis, weights, squares)
    out = np.empty((n_permutations, complement.shape[1]))
    size = max(gram_bytes // (8 * basis.n_samples**2), 1)
    for start in range(0, n_permutations, size):
        replicates = range(start, min(start + size, n_permutations))
        kernel: PermutedGramKernel | RegroupedGramKernel
        if groups is None:
            kernel = PermutedGramKernel(basis.q, key, replicates, weights=weights)
        else:
            kernel = RegroupedGramKernel(basis.q, key, replicates, groups, weights=weights)
        (grams,) = run_pass(Y, kernel)
        for replicate, gram in zip(replicates, grams, strict=True):
            out[replicate] = np.linalg.eigvalsh(complement.T @ gram @ complement)[::-1]
    return np.maximum(out, 0.0)


def _groups_of(
    Y: FeatureMatrix, basis: DesignBasis, weights: Array | None, squares: Array | None
) -> NDArray[np.intp] | None:
    """Groups of the features; None where permuting every feature for every replicate is as quick."""
    n_samples, n_features = Y.shape
    if n_features < GROUPED_FROM * n_samples:
        return None
    if squares is None:
        rss = design_pass(Y, basis).rss
        squares = rss if weights is None else rss * weights**2
    return feature_groups(squares)
