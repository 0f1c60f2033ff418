"""Missing values completed for the estimation of factors.

Features are fitted to what was observed of them; factors are estimated from a complete matrix. What is filled in is
what the design and the factors of the incomplete data lead to expect, with noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentadj.core.completed_matrix import CompletedMatrix
from latentadj.core.completion_step import CompletionKernel
from latentadj.core.content_noise import ContentKeysKernel, Keys
from latentadj.core.deterministic_parallel import noise_edge
from latentadj.core.kernels import GramKernel
from latentadj.core.matrix import Array, ArrayMatrix, FeatureMatrix, FeatureSubset, collect
from latentadj.core.passes import one_blas_thread, run_pass
from latentadj.core.regression import DesignBasis, RegressionFit
from latentadj.core.spectrum import ResidualSpectrum, spectrum_of_gram
from latentadj.core.variance import squeeze_variances
from latentadj.core.weighted_regression import fit_weighted_regression

#: Largest condition of what a feature's samples leave of the design.
_POORLY_SEEN = 1e3
#: From this round on the number of factors may only fall, so that it cannot go back and forth for ever.
_SETTLING = 6
#: Probability with which noise would pass for a factor.
_ALPHA = 0.05
#: Bytes up to which an array is completed at once instead of every time it is read.
_IN_MEMORY = 1 << 30


@dataclass(frozen=True)
class Completion:
    """A matrix without missing values.

    Attributes
    ----------
    matrix : FeatureMatrix of shape (n_samples, n_features)
        An array when the data are one of up to a gigabyte, else a `CompletedMatrix`, completed as it is read; the data
        themselves when nothing is missing.
    usable : ndarray of bool, shape (n_features,)
        Features with enough values. The others are 0 throughout in `matrix`, so that they have no part in anything.
    n_obs : ndarray of int, shape (n_features,)
        Values that were observed.
    n_factors : int
        Factors of the model that completed it.
    n_rounds : int
    converged : bool
    """

    matrix: FeatureMatrix
    usable: NDArray[np.bool_]
    n_obs: NDArray[np.intp]
    n_factors: int
    n_rounds: int
    converged: bool


@one_blas_thread()
def complete(
    Y: FeatureMatrix, basis: DesignBasis, *, max_factors: int | None = None, tol: float = 1e-3, max_rounds: int = 100
) -> Completion:
    """Complete a matrix by the design and the factors of what was observed.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
        NaN marks missing values.
    basis : DesignBasis
    max_factors : int, optional
        By default a third of the samples or of the features, and three residual degrees of freedom are left.
    tol : float, default=1e-3
        Largest sine of an angle between the factors of two rounds at which the rounds stop.
    max_rounds : int, default=100

    Returns
    -------
    Completion

    Notes
    -----
    The EM algorithm of a factor model (Rubin and Thayer 1982; Troyanskaya et al. 2001 for matrices of expression)
    with features scaled to unit residual variance: expected values of what is missing given the factors, factors of
    the expected Gram matrix (see `CompletionKernel`), until they stay. The number of factors is counted anew in every
    round: eigenvalues above the edge of noise of as many features.

    Expected values alone have no noise: residual variances would be too small by the share that is missing, more so
    in samples with many missing values, and everything after it takes such samples for good ones. Missing values
    therefore get a draw of noise. It depends on the values of feature and sample only, so that the same data always
    give the same matrix, in whatever order; see `CompletedMatrix`.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix, collect
    >>> from latentadj.core.regression import design_basis
    >>> rng = np.random.default_rng(0)
    >>> Y = np.outer(rng.normal(size=30), rng.normal(size=400)) + 0.3 * rng.normal(size=(30, 400))
    >>> incomplete = np.where(rng.uniform(size=Y.shape) < 0.2, np.nan, Y)
    >>> completion = complete(ArrayMatrix(incomplete), design_basis(np.ones((30, 1))))
    >>> found = collect(completion.matrix)
    >>> completion.n_factors, bool(np.corrcoef(found[np.isnan(incomplete)], Y[np.isnan(incomplete)])[0, 1] > 0.85)
    (1, True)
    """
    fit = fit_weighted_regression(Y, basis.q)
    assert fit.n_obs is not None
    n_obs = fit.n_obs
    if (n_obs == Y.shape[0]).all():
        return Completion(Y, n_obs > 0, n_obs, 0, 0, True)
    weights = _unit_weights(fit, basis.rank)
    incomplete = np.flatnonzero(n_obs < Y.shape[0])
    usable = (weights > 0) | (n_obs == Y.shape[0])
    shift = np.where(usable & basis.spans_constant, fit.mean, 0.0)
    rounds = _Rounds(
        FeatureSubset(Y, incomplete),
        basis,
        shift[incomplete],
        weights[incomplete],
        int(np.count_nonzero(weights)),
        _complete_gram(Y, basis, n_obs, weights),
    )
    limit = min(Y.shape[0] - basis.rank - 3, Y.shape[0] // 3, rounds.n_used // 3)
    state = rounds.run(max(limit if max_factors is None else min(max_factors, limit), 0), tol, max_rounds)
    (keys,) = run_pass(Y, ContentKeysKernel(Y.shape[0]))
    matrix: FeatureMatrix = _completed(Y, state, incomplete, shift, usable, keys)
    if isinstance(Y, ArrayMatrix) and 8 * Y.values.size <= _IN_MEMORY:
        matrix = ArrayMatrix(collect(matrix))
    return Completion(matrix, usable, n_obs, state.n_factors, state.n_rounds, state.converged)


def _unit_weights(fit: RegressionFit, rank: int) -> Array:
    """One over each feature's residual standard deviation, 0 where too little was observed or nothing varies."""
    assert fit.n_obs is not None
    inflation = np.trace(fit.cov_unscaled, axis1=1, axis2=2)
    with np.errstate(invalid="ignore"):
        usable = (fit.n_obs >= rank + 2) & (inflation <= _POORLY_SEEN) & (fit.sigma2 > 0) & ~fit.constant
    return np.divide(1.0, _moderated_sd(fit.sigma2, fit.df_resid, usable), out=np.zeros(len(usable)), where=usable)


def _moderated_sd(variance: Array, df: float | Array, usable: NDArray[np.bool_]) -> Array:
    """Standard deviations, those from few values drawn towards the others (posterior means); 1 where not usable."""
    prior = squeeze_variances(np.where(usable, variance, np.nan), np.where(usable, df, 0.0))
    total = np.maximum(prior.df_total, 4.0)
    return np.where(usable, np.sqrt(prior.s2_post * total / (total - 2.0)), 1.0)


def _complete_gram(Y: FeatureMatrix, basis: DesignBasis, n_obs: NDArray[np.intp], weights: Array) -> Array:
    """Gram matrix of the residuals of the features of which nothing is missing."""
    index = np.flatnonzero((n_obs == Y.shape[0]) & (weights > 0))
    kernel = GramKernel(Y.shape[0], basis=basis.q, weights=weights[index])
    gram: Array = run_pass(FeatureSubset(Y, index), kernel)[0]
    return gram


@dataclass(frozen=True)
class _State:
    """A round: what features were fitted by, and their fits."""

    directions: Array
    coordinates: Array
    noise: Array
    n_factors: int
    n_rounds: int
    converged: bool


@dataclass(frozen=True)
class _Rounds:
    """The rounds of completing the features that have missing values.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_incomplete)
    basis : DesignBasis
    shift : ndarray of shape (n_incomplete,)
        Taken off the values.
    weights : ndarray of shape (n_incomplete,)
    n_used : int
        Features that factors are estimated from, complete ones included.
    complete_gram : ndarray of shape (n_samples, n_samples)
        Of the complete features' residuals.
    """

    Y: FeatureMatrix
    basis: DesignBasis
    shift: Array
    weights: Array
    n_used: int
    complete_gram: Array

    def run(self, limit: int, tol: float, max_rounds: int) -> _State:
        """Go on until the factors stay."""
        complement = self.basis.complement()
        factors, penalties = np.empty((self.basis.n_samples, 0)), np.empty(0)
        for number in range(1, max_rounds + 1):
            kernel = self._kernel(factors, penalties)
            gram = self.complete_gram + run_pass(self.Y, kernel)[0]
            spectrum = spectrum_of_gram(gram, complement, self.n_used)
            k = min(count_factors(spectrum), limit)
            if number > _SETTLING:
                k = min(k, factors.shape[1])
            updated = spectrum.vectors[:, :k]
            converged = largest_sine(factors, updated) <= tol
            if converged:
                break
            factors, penalties = updated, _penalties(spectrum, k)
        return _State(kernel.directions, kernel.coordinates, self._noise(kernel), factors.shape[1], number, converged)

    def _noise(self, kernel: CompletionKernel) -> Array:
        usable = (self.weights > 0) & (kernel.variance > 0)
        return np.where(usable, _moderated_sd(kernel.variance, kernel.df, usable), 0.0)

    def _kernel(self, factors: Array, penalties: Array) -> CompletionKernel:
        directions = np.column_stack([self.basis.q, factors])
        both = np.concatenate([np.zeros(self.basis.rank), penalties])
        return CompletionKernel(directions, both, self.basis.rank, self.shift, self.weights)


def count_factors(spectrum: ResidualSpectrum) -> int:
    """Count the leading eigenvalues that noise of as many features of equal variance would not reach.

    Parameters
    ----------
    spectrum : ResidualSpectrum
        Of residuals of unit variance.

    Returns
    -------
    int

    Notes
    -----
    Each is compared with the 95 % point of the largest eigenvalue of noise that has the whole sum of squares, see
    `latentadj.core.deterministic_parallel.noise_edge`: as parallel analysis does, so that what is small beside other
    factors is left out.

    Examples
    --------
    >>> values = np.linspace(1.6, 0.6, 40) * 500
    >>> vectors = np.eye(40)
    >>> count_factors(ResidualSpectrum(values, vectors, 500))
    0
    >>> count_factors(ResidualSpectrum(np.concatenate([[4000.0], values[1:]]), vectors, 500))
    1
    """
    values, m = spectrum.eigenvalues, spectrum.n_features
    bound = noise_edge(np.full(m, values.sum() / max(m, 1)), len(values)).bound(_ALPHA)
    return int(np.count_nonzero(values > bound))


def largest_sine(first: Array, second: Array) -> float:
    """Sine of the largest angle between two spaces given by orthonormal columns; 1 for different dimensions."""
    if first.shape[1] != second.shape[1]:
        return 1.0
    outside = second - first @ (first.T @ second)
    return float(np.linalg.norm(outside, 2)) if outside.size else 0.0


def _penalties(spectrum: ResidualSpectrum, k: int) -> Array:
    """Noise variance over the variance of the features' coordinates along each of the k leading directions."""
    noise = spectrum.eigenvalues[k:].mean()
    out: Array = noise / np.maximum(spectrum.eigenvalues[:k] - noise, 0.1 * noise)
    return out


def _completed(
    Y: FeatureMatrix, state: _State, incomplete: NDArray[np.intp], shift: Array, usable: NDArray[np.bool_], keys: Keys
) -> CompletedMatrix:
    """Bring the fits of the incomplete features among the others."""
    coordinates = np.zeros((Y.shape[1], state.directions.shape[1]))
    noise = np.zeros(Y.shape[1])
    coordinates[incomplete], noise[incomplete] = state.coordinates, state.noise
    return CompletedMatrix(Y, state.directions, coordinates, shift, noise, usable, keys)
