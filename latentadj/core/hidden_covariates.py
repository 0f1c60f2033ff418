"""Hidden covariates that are drawn towards known ones: alternating least squares on the samples' Gram matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve, eigh

from latentadj.core.matrix import Array


@dataclass(frozen=True, slots=True)
class HiddenCovariates:
    """A solution of the hidden-covariate problem.

    Attributes
    ----------
    scores : ndarray of shape (n_samples, k)
        Z of the objective.
    known_weights : ndarray of shape (n_known, k)
        U of the objective: how the known covariates predict the scores.
    objective : ndarray of shape (n_iter,)
        After every round; it never rises.
    converged : bool
    """

    scores: Array
    known_weights: Array
    objective: Array
    converged: bool


@dataclass(frozen=True)
class HiddenCovariateProblem:
    """``min |Y - Z B|^2 + prior |Z - F U|^2 + ridge_b |B|^2 + ridge_u |U|^2`` over Z, B and U.

    Parameters
    ----------
    gram : ndarray of shape (n_samples, n_samples)
        ``Y Y'``; the features enter through it only, because B is linear in Y.
    known : ndarray of shape (n_samples, n_known)
        F; may have no columns.
    prior, ridge_b, ridge_u : float
        Above 0.

    Notes
    -----
    Mostafavi, Battle, Zhu et al. (2013), PLoS ONE 8:e68141, equations 3 to 5. Without known covariates the optimum
    is that of nuclear-norm shrinkage: scores along the leading eigenvectors of ``Y Y'`` whose singular values exceed
    ``sqrt(prior ridge_b)``, of length ``(d - sqrt(prior ridge_b)) sqrt(ridge_b / prior)``.
    """

    gram: Array
    known: Array
    prior: float
    ridge_b: float
    ridge_u: float

    def solve(self, k: int, *, tol: float, max_iter: int) -> HiddenCovariates:
        """Alternate from the optimum without known covariates until the objective settles.

        Parameters
        ----------
        k : int
        tol : float
            Relative fall of the objective in a round at which it counts as settled.
        max_iter : int
        """
        scores = self.start(k)
        found: list[float] = []
        weights = self.weights_of(scores)
        converged = False
        while len(found) < max_iter and not converged:
            scores = self.scores_of(scores, weights)
            weights = self.weights_of(scores)
            found.append(self.objective(scores, weights))
            converged = len(found) > 1 and found[-2] - found[-1] <= tol * found[-1]
        return HiddenCovariates(scores, weights, np.array(found), converged)

    def start(self, k: int) -> Array:
        """Scores ``(n_samples, k)`` at the optimum without known covariates; no direction starts at nothing."""
        n = len(self.gram)
        values, vectors = eigh(self.gram, subset_by_index=(n - k, n - 1))
        singular = np.sqrt(np.maximum(values[::-1], 0.0))
        length = np.sqrt(np.maximum(singular - np.sqrt(self.prior * self.ridge_b), 0.0))
        scaled = np.maximum(length, 1e-3 * np.sqrt(singular)) * (self.ridge_b / self.prior) ** 0.25
        out: Array = vectors[:, ::-1] * scaled
        return out

    def scores_of(self, scores: Array, weights: Array) -> Array:
        """New Z, given the B that belongs to the old one, and U."""
        cross, moment = self._loadings(scores)
        right = cross + self.prior * (self.known @ weights)
        return np.asarray(cho_solve(cho_factor(moment + self.prior * np.eye(len(moment))), right.T).T)

    def weights_of(self, scores: Array) -> Array:
        """U that belongs to Z: ridge regression of the scores on the known covariates."""
        if self.known.shape[1] == 0:
            return np.empty((0, scores.shape[1]))
        moment = self.prior * self.known.T @ self.known + self.ridge_u * np.eye(self.known.shape[1])
        return np.asarray(cho_solve(cho_factor(moment), self.prior * self.known.T @ scores))

    def objective(self, scores: Array, weights: Array) -> float:
        """Value with the B that belongs to Z."""
        cross, moment = self._loadings(scores)
        fit = np.trace(self.gram) - 2.0 * np.sum(scores * cross) + np.sum((scores.T @ scores) * moment)
        apart = scores - self.known @ weights
        ridge = self.ridge_b * np.trace(moment) + self.ridge_u * np.sum(weights**2)
        return float(fit + self.prior * np.sum(apart**2) + ridge)

    def _loadings(self, scores: Array) -> tuple[Array, Array]:
        """``Y B'`` and ``B B'`` for the ridge regression B of the features on the scores."""
        moment = cho_factor(scores.T @ scores + self.ridge_b * np.eye(scores.shape[1]))
        cross = np.asarray(cho_solve(moment, (self.gram @ scores).T).T)
        return cross, np.asarray(cho_solve(moment, scores.T @ cross))
