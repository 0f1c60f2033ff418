"""Bayesian factor analysis by mean-field variational inference, with automatic relevance determination.

The model is ``Y = X W' + E`` with scores ``x_i ~ N(0, I)``, weights ``w_jk ~ N(0, 1 / alpha_k)`` and noise
precisions ``tau_j``; ``alpha`` and ``tau`` have gamma priors. Known columns with a flat prior have been integrated out:
the data are then those of their orthogonal complement, and so are the scores.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh, inv
from scipy.special import digamma, gammaln

from latentadj.core.kernels import ProjectionKernel, ScoreKernel
from latentadj.core.matrix import Array, FeatureMatrix
from latentadj.core.passes import run_pass

LOG_2PI = float(np.log(2.0 * np.pi))


@dataclass(frozen=True, slots=True)
class GammaPrior:
    """Gamma distribution by shape and rate."""

    shape: float
    rate: float


@dataclass(frozen=True)
class FactorData:
    """Scaled features in the coordinates that known columns leave.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
    complement : ndarray of shape (n_samples, nu)
        Orthonormal basis of what the known columns leave.
    mean : ndarray of shape (n_features,)
        Feature means, taken off for the digits where the constant is a known column.
    scale : ndarray of shape (n_features,)
        Factor of each feature; 0 leaves it out.
    squares : ndarray of shape (n_features,)
        Sums of squares of the scaled features in these coordinates.
    """

    Y: FeatureMatrix
    complement: Array
    mean: Array
    scale: Array
    squares: Array

    @property
    def used(self) -> Array:
        """1.0 for features that count, 0.0 for others, shape (n_features,)."""
        return (self.scale > 0).astype(np.float64)

    def cross(self, scores: Array) -> Array:
        """Products ``(n_features, k)`` with scores ``(nu, k)``; one pass."""
        kernel = ProjectionKernel(self.complement @ scores, self.Y.shape[1])
        out: Array = run_pass(self.Y, kernel)[0] * self.scale[:, None]
        return out

    def sums(self, coefficients: Array) -> Array:
        """Sums ``(nu, k)`` over the features with coefficients ``(n_features, k)``; one pass."""
        kernel = ScoreKernel(self.Y.shape[0], coefficients * self.scale[:, None], offset=self.mean)
        out: Array = self.complement.T @ run_pass(self.Y, kernel)[0]
        return out


@dataclass(frozen=True, slots=True)
class WeightPosterior:
    """Normal posteriors of all features' weights, with covariances that share their eigenvectors.

    Attributes
    ----------
    mean : ndarray of shape (n_features, k)
    axes : ndarray of shape (k, k)
        The covariance of feature j is ``axes diag(spread[j]) axes'``.
    spread : ndarray of shape (n_features, k)
    log_det : ndarray of shape (n_features,)
        Log determinants of the covariances.
    """

    mean: Array
    axes: Array
    spread: Array
    log_det: Array

    def moment(self, weights: Array) -> Array:
        """Return ``sum_j weights_j E[w_j w_j']``, shape (k, k)."""
        spread = (self.axes * (weights @ self.spread)) @ self.axes.T
        out: Array = (self.mean * weights[:, None]).T @ self.mean + spread
        return out


@dataclass(frozen=True, slots=True)
class VariationalState:
    """Posteriors after a sweep.

    Attributes
    ----------
    scores : ndarray of shape (nu, k)
        Posterior means.
    score_covariance : ndarray of shape (k, k)
        The same for every sample.
    weights : WeightPosterior
    relevance_rate : ndarray of shape (k,)
        Rates of the gamma posteriors of ``alpha``; their shape is the same for all.
    noise_rate : ndarray of shape (n_features,)
        Rates of the gamma posteriors of ``tau``.
    """

    scores: Array
    score_covariance: Array
    weights: WeightPosterior
    relevance_rate: Array
    noise_rate: Array


@dataclass(frozen=True, slots=True)
class VariationalFit:
    """A finished variational factor analysis.

    Attributes
    ----------
    scores : ndarray of shape (nu, k)
        Posterior means of the scores.
    weights : ndarray of shape (n_features, k)
        Posterior means of the weights, in scaled units.
    relevance : ndarray of shape (k,)
        Posterior means of ``alpha``, the precisions of the weights; large for a factor that is switched off.
    noise : ndarray of shape (n_features,)
        Inverse posterior mean noise precisions, in scaled units.
    bound : ndarray of shape (n_iter,)
        Lower bound of the log evidence after every sweep; it never falls.
    converged : bool
    """

    scores: Array
    weights: Array
    relevance: Array
    noise: Array
    bound: Array
    converged: bool


class VariationalModel:
    """The updates of one data set and one pair of priors.

    Parameters
    ----------
    data : FactorData
    relevance : GammaPrior
        Of the precisions of the weights.
    noise : GammaPrior
        Of the features' noise precisions.

    Notes
    -----
    Stegle, Parts, Durbin and Winn (2010), PLoS Computational Biology 6:e1000770, in the general form of Bishop
    (1999). With ``E[X'X] = M`` and ``A = diag(E alpha)``, the covariance of feature j's weights is
    ``(A + tau_j M)^-1``; one eigendecomposition of ``A^-1/2 M A^-1/2`` gives it for all features at once.
    """

    def __init__(self, data: FactorData, relevance: GammaPrior, noise: GammaPrior) -> None:
        self.data, self.relevance, self.noise = data, relevance, noise
        self.nu = data.complement.shape[1]
        self.used = data.used
        self.relevance_shape = relevance.shape + 0.5 * float(self.used.sum())
        self.noise_shape = noise.shape + 0.5 * self.nu

    def start(self, scores: Array, noise: Array) -> VariationalState:
        """State before the first sweep from scores ``(nu, k)`` of unit variance and noise variances."""
        k = scores.shape[1]
        weights = self.update_weights(
            scores, np.zeros((k, k)), self.data.cross(scores), np.full(k, 1e-3), 1.0 / np.maximum(noise, 1e-3)
        )
        rate = self.update_relevance(weights)
        return VariationalState(scores, np.zeros((k, k)), weights, rate, self.noise_shape * np.maximum(noise, 1e-3))

    def sweep(self, state: VariationalState, cross: Array) -> tuple[VariationalState, Array]:
        """Update weights, relevances, scores and noise in turn; `cross` belongs to the state's scores."""
        tau = self.noise_shape / state.noise_rate
        alpha = self.relevance_shape / state.relevance_rate
        weights = self.update_weights(state.scores, state.score_covariance, cross, alpha, tau)
        relevance_rate = self.update_relevance(weights)
        scores, covariance = self.update_scores(weights, tau)
        cross = self.data.cross(scores)
        noise_rate = self.noise.rate + 0.5 * self.expected_squares(weights, scores, covariance, cross)
        return VariationalState(scores, covariance, weights, relevance_rate, noise_rate), cross

    def update_weights(
        self, scores: Array, covariance: Array, cross: Array, alpha: Array, tau: Array
    ) -> WeightPosterior:
        """Posteriors of the weights given moments of the scores, ``(k,)`` relevances and noise precisions."""
        root = 1.0 / np.sqrt(alpha)
        values, vectors = eigh(root[:, None] * self._moment(scores, covariance) * root)
        axes = root[:, None] * vectors
        spread = 1.0 / (1.0 + np.outer(tau, np.maximum(values, 0.0)))
        mean = ((cross * tau[:, None]) @ axes * spread) @ axes.T
        return WeightPosterior(mean, axes, spread, np.log(spread).sum(axis=1) - np.log(alpha).sum())

    def update_relevance(self, weights: WeightPosterior) -> Array:
        """Rates ``(k,)`` of the posteriors of the relevances."""
        return self.relevance.rate + 0.5 * np.diag(weights.moment(self.used))

    def update_scores(self, weights: WeightPosterior, tau: Array) -> tuple[Array, Array]:
        """Posterior means ``(nu, k)`` and common covariance ``(k, k)`` of the scores."""
        precision = tau * self.used
        covariance = np.asarray(inv(np.eye(weights.mean.shape[1]) + weights.moment(precision)))
        return self.data.sums(weights.mean * precision[:, None]) @ covariance, covariance

    def expected_squares(self, weights: WeightPosterior, scores: Array, covariance: Array, cross: Array) -> Array:
        """Expected residual sum of squares of every feature."""
        moment = self._moment(scores, covariance)
        fitted = np.einsum("jk,jk->j", weights.mean, 2.0 * cross - weights.mean @ moment)
        spread = weights.spread @ np.einsum("ab,ac,bc->c", moment, weights.axes, weights.axes, optimize=True)
        out: Array = np.maximum(self.data.squares - fitted + spread, 0.0)
        return out

    def bound(self, state: VariationalState) -> float:
        """Lower bound of the log evidence of the used features, right after a sweep."""
        k = len(state.relevance_rate)
        tau = self.noise_shape / state.noise_rate
        left = 2.0 * (state.noise_rate - self.noise.rate)
        log_tau = digamma(self.noise_shape) - np.log(state.noise_rate)
        data = 0.5 * self.nu * (log_tau - LOG_2PI) - 0.5 * tau * left
        noise = data - _gamma_divergence(self.noise_shape, state.noise_rate, self.noise)
        alpha = self.relevance_shape / state.relevance_rate
        log_alpha = digamma(self.relevance_shape) - np.log(state.relevance_rate)
        squares = 2.0 * (state.relevance_rate - self.relevance.rate)
        weights = 0.5 * (log_alpha.sum() + k + state.weights.log_det) @ self.used - 0.5 * float(alpha @ squares)
        relevance = -_gamma_divergence(self.relevance_shape, state.relevance_rate, self.relevance).sum()
        trace = np.trace(self._moment(state.scores, state.score_covariance))
        scores = 0.5 * (self.nu * (np.linalg.slogdet(state.score_covariance)[1] + k) - trace)
        return float(noise @ self.used + weights + relevance + scores)

    def _moment(self, scores: Array, covariance: Array) -> Array:
        out: Array = scores.T @ scores + self.nu * covariance
        return out


def variational_factors(
    model: VariationalModel, scores: Array, noise: Array, *, tol: float, max_iter: int
) -> VariationalFit:
    """Sweep until the bound settles.

    Parameters
    ----------
    model : VariationalModel
    scores : ndarray of shape (nu, k)
        Start with unit variance, principal components for instance.
    noise : ndarray of shape (n_features,)
        Noise variances to start from, in scaled units.
    tol : float
        Change of the bound per value of the data at which it counts as settled.
    max_iter : int

    Returns
    -------
    VariationalFit
    """
    state = model.start(scores, noise)
    cross = model.data.cross(state.scores)
    size = max(float(model.used.sum()) * model.nu, 1.0)
    bounds: list[float] = []
    converged = False
    while len(bounds) < max_iter and not converged:
        state, cross = model.sweep(state, cross)
        bounds.append(model.bound(state))
        converged = len(bounds) > 1 and bounds[-1] - bounds[-2] < tol * size
    return VariationalFit(
        state.scores,
        state.weights.mean * model.used[:, None],
        model.relevance_shape / state.relevance_rate,
        state.noise_rate / model.noise_shape,
        np.array(bounds),
        converged,
    )


def _gamma_divergence(shape: float, rate: Array, prior: GammaPrior) -> Array:
    """Kullback-Leibler divergence of gamma distributions with one shape and several rates from the prior."""
    out: Array = (
        (shape - prior.shape) * digamma(shape)
        - gammaln(shape)
        + gammaln(prior.shape)
        + prior.shape * (np.log(rate) - np.log(prior.rate))
        + shape * (prior.rate - rate) / rate
    )
    return out
