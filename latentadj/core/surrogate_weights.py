"""Feature weights of surrogate variable analysis: nested F tests and local false discovery rates.

A feature counts as much as it is likely to depend on the hidden factors but not on the primary variables.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.special import ndtri
from scipy.stats import rankdata

from latentadj.core.alignment import subspace_distance
from latentadj.core.kernels import GramKernel, RegressionSums
from latentadj.core.leading_directions import MANY_SAMPLES, leading_directions
from latentadj.core.local_fdr import local_fdr_from_z
from latentadj.core.matrix import Array, FeatureMatrix
from latentadj.core.multiple import adjust_pvalues
from latentadj.core.pass_options import current_options
from latentadj.core.passes import run_pass
from latentadj.core.regression import DesignBasis
from latentadj.core.spectrum import safe_to_project_last, top_eigenvectors
from latentadj.core.tails import FProbitTable, f_upper_p
from latentadj.core.weighted_sums import ExplainedKernel, wide

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
    level : ndarray of shape (n_samples,) or None
        Unit vector along which features are centred, where that is not the constant: what a weighing of the samples
        makes of it.

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
    level: Array | None = None

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
    def usable(self) -> NDArray[np.bool_]:
        """Features with residual variation, ``(n_features,)``; the others have weight 0."""
        return np.asarray(self.sums.rss > 1e-20 * np.maximum(self.sums.tss, np.finfo(float).tiny))

    def weigh(self, factors: Array) -> SurrogateWeights:
        """Return the posterior probabilities given factors ``(n_samples, k)``."""
        n, rank, q, k = self.basis.n_samples, self.basis.rank, self.n_nuisance, factors.shape[1]
        explained = self._explained(factors)
        with_factors = self._rss_nuisance - explained[0]
        gamma = 1.0 - self._rates(explained[0], with_factors, k, n - q - k)
        if rank == q:
            return SurrogateWeights(gamma, np.zeros_like(gamma))
        with_all = self.sums.rss - explained[1]
        with_factors -= with_all
        return SurrogateWeights(gamma, 1.0 - self._rates(with_factors, with_all, rank - q, n - rank - k))

    def _explained(self, factors: Array) -> Array:
        """Sums of squares along what the nuisance part, and the whole design, leave of the factors; one pass."""
        q = self.n_nuisance
        overlap = self.basis.q.T @ factors
        combine = [_orthonormalizer(np.eye(factors.shape[1]) - overlap[:r].T @ overlap[:r]) for r in (q, len(overlap))]
        nuisance_only = np.where(np.arange(len(overlap))[:, None] < q, overlap, 0.0)
        remove = [combine[0] @ nuisance_only.T, combine[1] @ overlap.T]
        sizes = (len(combine[0]), len(combine[1]))
        kernel = ExplainedKernel(factors, np.vstack(combine), np.vstack(remove), self.sums.effects, sizes)
        out: Array = run_pass(self.Y, kernel, wider=wide(self.Y.shape[0]))[0]
        return out

    def _rates(self, explained: Array, left: Array, df1: int, df2: int) -> Array:
        """Local false discovery rates of F tests; 1 for features that do not vary."""
        usable = self.usable & (left > 0)
        every = bool(usable.all())
        if not every:
            explained, left = explained[usable], left[usable]
        f = np.divide(explained, left)
        f *= df2 / df1
        np.maximum(f, 0.0, out=f)
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
        n_samples = self.Y.shape[0]
        if self.level is not None:
            centred = GramKernel(n_samples, basis=self.level[:, None], weights=weights)
            out: Array = run_pass(self.Y, centred)[0]
            return out
        mean = None if self._means_are_mild else self.sums.mean
        single = current_options().single_precision
        kernel = GramKernel(n_samples, mean=mean, weights=weights)
        gram: Array = run_pass(self.Y, kernel, wider=1 if single else wide(n_samples))[0]
        gram -= gram.mean(axis=0)
        gram -= gram.mean(axis=1)[:, None]
        return gram

    def factors(self, weights: Array, k: int, start: Array | None = None) -> Array:
        """Return the leading k weighted components ``(n_samples, k)``, those of many samples from `start` on.

        Below 1500 samples, or where means are large, they are eigenvectors of the Gram matrix; else of a block
        Krylov space, to an angle of 3e-7.
        """
        if self.level is None and self.Y.shape[0] >= MANY_SAMPLES and self._means_are_mild:
            n, squared = self.Y.shape[0], weights * weights
            constant = np.full((n, 1), n**-0.5)
            found = leading_directions(self.Y, constant, k, squared_weights=squared, sizes=self._tss, start=start)
            if found is not None:
                return found
        return top_eigenvectors(self.gram(weights), k)

    @cached_property
    def _tss(self) -> Array:
        effects = self.sums.effects
        out: Array = self.sums.rss + np.einsum("ij,ij->i", effects, effects) - len(self.basis.q) * self.sums.mean**2
        return np.maximum(out, 0.0)


class WeightingRounds:
    """Rounds of iteratively re-weighted surrogate variable analysis: factors to weights to factors.

    Parameters
    ----------
    weighting : SurrogateWeighting
    n_factors : int
    first_power : float, default=1.0
        Power of the local false discovery rates of the primary variables in the first round. Below 1 it lets
        features count that may respond to them: the first factors are residual components, given which nearly
        every feature that follows a confounder seems to respond (SmartSVA).

    Attributes
    ----------
    weights : SurrogateWeights
        Of the last round.
    factors : ndarray of shape (n_samples, n_factors)
        Of the last round, in the order of their size.
    n_iter : int
        Rounds so far.
    """

    def __init__(self, weighting: SurrogateWeighting, n_factors: int, *, first_power: float = 1.0) -> None:
        self._weighting = weighting
        self._n_factors = n_factors
        self._first_power = first_power
        self.weights = SurrogateWeights(np.empty(0), np.empty(0))
        self.factors: Array = np.empty((0, n_factors))
        self.n_iter = 0

    def __call__(self, factors: Array) -> Array:
        """Do one round from factors ``(n_samples, k)`` and return the next ones."""
        weights = self._weighting.weigh(factors)
        if self.n_iter == 0 and self._first_power != 1.0:
            weights = SurrogateWeights(weights.gamma, 1.0 - (1.0 - weights.b) ** self._first_power)
        self.weights = weights
        self.factors = self._weighting.factors(weights.weights, self._n_factors, factors)
        self.n_iter += 1
        return self.factors

    @property
    def ranked(self) -> Array:
        """Weights of the features that vary, ``(n_usable,)``, in the last round."""
        return self.weights.weights[self._weighting.usable]


def settled_by_ranks(
    step: WeightingRounds, start: Array, *, tol: float, max_iter: int, max_turn: float = 1.0
) -> tuple[bool, float]:
    """Do rounds until the features' weights keep their order, the stopping rule of SmartSVA.

    Parameters
    ----------
    step : WeightingRounds
    start : ndarray of shape (n_samples, n_factors)
    tol : float
        One minus the Spearman correlation of the weights of two rounds at which they count as settled.
    max_iter : int
        Largest number of rounds.
    max_turn : float, default=1.0
        Largest sine of the angle between the factors of two rounds at which the rounds may end; 1 asks nothing.

    Returns
    -------
    converged : bool
    rho : float
        The last correlation.
    """
    factors, previous, rho = step(start), step.ranked, 0.0
    while step.n_iter < max_iter:
        before, factors = factors, step(factors)
        rho = rank_correlation(step.ranked, previous)
        if rho >= 1.0 - tol and (max_turn >= 1.0 or subspace_distance(factors, before) < max_turn):
            return True, rho
        previous = step.ranked
    return False, rho


def rank_correlation(a: Array, b: Array) -> float:
    """Spearman's correlation of two vectors ``(m,)``, with average ranks; 1 when they are equal, 0 when one is flat."""
    if np.array_equal(a, b):
        return 1.0
    x, y = (ranks - ranks.mean() for ranks in (rankdata(a), rankdata(b)))
    scale = float(np.linalg.norm(x) * np.linalg.norm(y))
    return float(x @ y) / scale if scale > 0 else 0.0


def _probits(f: Array, df1: int, df2: int) -> tuple[Array, float]:
    z = FProbitTable(df1, df2)(f)
    pi0 = min(1.0, float(np.count_nonzero(z >= ndtri(0.8)) / z.size) / 0.2)
    return z, pi0


def _orthonormalizer(gram: Array) -> Array:
    """Map of coordinates along directions with this Gram matrix to orthonormal ones, ``(rank, k)``."""
    values, vectors = eigh(gram)
    keep = values > 1e-10
    out: Array = (vectors[:, keep] / np.sqrt(values[keep])).T
    return out
