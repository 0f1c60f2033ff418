"""What one pass leaves of features with missing values or weighted observations, for a given design."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latentadj.core.feature_fits import checked_weights, described, observed, only
from latentadj.core.feature_grams import pattern_powers, upper_products
from latentadj.core.matrix import Array, FeatureMatrix
from latentadj.core.pass_kernel import PassKernel


@dataclass(frozen=True, slots=True)
class ObservedSums:
    """Sums over the observations of every feature.

    Attributes
    ----------
    effects : ndarray of shape (n_features, rank)
        ``F'Wy`` for the design F made orthonormal for all samples, W the feature's weights, 0 where nothing was
        observed.
    squares : ndarray of shape (n_features,)
        ``y'Wy``.
    shift : ndarray of shape (n_features,)
        What was taken off y before.
    patterns : ndarray of shape (n_words, n_features)
        Which samples were observed, as whole numbers; see `pattern_powers`. Features of one pattern share their Gram
        matrix. Empty with weights.
    grams : ndarray of shape (rank (rank + 1) / 2, n_features)
        Upper triangles of ``F'WF``, row by row. Empty where patterns say it all.
    """

    effects: Array
    squares: Array
    shift: Array
    patterns: Array
    grams: Array


class ObservedSumsKernel(PassKernel):
    """Accumulate `ObservedSums`, and what does not depend on the design, for `run_pass`.

    Parameters
    ----------
    basis : ndarray of shape (n_samples, rank)
        Orthonormal columns spanning the design with its rows scaled by `factors`.
    n_features : int
    weights : FeatureMatrix of shape (n_samples, n_features) or None
        Of the observations.
    factors : ndarray of shape (n_samples,)
        Root weights of the samples; 0 leaves a sample out.
    centred : bool
        Whether the constant lies in the span of the design.
    """

    reads = {"weights": 1}
    rows = {
        "n_obs": 0,
        "mean": 0,
        "constant": 0,
        "found.effects": 0,
        "found.squares": 0,
        "found.shift": 0,
        "found.patterns": 1,
        "found.grams": 1,
    }

    def __init__(
        self, basis: Array, n_features: int, weights: FeatureMatrix | None, factors: Array, *, centred: bool
    ) -> None:
        n, r = basis.shape
        self.weights = weights
        self.factors = factors
        self.centred = centred
        self.n_obs = np.empty(n_features, dtype=np.intp)
        self.mean = np.empty(n_features)
        self.constant = np.empty(n_features, dtype=bool)
        self._unscaled = bool((factors == 1.0).all())
        self._directions = np.ascontiguousarray((basis * factors[:, None]).T)
        self._of_weights = pattern_powers(n) if weights is None else upper_products(basis).T
        kept = np.empty((len(self._of_weights), n_features))
        empty = np.empty((0, n_features))
        patterns, grams = (kept, empty) if weights is None else (empty, kept)
        effects, squares, shift = np.empty((n_features, r)), np.empty(n_features), np.zeros(n_features)
        self.found = ObservedSums(effects, squares, shift, patterns, grams)

    def update(self, block: Array, columns: slice) -> None:
        """Write the sums of the features of one block."""
        given = None if self.weights is None else checked_weights(self.weights.read(columns))
        seen = observed(block, given)
        if not self.factors.all():
            seen &= (self.factors > 0)[:, None]
        values, sums = only(block, seen), self.found
        weights = seen.astype(np.float64) if given is None else only(given, seen)
        kept = sums.patterns if given is None else sums.grams
        kept[:, columns] = self._of_weights @ weights
        values, sums.shift[columns] = described(self, values, seen, columns, centred=self.centred)
        weighed = values if given is None else weights * values
        sums.effects[columns] = (self._directions @ weighed).T
        if self._unscaled:
            sums.squares[columns] = np.einsum("ij,ij->j", weighed, values)
        else:
            sums.squares[columns] = self.factors**2 @ (weighed * values)

    def result(self) -> ObservedSums:
        """Return the sums of all features."""
        return self.found
