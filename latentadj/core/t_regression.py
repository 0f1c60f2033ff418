"""Regression with Student errors of known relative and unknown common scale, by accelerated EM."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve, lstsq

from latentadj.core.matrix import Array

#: Longest extrapolation, in units of a plain step.
MAX_STEP = 64.0


@dataclass(frozen=True, slots=True)
class StudentRegression:
    """A fitted regression.

    Attributes
    ----------
    coef : ndarray of shape (k, p)
    inflation : float
        Common factor of the squared scales.
    weights : ndarray of shape (n,)
        Weights of the observations at the end; all 1 for normal errors.
    converged : bool
    n_iter : int
        EM steps.
    """

    coef: Array
    inflation: float
    weights: Array
    converged: bool
    n_iter: int


@dataclass(frozen=True, slots=True)
class _Problem:
    """Responses whitened over columns, predictors, both divided by the observations' scales."""

    response: Array
    predictors: Array
    df: float

    def residual_squares(self, coef: Array) -> Array:
        """Squared length of every observation's residual, ``(n,)``."""
        residual = self.response - self.predictors @ coef
        out: Array = np.einsum("np,np->n", residual, residual)
        return out

    def weights(self, squares: Array, inflation: float) -> Array:
        """E-step: expected precisions, ``(n,)``."""
        if np.isinf(self.df):
            return np.ones(len(squares))
        p = self.response.shape[1]
        out: Array = (self.df + p) / (self.df + squares / inflation)
        return out

    def step(self, state: Array) -> Array:
        """One EM step on ``(coef, log inflation)`` as a vector."""
        k, p = self.predictors.shape[1], self.response.shape[1]
        coef, inflation = state[:-1].reshape(k, p), float(np.exp(state[-1]))
        root = np.sqrt(self.weights(self.residual_squares(coef), inflation))[:, None]
        coef = lstsq(self.predictors * root, self.response * root)[0]
        squares = self.residual_squares(coef)
        updated = float(np.mean(root[:, 0] ** 2 * squares)) / p
        return np.append(coef.ravel(), np.log(max(updated, np.finfo(float).tiny)))

    def log_likelihood(self, state: Array) -> float:
        """Log-likelihood up to a constant."""
        p = self.response.shape[1]
        squares = self.residual_squares(state[:-1].reshape(-1, p))
        spread = np.log1p(squares / (self.df * np.exp(state[-1])))
        return float(-0.5 * ((self.df + p) * spread.sum() + len(squares) * p * state[-1]))


def student_regression(
    response: Array,
    predictors: Array,
    scale2: Array,
    df: float,
    *,
    spread: Array | None = None,
    tol: float = 1e-11,
    max_iter: int = 2000,
) -> StudentRegression:
    """Maximum-likelihood regression without intercept, ``response_i ~ t(df)`` with squared scale ``lambda scale2_i``.

    Parameters
    ----------
    response : ndarray of shape (n, p)
    predictors : ndarray of shape (n, k)
    scale2 : ndarray of shape (n,)
        Known relative squared scales, positive.
    df : float
        Degrees of freedom; infinite gives normal errors, in closed form.
    spread : ndarray of shape (p, p), optional
        Known covariance of an observation's columns for ``lambda scale2 = 1``; the identity by default.
    tol : float, default=1e-11
        Largest change of log lambda and of the coefficients, in units of their size, at the end.
    max_iter : int, default=2000

    Returns
    -------
    StudentRegression

    Notes
    -----
    EM with the scale mixture of normals (Lange, Little and Taylor 1989), extrapolated by SQUAREM (Varadhan and Roland
    2008, scheme S3); an extrapolation that lowers the likelihood is not used. The likelihood with lambda is that of
    Gerard and Stephens (2021), Statistica Sinica 31:1145.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> a = rng.normal(size=(2000, 1))
    >>> fit = student_regression(2 * a + rng.standard_t(4, size=(2000, 1)), a, np.full(2000, 0.5), 4.0)
    >>> fit.coef.round(1), round(fit.inflation)
    (array([[2.]]), 2)
    """
    p = response.shape[1]
    lower = np.linalg.cholesky(np.eye(p) if spread is None else spread)
    root = 1.0 / np.sqrt(scale2)[:, None]
    problem = _Problem(np.linalg.solve(lower, response.T).T * root, predictors * root, float(df))
    start = lstsq(problem.predictors, problem.response)[0]
    first = max(float(np.mean(problem.residual_squares(start))) / p, np.finfo(float).tiny)
    state, converged, n_iter = np.append(start.ravel(), np.log(first)), True, 0
    if np.isfinite(df):
        state, converged, n_iter = _accelerated(problem, state, tol, max_iter)
    coef = state[:-1].reshape(-1, p)
    inflation = float(np.exp(state[-1]))
    weights = problem.weights(problem.residual_squares(coef), inflation)
    return StudentRegression(coef @ lower.T, inflation, weights, converged, n_iter)


def _accelerated(problem: _Problem, state: Array, tol: float, max_iter: int) -> tuple[Array, bool, int]:
    n_iter, best = 0, problem.log_likelihood(state)
    while n_iter + 3 <= max_iter:
        first = problem.step(state)
        second = problem.step(first)
        n_iter += 2
        if _change(first, second) < tol:
            return second, True, n_iter
        r = first - state
        v = (second - first) - r
        length = np.linalg.norm(r) / max(float(np.linalg.norm(v)), np.finfo(float).tiny)
        a = -float(np.clip(length, 1.0, MAX_STEP))
        state = problem.step(state - 2.0 * a * r + a * a * v)
        n_iter += 1
        value = problem.log_likelihood(state)
        if not value >= best - 1e-9 * abs(best):
            state = second
            value = problem.log_likelihood(state)
        best = max(best, value)
    return state, False, n_iter


def _change(before: Array, after: Array) -> float:
    size = max(float(np.max(np.abs(after[:-1]), initial=0.0)), np.finfo(float).tiny)
    moved = float(np.max(np.abs(after[:-1] - before[:-1]), initial=0.0)) / size
    return max(moved, float(abs(after[-1] - before[-1])))


def student_bread(predictors: Array, scale2: Array, df: float) -> Array:
    """Inverse information of the coefficients ``(k, k)`` for ``lambda = 1`` and a single response.

    Parameters
    ----------
    predictors : ndarray of shape (n, k)
    scale2 : ndarray of shape (n,)
    df : float

    Returns
    -------
    ndarray of shape (k, k)
        Every observation informs with ``(df + 1) / (df + 3)`` of what it would with normal errors.
    """
    share = 1.0 if np.isinf(df) else (df + 1.0) / (df + 3.0)
    information = (predictors / scale2[:, None]).T @ predictors * share
    return np.asarray(cho_solve(cho_factor(information), np.eye(predictors.shape[1])))
