"""Newton's method for the generalised linear models of a block of features.

All features of the block take their step at once; those that have settled leave. Steps that lower the
penalised likelihood are halved, feature by feature, so that no fit can run away.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from latentadj.core.glm_families import GLMFamily
from latentadj.core.matrix import Array

#: A fit has settled when its Newton decrement per sample is below this.
TOLERANCE = 1e-14
MAX_ITER = 60
MAX_HALVINGS = 30
#: Smallest eigenvalue of the information about orthonormal columns below which an estimate has run to infinity.
LOST_INFORMATION = 1e-6
#: Largest change of a linear predictor in one step of the bias-reducing iteration, which has no line search.
MAX_CHANGE = 2.0


@dataclass(frozen=True, slots=True)
class GLMBlock:
    """Some features and what they are regressed on.

    Attributes
    ----------
    y : ndarray of shape (n_samples, width)
    columns : ndarray of shape (n_samples, d)
    offset : ndarray of shape (n_samples,)
    family : GLMFamily
    dispersion : ndarray of shape (width,)
    ridge : ndarray of shape (d,)
        Half of ``ridge * coef^2`` is added to minus the log-likelihood.
    weights : ndarray of shape (n_samples, width) or None
        Trials behind each outcome, 0 for one that is missing; None for one each.
    """

    y: Array
    columns: Array
    offset: Array
    family: GLMFamily
    dispersion: Array
    ridge: Array
    weights: Array | None = None

    def part(self, index: NDArray[np.intp]) -> GLMBlock:
        """Return the block of some of the features."""
        if len(index) == self.y.shape[1]:
            return self
        weights = None if self.weights is None else self.weights[:, index]
        return replace(self, y=self.y[:, index], dispersion=self.dispersion[index], weights=weights)

    def weighed(self, values: Array) -> Array:
        """Return values of the observations ``(n_samples, width)`` times their weights."""
        return values if self.weights is None else values * self.weights

    def score(self, mu: Array) -> Array:
        """Derivatives of the log-likelihood with respect to the linear predictors, at fitted means."""
        return self.weighed(self.family.score(self.y, mu, self.dispersion))

    def curvature(self, mu: Array) -> Array:
        """Minus the second derivatives of the log-likelihood with respect to the linear predictors."""
        return self.weighed(self.family.curvature(self.y, mu, self.dispersion))

    def expected_curvature(self, mu: Array) -> Array:
        """Expectations of the curvatures."""
        return self.weighed(self.family.weight(mu, self.dispersion))

    def predictor(self, coef: Array) -> Array:
        """Linear predictors ``(n_samples, width)`` of coefficients ``(width, d)``."""
        out: Array = self.columns @ coef.T + self.offset[:, None]
        return out

    def mean(self, coef: Array) -> Array:
        """Fitted means ``(n_samples, width)``."""
        return self.family.mean(self.predictor(coef))

    def loss(self, coef: Array) -> Array:
        """Twice minus the log-likelihood plus the penalty, up to a constant, ``(width,)``.

        Infinite or NaN where a step has gone too far.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            eta = self.predictor(coef)
            loss = self.weighed(self.family.loss(self.y, eta, self.family.mean(eta), self.dispersion))
            out: Array = loss.sum(axis=0) + coef**2 @ self.ridge
        return out

    def deviance(self, mu: Array) -> Array:
        """Deviance ``(width,)`` at fitted means."""
        with np.errstate(over="ignore", invalid="ignore"):
            out: Array = self.weighed(self.family.unit_deviance(self.y, mu, self.dispersion)).sum(axis=0)
        return out

    def information(self, weights: Array) -> Array:
        """``X' W X`` plus the penalty for weights ``(n_samples, width)``; ``(width, d, d)``."""
        d = self.columns.shape[1]
        products = np.einsum("ia,ib->iab", self.columns, self.columns).reshape(-1, d * d)
        out: Array = (weights.T @ products).reshape(-1, d, d) + np.diag(self.ridge)
        return out

    def expected_information(self, mu: Array) -> Array:
        """Expected information ``(width, d, d)`` at fitted means."""
        return self.information(self.expected_curvature(mu))

    def leverage(self, mu: Array, inverse: Array) -> Array:
        """Leverages ``(n_samples, width)`` at fitted means, given inverse informations ``(width, d, d)``."""
        d = self.columns.shape[1]
        products = np.einsum("ia,ib->iab", self.columns, self.columns).reshape(-1, d * d)
        out: Array = self.expected_curvature(mu) * (products @ inverse.reshape(-1, d * d).T)
        return out


@dataclass(frozen=True, slots=True)
class GLMBlockFit:
    """Fits of a block.

    Attributes
    ----------
    coef : ndarray of shape (width, d)
    converged : ndarray of bool, shape (width,)
    """

    coef: Array
    converged: NDArray[np.bool_]


def solve_each(matrices: Array, right: Array) -> Array:
    """Solve positive semi-definite ``(b, d, d)`` systems for right sides ``(b, d)``, kept regular by a ridge."""
    d = matrices.shape[-1]
    if d == 0:
        return np.empty_like(right)
    scale = np.maximum(np.einsum("bii->bi", matrices).max(axis=1), 1e-200)
    out: Array = np.linalg.solve(matrices + 1e-13 * scale[:, None, None] * np.eye(d), right[:, :, None])[:, :, 0]
    return out


def initial_coefficients(block: GLMBlock) -> Array:
    """Weighted least squares of each value's own linear predictor, ``(width, d)``."""
    eta = block.family.start(block.y)
    weights = block.expected_curvature(block.family.mean(eta))
    right = (weights * (eta - block.offset[:, None])).T @ block.columns
    return solve_each(block.information(weights), right)


def fit_block(
    block: GLMBlock, start: Array | None = None, *, tol: float = TOLERANCE, max_iter: int = MAX_ITER
) -> GLMBlockFit:
    """Fit every feature of a block by maximum (penalised) likelihood.

    Parameters
    ----------
    block : GLMBlock
    start : ndarray of shape (width, d), optional
    tol : float
        Bound of the Newton decrement, per sample.
    max_iter : int

    Returns
    -------
    GLMBlockFit

    Notes
    -----
    Newton steps with the observed information: near the optimum the error squares with every step, which Fisher
    scoring of a negative binomial does not do. The step that meets the bound is still taken.

    Examples
    --------
    >>> from latentadj.core.glm_families import Poisson
    >>> y = np.array([[1.0], [3.0]])
    >>> block = GLMBlock(y, np.ones((2, 1)), np.zeros(2), Poisson(), np.zeros(1), np.zeros(1))
    >>> bool(abs(fit_block(block).coef[0, 0] - np.log(2)) < 1e-12)
    True
    """
    coef = initial_coefficients(block) if start is None else start.copy()
    loss = block.loss(coef)
    lost = ~np.isfinite(loss)
    if lost.any():
        coef[lost] = 0.0
        loss = block.loss(coef)
    converged = np.zeros(len(coef), dtype=bool)
    active = np.arange(len(coef))
    for _ in range(max_iter):
        if active.size == 0:
            break
        here = block.part(active)
        step, decrement = _newton_step(here, coef[active])
        coef[active], loss[active], moved = _line_search(here, coef[active], step, loss[active])
        settled = decrement <= tol * len(block.y)
        converged[active] = settled
        active = active[~settled & moved]
    return GLMBlockFit(coef, converged)


def _newton_step(block: GLMBlock, coef: Array) -> tuple[Array, Array]:
    """Newton step ``(width, d)`` and its decrement ``(width,)``."""
    mu = block.mean(coef)
    gradient = block.score(mu).T @ block.columns - coef * block.ridge
    step = solve_each(block.information(block.curvature(mu)), gradient)
    return step, np.einsum("bd,bd->b", step, gradient)


def _line_search(block: GLMBlock, coef: Array, step: Array, loss: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Halve steps until the loss does not rise; also tell which features could move."""
    bound = loss + 1e-12 * (1.0 + np.abs(loss))
    moved, value = coef + step, block.loss(coef + step)
    length = 1.0
    worse = np.flatnonzero(~(value <= bound))
    for _ in range(MAX_HALVINGS):
        if worse.size == 0:
            break
        length *= 0.5
        moved[worse] = coef[worse] + length * step[worse]
        value[worse] = block.part(worse).loss(moved[worse])
        worse = worse[~(value[worse] <= bound[worse])]
    moved[worse], value[worse] = coef[worse], loss[worse]
    free = np.ones(len(coef), dtype=bool)
    free[worse] = False
    return moved, value, free


def has_run_to_infinity(block: GLMBlock, coef: Array) -> NDArray[np.bool_]:
    """Tell which estimates are not finite: the data are separated, or a group holds nothing but zeros.

    Parameters
    ----------
    block : GLMBlock
        Its columns orthonormal, so that the information does not depend on units.
    coef : ndarray of shape (width, d)
        Where Newton's method stopped.

    Returns
    -------
    ndarray of bool, shape (width,)

    Notes
    -----
    On the way to infinity the information along that direction falls with every step, without end; for finite
    estimates it is at least of the order of a tenth of a sample's.
    """
    if coef.shape[1] == 0:
        return np.zeros(len(coef), dtype=bool)
    information = block.expected_information(block.mean(coef))
    usable = np.asarray(np.isfinite(information).all(axis=(1, 2)))
    smallest = np.linalg.eigvalsh(np.where(usable[:, None, None], information, 0.0))[:, 0]
    out: NDArray[np.bool_] = smallest < LOST_INFORMATION
    return out


def bias_reduced_fit(block: GLMBlock, *, tol: float = 1e-18, max_iter: int = 500) -> GLMBlockFit:
    """Fit a block by the bias-reducing score equations, whose solution is finite whatever the data.

    Parameters
    ----------
    block : GLMBlock
    tol : float
        Bound of the squared step in units of the standard errors.
    max_iter : int

    Returns
    -------
    GLMBlockFit

    Notes
    -----
    Firth (1993), Biometrika 80:27; in the form of Kosmidis and Firth (2009), Biometrika 96:793: every outcome is
    moved by its leverage times the family's shift, and the usual equations are solved with those.

    Examples
    --------
    >>> from latentadj.core.glm_families import Binomial
    >>> y = np.array([[0.0], [0.0], [1.0], [1.0]])
    >>> columns = np.column_stack([[1.0, 1, 0, 0], [0, 0, 1.0, 1]])
    >>> block = GLMBlock(y, columns, np.zeros(4), Binomial(), np.zeros(1), np.zeros(2))
    >>> bias_reduced_fit(block).coef.round(6)
    array([[-1.609438,  1.609438]])
    """
    coef = np.zeros((block.y.shape[1], block.columns.shape[1]))
    coef[:] = initial_coefficients(block)
    converged = np.zeros(len(coef), dtype=bool)
    active = np.arange(len(coef))
    for _ in range(max_iter):
        if active.size == 0:
            break
        here = block.part(active)
        step, size = _bias_reducing_step(here, coef[active])
        change = np.abs(here.columns @ step.T).max(axis=0)
        coef[active] += step * np.minimum(1.0, MAX_CHANGE / np.maximum(change, 1e-300))[:, None]
        settled = size <= tol
        converged[active] = settled
        active = active[~settled]
    return GLMBlockFit(coef, converged)


def _bias_reducing_step(block: GLMBlock, coef: Array) -> tuple[Array, Array]:
    """Scoring step of the bias-reducing equations and its squared size in standard errors."""
    mu = block.mean(coef)
    information = block.expected_information(mu)
    d = information.shape[-1]
    scale = np.maximum(np.einsum("bii->bi", information).max(axis=1), 1e-200)
    inverse = np.linalg.inv(information + 1e-13 * scale[:, None, None] * np.eye(d))
    shift = block.leverage(mu, inverse) * block.family.bias_shift(mu, block.dispersion)
    if block.weights is not None:
        shift = np.divide(shift, block.weights, out=np.zeros_like(shift), where=block.weights > 0)
    gradient = replace(block, y=block.y + shift).score(mu).T @ block.columns
    step: Array = np.einsum("bac,bc->ba", inverse, gradient)
    return step, np.einsum("bd,bd->b", step, gradient)
