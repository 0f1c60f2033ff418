"""Feature weights of surrogate variable analysis: nested F tests and local false discovery rates.

A feature counts as much as it is likely to depend on the hidden factors but not on the primary variables.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import eigh
from scipy.special import ndtri

from latentadj.core.kernels import GramKernel, ProjectionKernel, RegressionSums
from latentadj.core.local_fdr import local_fdr_from_z
from latentadj.core.matrix import Array, FeatureMatrix
from latentadj.core.multiple import adjust_pvalues
from latentadj.core.passes import run_pass
from latentadj.core.regression import DesignBasis
from latentadj.core.spectrum import safe_to_project_last, top_eigenvectors
from latentadj.core.tails import FProbitTable, f_upper_p

#: Fewer tests than this have no density to speak of; tail-area rates stand in for local ones.
MIN_TESTS = 50


@dataclass(frozen=True, slots=True)
class SurrogateWeights:
    """Posterior probabilities and weights of all features.

    Attributes
    ----------
    gamma : ndarray of shape (n_features,)
        Probability of depending on the factors.
    b : ndarray of shape (n_features,)
        Probability of depending on the primary variables, given the factors.
    """

    gamma: Array
    b: Array

    @property
    def weights(self) -> Array:
        """``gamma * (1 - b)``, shape (n_features,)."""
        return self.gamma * (1.0 - self.b)


@dataclass(frozen=True)
class SurrogateWeighting:
    """The map from factors to feature weights and back, for one data set.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
    basis : DesignBasis
        Nuisance columns first.
    n_nuisance : int
        Rank of the nuisance part.
    sums : RegressionSums
        From a pass with `basis`.
    old_coords : bool
        Kernel-density grid as in R before 4.4, for comparison with stored numbers.

    Notes
    -----
    Leek and Storey (2008). With an orthonormal nested basis, residual sums of squares with the factors added
    follow from ``Y' Z`` and k x k products, so that a round reads the data twice: once for ``Y' Z`` and once
    for the weighted Gram matrix.
    """

    Y: FeatureMatrix
    basis: DesignBasis
    n_nuisance: int
    sums: RegressionSums
    old_coords: bool = False

    @cached_property
    def _rss_nuisance(self) -> Array:
        primary = self.sums.effects[:, self.n_nuisance :]
        out: Array = self.sums.rss + np.einsum("ij,ij->i", primary, primary)
        return out

    @cached_property
    def _means_are_mild(self) -> bool:
        """Whether centring the finished Gram matrix, which saves a sweep, costs at most four digits."""
        return safe_to_project_last(self.sums)

    @cached_property
    def _usable(self) -> np.ndarray:
        return np.asarray(self.sums.rss > 1e-20 * np.maximum(self.sums.tss, np.finfo(float).tiny))

    def weigh(self, factors: Array) -> SurrogateWeights:
        """Return the posterior probabilities given factors ``(n_samples, k)``."""
        n, rank, q = self.basis.n_samples, self.basis.rank, self.n_nuisance
        k, p = factors.shape[1], rank - q
        effects = self.sums.effects
        (cross,) = run_pass(self.Y, ProjectionKernel(factors, self.Y.shape[1]))
        overlap = self.basis.q.T @ factors
        cross = cross - effects[:, :q] @ overlap[:q]
        left = np.eye(k) - overlap[:q].T @ overlap[:q]
        with_factors = self._rss_nuisance - _explained(cross, left)
        gamma = 1.0 - self._rates(self._rss_nuisance, with_factors, k, n - q - k)
        if p == 0:
            return SurrogateWeights(gamma, np.zeros_like(gamma))
        cross -= effects[:, q:] @ overlap[q:]
        with_all = self.sums.rss - _explained(cross, left - overlap[q:].T @ overlap[q:])
        return SurrogateWeights(gamma, 1.0 - self._rates(with_factors, with_all, p, n - rank - k))

    def _rates(self, rss_reduced: Array, rss_full: Array, df1: int, df2: int) -> Array:
        """Local false discovery rates of F tests; 1 for features that do not vary."""
        usable = self._usable & (rss_full > 0)
        every = bool(usable.all())
        reduced, full = (rss_reduced, rss_full) if every else (rss_reduced[usable], rss_full[usable])
        f = np.maximum((reduced - full) * (df2 / df1) / full, 0.0)
        if f.size < MIN_TESTS:
            found = adjust_pvalues(f_upper_p(f, df1, df2)) if f.size else f
        else:
            found = local_fdr_from_z(*_probits(f, df1, df2), old_coords=self.old_coords)
        if every:
            return found
        rates = np.ones(usable.size)
        rates[usable] = found
        return rates

    def gram(self, weights: Array) -> Array:
        """Return the Gram matrix ``(n_samples, n_samples)`` of the weighted, centred features; one pass."""
        mean = None if self._means_are_mild else self.sums.mean
        gram: Array = run_pass(self.Y, GramKernel(self.Y.shape[0], mean=mean, weights=weights))[0]
        gram -= gram.mean(axis=0)
        gram -= gram.mean(axis=1)[:, None]
        return gram

    def factors(self, weights: Array, k: int) -> Array:
        """Return the leading k weighted components ``(n_samples, k)``."""
        return top_eigenvectors(self.gram(weights), k)


def _probits(f: Array, df1: int, df2: int) -> tuple[Array, float]:
    z = FProbitTable(df1, df2)(f)
    pi0 = min(1.0, float(np.mean(z >= ndtri(0.8))) / 0.2)
    return z, pi0


def _explained(cross: Array, gram: Array) -> Array:
    """Sum of squares along directions with inner products `cross` ``(m, k)`` and Gram matrix `gram`."""
    values, vectors = eigh(gram)
    keep = values > 1e-10
    coordinates = cross @ (vectors[:, keep] / np.sqrt(values[keep]))
    out: Array = np.einsum("ij,ij->i", coordinates, coordinates)
    return out
