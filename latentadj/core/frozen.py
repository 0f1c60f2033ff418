"""Factor scores of new samples from a weighted decomposition of the training set (frozen SVA)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.linalg import eigh

from latentadj.core.kernels import GramKernel
from latentadj.core.matrix import Array, FeatureMatrix
from latentadj.core.pass_kernel import PassKernel
from latentadj.core.passes import run_pass
from latentadj.core.spectrum import top_eigenvectors


@dataclass(frozen=True, slots=True)
class NewProducts:
    """Weighted inner products of new samples.

    Attributes
    ----------
    cross : ndarray of shape (n_training, n_new)
        With every training sample.
    own : ndarray of shape (n_new,)
        With themselves.
    """

    cross: Array
    own: Array


@dataclass(frozen=True)
class FrozenDecomposition:
    """Training samples with feature weights, ready to score new samples.

    Attributes
    ----------
    training : FeatureMatrix of shape (n_training, n_features)
    mean : ndarray of shape (n_features,)
        Training means. They leave all samples first, for the digits; the rules below do not depend on it.
    weights : ndarray of shape (n_features,)
    factors : ndarray of shape (n_training, k)
        Training factors, whose signs new scores are given.
    gram : ndarray of shape (n_training, n_training)
        Weighted inner products of the training samples.
    """

    training: FeatureMatrix
    mean: Array
    weights: Array
    factors: Array
    gram: Array

    @classmethod
    def of(cls, training: FeatureMatrix, mean: Array, weights: Array, factors: Array) -> Self:
        """Form the Gram matrix, in one pass over the training set."""
        (gram,) = run_pass(training, GramKernel(training.shape[0], mean=mean, weights=weights))
        return cls(training, mean, weights, factors, gram)

    def products(self, new: FeatureMatrix) -> NewProducts:
        """Inner products of new samples ``(n_new, n_features)``, in one pass over both sets."""
        found: NewProducts = run_pass(new, _CrossKernel(self, new.shape[0]))[0]
        return found

    def exact_scores(self, new: FeatureMatrix) -> Array:
        """Scores ``(n_new, k)`` that each new sample gets when it is decomposed together with the training set.

        Notes
        -----
        Parker, Corrada Bravo and Leek (2014), the exact algorithm. With the inner products, a new sample costs one
        eigendecomposition of size ``n_training + 1``, whatever the number of features.
        """
        products, k = self.products(new), self.factors.shape[1]
        scores = np.empty((new.shape[0], k))
        for i, (column, own) in enumerate(zip(products.cross.T, products.own, strict=True)):
            bordered = np.block([[self.gram, column[:, None]], [column[None, :], np.array([[own]])]])
            vectors = top_eigenvectors(_doubly_centred(bordered), k)
            scores[i] = vectors[-1] * _signs(vectors[:-1], self.factors)
        return scores

    def fast_scores(self, new: FeatureMatrix) -> Array:
        """Scores ``(n_new, k)`` by projection on the training directions, standardised over the new samples.

        Notes
        -----
        Parker, Corrada Bravo and Leek (2014), the fast algorithm: the scores of the new samples are given mean 0 and
        variance ``1 / n_new`` *among themselves*, so that they depend on their companions.
        """
        k = self.factors.shape[1]
        values, vectors = eigh(_doubly_centred(self.gram))
        values, vectors = values[::-1][:k], vectors[:, ::-1][:, :k]
        scores = self.products(new).cross.T @ vectors / values * _signs(vectors, self.factors)
        centred = scores - scores.mean(axis=0)
        out: Array = centred / (centred.std(axis=0, ddof=1) * np.sqrt(len(centred)))
        return out


class _CrossKernel(PassKernel):
    """Sums over features of products of centred, weighted training and new samples."""

    reads = {"frozen.training": 1, "frozen.mean": 0, "frozen.weights": 0}
    sums = ("cross", "own")

    def __init__(self, frozen: FrozenDecomposition, n_new: int) -> None:
        self.frozen = frozen
        self.cross = np.zeros((frozen.training.shape[0], n_new))
        self.own = np.zeros(n_new)

    def update(self, block: Array, columns: slice) -> None:
        frozen = self.frozen
        weights, mean = frozen.weights[columns], frozen.mean[columns]
        new = (block - mean) * weights
        self.cross += ((frozen.training.read(columns) - mean) * weights) @ new.T
        self.own += np.einsum("ij,ij->i", new, new)

    def result(self) -> NewProducts:
        return NewProducts(self.cross, self.own)


def _doubly_centred(gram: Array) -> Array:
    left = gram - gram.mean(axis=0)
    out: Array = left - left.mean(axis=1)[:, None]
    return out


def _signs(vectors: Array, like: Array) -> Array:
    """Signs ``(k,)`` that make columns correlate positively with those of the training factors."""
    products = np.einsum("ij,ij->j", vectors - vectors.mean(axis=0), like)
    return np.where(products < 0, -1.0, 1.0)
