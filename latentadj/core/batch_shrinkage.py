"""Empirical Bayes estimates of the shift and spread that a batch gives its features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from latentadj.core.matrix import BLOCK_BYTES, Array, ArrayMatrix
from latentadj.core.pass_kernel import PassKernel
from latentadj.core.passes import run_pass

#: Spreads are kept above this, so that a batch without any spread does not stop the iteration.
TINY = 1e-300
#: Change at which the signed criterion of the reference stops.
SIGNED_STOP = 1e-4


@dataclass(frozen=True, slots=True)
class BatchEvidence:
    """What one batch shows of its features, in units of each feature's pooled standard deviation.

    Attributes
    ----------
    shift : ndarray of shape (n_features,)
        Mean of the batch, from the grand mean.
    squares : ndarray of shape (n_features,)
        Sum of squares about the batch's mean.
    spread : ndarray of shape (n_features,)
        Sample variance; ones when spreads are not estimated.
    count : ndarray of shape (n_features,)
        Values in the batch.
    """

    shift: Array
    squares: Array
    spread: Array
    count: Array

    def part(self, index: NDArray[np.intp]) -> BatchEvidence:
        """Return the evidence of some features."""
        return BatchEvidence(*(getattr(self, name)[index] for name in self.__slots__))

    def squares_about(self, shift: Array) -> Array:
        """Sums of squares about other shifts."""
        out: Array = self.squares + self.count * (self.shift - shift) ** 2
        return out


@dataclass(frozen=True, slots=True)
class BatchPrior:
    """Normal prior of the shifts and inverse gamma prior of the spreads of one batch.

    Attributes
    ----------
    mean, variance : float
        Of the shifts.
    shape, scale : float
        Of the spreads.
    """

    mean: float
    variance: float
    shape: float
    scale: float

    @classmethod
    def from_moments(cls, shift: Array, spread: Array) -> Self:
        """Match the mean and the variance over features; there must be two of them at least."""
        level, variance = float(spread.mean()), float(spread.var(ddof=1))
        variance = max(variance, 1e-12 * level**2, TINY)  # equal spreads: a prior that is as good as a point
        ratio = level**2 / variance
        return cls(float(shift.mean()), float(shift.var(ddof=1)), 2.0 + ratio, level * (1.0 + ratio))

    def shift(self, evidence: BatchEvidence, spread: Array) -> Array:
        """Posterior mean of the shifts for given spreads."""
        weight = self.variance * evidence.count
        out: Array = (weight * evidence.shift + spread * self.mean) / (weight + spread)
        return out

    def spread(self, evidence: BatchEvidence, shift: Array) -> Array:
        """Posterior mean of the spreads for given shifts."""
        out: Array = (0.5 * evidence.squares_about(shift) + self.scale) / (0.5 * evidence.count + self.shape - 1.0)
        return out


@dataclass(frozen=True, slots=True)
class BatchPosterior:
    """Estimates for one batch.

    Attributes
    ----------
    shift, spread : ndarray of shape (n_features,)
    n_unsettled : int
        Features whose iteration stopped at its limit.
    n_iter : int
        Steps that were taken.
    """

    shift: Array
    spread: Array
    n_unsettled: int = 0
    n_iter: int = 1


def mean_only_posterior(evidence: BatchEvidence, count: Array | float) -> BatchPosterior:
    """Shrink shifts only, with spreads of one.

    Parameters
    ----------
    evidence : BatchEvidence
    count : ndarray of shape (n_features,) or float
        Values that a shift is taken to rest on.

    Returns
    -------
    BatchPosterior

    Examples
    --------
    >>> shift = np.array([0.0, 2.0])
    >>> evidence = BatchEvidence(shift, np.zeros(2), np.ones(2), np.full(2, 4.0))
    >>> mean_only_posterior(evidence, 4.0).shift.round(4)
    array([0.1111, 1.8889])
    """
    ones = np.ones_like(evidence.shift)
    taken = BatchEvidence(evidence.shift, evidence.squares, ones, count * ones)
    return BatchPosterior(BatchPrior.from_moments(evidence.shift, ones).shift(taken, ones), ones)


def parametric_posterior(evidence: BatchEvidence, *, tol: float = 1e-10, max_iter: int = 1000) -> BatchPosterior:
    """Alternate the posterior means of shift and spread until every feature has settled.

    Parameters
    ----------
    evidence : BatchEvidence
    tol : float, default=1e-10
        Largest change of a shift, and relative change of a spread, of a feature that has settled.
    max_iter : int, default=1000

    Returns
    -------
    BatchPosterior

    Notes
    -----
    Johnson, Li and Rabinovic (2007), section 3.1 and appendix A. A feature leaves the iteration when it has settled,
    so that its estimate depends on the other features through the prior only.

    Examples
    --------
    >>> evidence = BatchEvidence(np.array([0.0, 2.0]), np.array([3.0, 6.0]), np.array([1.0, 2.0]), np.full(2, 4.0))
    >>> bool(parametric_posterior(evidence).shift[1] < 2.0)
    True
    """
    prior = BatchPrior.from_moments(evidence.shift, evidence.spread)
    shift, spread = evidence.shift.copy(), np.maximum(evidence.spread, TINY)
    active = np.arange(len(shift))
    n_iter = 0
    while active.size and n_iter < max_iter:
        n_iter += 1
        part = evidence.part(active)
        new_shift = prior.shift(part, spread[active])
        new_spread = np.maximum(prior.spread(part, new_shift), TINY)
        moved = np.maximum(np.abs(new_shift - shift[active]), np.abs(new_spread - spread[active]) / new_spread)
        shift[active], spread[active] = new_shift, new_spread
        active = active[moved > tol]
    return BatchPosterior(shift, spread, len(active), n_iter)


def signed_posterior(evidence: BatchEvidence, *, max_iter: int = 1000) -> BatchPosterior:
    """The same iteration with the stopping rule of the R package, all features of the batch together.

    Parameters
    ----------
    evidence : BatchEvidence
    max_iter : int, default=1000

    Returns
    -------
    BatchPosterior

    Notes
    -----
    Changes are divided by the old values with their signs, so negative shifts never hold the iteration up.
    """
    prior = BatchPrior.from_moments(evidence.shift, evidence.spread)
    shift, spread = evidence.shift, np.maximum(evidence.spread, TINY)
    for n_iter in range(1, max_iter + 1):
        new_shift = prior.shift(evidence, spread)
        new_spread = np.maximum(prior.spread(evidence, new_shift), TINY)
        with np.errstate(divide="ignore", invalid="ignore"):
            moved = [np.abs(new_shift - shift) / shift, np.abs(new_spread - spread) / spread]
        shift, spread = new_shift, new_spread
        if np.nanmax(moved) <= SIGNED_STOP:
            return BatchPosterior(shift, spread, 0, n_iter)
    return BatchPosterior(shift, spread, len(shift), max_iter)


class LikelihoodKernel(PassKernel):
    """Averages the other features' shifts and spreads, weighed by how likely they make a feature's values.

    Blocks are rows of a `BatchEvidence`: shift, squares, count.

    Parameters
    ----------
    evidence : BatchEvidence
        Of all features, the support of the prior.
    """

    rows = {"posterior.shift": 0, "posterior.spread": 0}

    def __init__(self, evidence: BatchEvidence) -> None:
        self.evidence = evidence
        self.posterior = BatchPosterior(np.empty_like(evidence.shift), np.empty_like(evidence.shift))

    def update(self, block: Array, columns: slice) -> None:
        """Average for the features of one block."""
        shift, squares, count = block[:, :, None]
        support = self.evidence
        spread = np.maximum(support.spread, TINY)
        log_weights = squares + count * (shift - support.shift) ** 2
        log_weights /= -2.0 * spread
        log_weights -= 0.5 * count * np.log(spread)
        own = np.arange(block.shape[1])
        log_weights[own, own + self.first_feature + columns.start] = -np.inf
        log_weights -= log_weights.max(axis=1, keepdims=True)
        weights = np.exp(log_weights, out=log_weights)
        weights /= weights.sum(axis=1, keepdims=True)
        self.posterior.shift[columns] = weights @ support.shift
        self.posterior.spread[columns] = weights @ support.spread

    def result(self) -> BatchPosterior:
        """Return the estimates of all features."""
        return self.posterior


def nonparametric_posterior(evidence: BatchEvidence) -> BatchPosterior:
    """Take the other features' shifts and spreads as the prior.

    Parameters
    ----------
    evidence : BatchEvidence
        Of two features at least.

    Returns
    -------
    BatchPosterior

    Notes
    -----
    Johnson, Li and Rabinovic (2007), appendix B. The likelihood of a feature's values under another's shift and
    spread follows from its mean and sum of squares, so the data are not read again; weights are formed in
    logarithms, which neither underflow in large batches nor overflow for small spreads.

    Examples
    --------
    >>> evidence = BatchEvidence(np.array([0.0, 0.1, 2.0]), np.full(3, 3.0), np.ones(3), np.full(3, 4.0))
    >>> nonparametric_posterior(evidence).shift.round(3)
    array([0.101, 0.001, 0.069])
    """
    rows = ArrayMatrix(np.vstack([evidence.shift, evidence.squares, evidence.count]))
    width = max(1, BLOCK_BYTES // (8 * len(evidence.shift)))
    posterior: BatchPosterior = run_pass(rows, LikelihoodKernel(evidence), width=width)[0]
    return posterior
