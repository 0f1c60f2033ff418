"""The convex problem behind empirical-Bayes mixtures: proportions of known components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import nnls

from latentadj.core.matrix import Array

#: Rows of the likelihood matrix that are weighed at a time.
CHUNK = 65_536
#: Ridge of the quadratic step, relative to the largest second derivative; neighbouring components are nearly collinear.
RIDGE = 1e-12
#: A start that gives an observation a smaller share of its largest density than this is moved inside.
POOR_START = 1e-8
#: Smallest step of the line search.
MIN_STEP = 2.0**-40


@dataclass(frozen=True, slots=True)
class MixtureWeights:
    """Proportions of a mixture.

    Attributes
    ----------
    weights : ndarray of shape (M,)
        Not negative, sum 1; exact zeros outside the support.
    log_likelihood : float
        Maximum of the penalised log-likelihood of the matrix that was given.
    kkt_residual : float
        Largest violation of the optimality conditions, per observation.
    converged : bool
    n_iter : int
    """

    weights: Array
    log_likelihood: float
    kkt_residual: float
    converged: bool
    n_iter: int


def fit_mixture_weights(
    likelihood: Array,
    penalty: Array | None = None,
    *,
    start: Array | None = None,
    tol: float = 1e-11,
    max_iter: int = 200,
) -> MixtureWeights:
    """Maximise ``sum_j log(sum_k L_jk w_k) + sum_k penalty_k log w_k`` over proportions w.

    Parameters
    ----------
    likelihood : ndarray of shape (m, M)
        Not negative, each row with a positive entry. Rows may be scaled freely; it moves the maximum by a constant.
    penalty : ndarray of shape (M,), optional
        Dirichlet parameters minus one, at least 0.
    start : ndarray of shape (M,), optional
        Proportions to start from.
    tol : float, default=1e-11
        Largest violation of the optimality conditions.
    max_iter : int, default=200

    Returns
    -------
    MixtureWeights

    Notes
    -----
    Sequential quadratic programming (Kim, Carbonetto, Stephens and Anitescu 2020): with the term ``-sum w`` in place
    of the constraint ``sum w = 1`` only ``w >= 0`` is left. Each quadratic step is a
    non-negative least-squares problem in the Cholesky factor of the second derivatives, solved exactly; M is small,
    so that a step costs ``m M^2`` for those derivatives and hardly more. At the optimum the gradient per observation
    is 0 on the support and not negative elsewhere.

    Examples
    --------
    >>> L = np.array([[1.0, 0.2], [0.9, 0.1], [0.1, 1.0]])
    >>> fit_mixture_weights(L).weights.round(4)
    array([0.6797, 0.3203])
    """
    penalty = np.zeros(likelihood.shape[1]) if penalty is None else np.asarray(penalty, dtype=np.float64)
    total = likelihood.shape[0] + penalty.sum()
    if likelihood.shape[1] == 0 or total == 0:
        return MixtureWeights(np.full(likelihood.shape[1], 1.0 / max(likelihood.shape[1], 1)), 0.0, 0.0, True, 0)
    x = _start(likelihood, penalty, start)
    objective = _objective(likelihood, penalty, x)
    for n_iter in range(1, max_iter + 1):  # noqa: B007
        gradient, hessian = _derivatives(likelihood, penalty, x, total)
        residual = _violation(x, gradient)
        if residual <= tol:
            break
        step = _quadratic_step(x, gradient, hessian)
        x, objective, moved = _line_search(likelihood, penalty, x, step, gradient, objective, total)
        if not moved:
            break
    residual = _violation(x, _derivatives(likelihood, penalty, x, total)[0])
    return MixtureWeights(x / x.sum(), -objective * total + total, residual, residual <= max(tol, 1e-9), n_iter)


def _start(likelihood: Array, penalty: Array, start: Array | None) -> Array:
    """Given proportions, brought inside where they leave an observation or a penalised component without weight."""
    even = np.full(likelihood.shape[1], 1.0 / likelihood.shape[1])
    if start is None or start.sum() <= 0:
        return even
    x: Array = start / start.sum()
    poor = np.any(x[penalty > 0] <= 0) or np.min(likelihood @ x, initial=1.0) < POOR_START
    return 0.9 * x + 0.1 * even if poor else x


def _objective(likelihood: Array, penalty: Array, x: Array) -> float:
    mixed = likelihood @ x
    held = penalty > 0
    if np.any(mixed <= 0) or np.any(x[held] <= 0):
        return np.inf
    total = likelihood.shape[0] + penalty.sum()
    return float(x.sum() - (np.log(mixed).sum() + penalty[held] @ np.log(x[held])) / total)


def _derivatives(likelihood: Array, penalty: Array, x: Array, total: float) -> tuple[Array, Array]:
    size = x.size
    first, second = np.zeros(size), np.zeros((size, size))
    for begin in range(0, likelihood.shape[0], CHUNK):
        rows = likelihood[begin : begin + CHUNK]
        relative = rows / (rows @ x)[:, None]
        first += relative.sum(axis=0)
        second += relative.T @ relative
    held = penalty > 0
    first[held] += penalty[held] / x[held]
    second[held, held] += penalty[held] / x[held] ** 2
    return 1.0 - first / total, second / total


def _violation(x: Array, gradient: Array) -> float:
    return float(max(np.max(-gradient), np.max(x * np.abs(gradient)), 0.0))


def _quadratic_step(x: Array, gradient: Array, hessian: Array) -> Array:
    """Step p that minimises ``p' g + p' (H + ridge) p / 2`` with ``x + p >= 0``."""
    ridged = hessian + RIDGE * np.max(np.diag(hessian)) * np.eye(x.size)
    root = cholesky(ridged)
    target = solve_triangular(root, ridged @ x - gradient, trans="T")
    goal, _ = nnls(root, target, maxiter=50 * x.size)
    return np.asarray(goal - x)


def _line_search(
    likelihood: Array, penalty: Array, x: Array, step: Array, gradient: Array, objective: float, total: float
) -> tuple[Array, float, bool]:
    slope, length = float(gradient @ step), 1.0
    allowance = 4.0 * np.finfo(float).eps * max(abs(objective), 1.0)
    while length >= MIN_STEP:
        trial = np.maximum(x + length * step, 0.0)
        value = _objective(likelihood, penalty, trial)
        if value <= objective + 0.01 * length * min(slope, 0.0) + allowance:
            return trial, value, bool(np.any(trial != x))
        length *= 0.5
    return x, objective, False
