r"""Effects with a mixture prior, seen through hidden confounding: the likelihood behind MOUTHWASH and BACKWASH.

.. math:: \hat b_j = b_j + a_j' z + e_j, \quad b_j \sim g = \sum_l \pi_l g_l, \quad e_j \sim N(0, \xi s_j^2)

with known loadings :math:`a_j` and variances :math:`s_j^2`. The proportions are a convex problem for given z and
:math:`\xi` and are solved exactly; what is left is smooth in ``k + 1`` numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import minimize

from latentadj.core.matrix import Array
from latentadj.core.mixture_prior import MixturePrior, component_slopes, log_component_densities, scaled_likelihood
from latentadj.core.mixture_weights import fit_mixture_weights

#: The variance inflation stays between this and its inverse: beyond, effects and noise can no longer be told apart.
MAX_INFLATION = 10.0
#: Components with less weight do not enter derivatives.
LEAST_WEIGHT = 1e-14
#: Step of the difference quotients of the score, in standard errors.
DIFFERENCE = 1e-3

#: Value and gradient of something added to the log-likelihood, from z ``(k,)`` and the log inflation.
ExtraTerm = Callable[[Array, float], tuple[float, Array]]


@dataclass(frozen=True)
class ConfoundedEffects:
    """Data of one primary column.

    Attributes
    ----------
    effects : ndarray of shape (m,)
        Naive effects.
    loadings : ndarray of shape (m, k)
    std_error : ndarray of shape (m,)
        Standard errors of the naive effects, positive.
    components : MixturePrior
        Grid of the prior; its weights are not used.
    penalty : ndarray of shape (M,)
        Dirichlet parameters minus one.
    df : float
        Degrees of freedom of the errors; infinite for normal ones.
    max_inflation : float
        The variance inflation is estimated between this and its inverse; 1 fixes it at 1.
    """

    effects: Array
    loadings: Array
    std_error: Array
    components: MixturePrior
    penalty: Array
    df: float = np.inf
    max_inflation: float = MAX_INFLATION


@dataclass(frozen=True, slots=True)
class ProfilePoint:
    """The likelihood at some z and inflation, with the best proportions for them.

    Attributes
    ----------
    value : float
        Penalised log-likelihood.
    gradient : ndarray of shape (k + 1,)
        With respect to z and the log inflation.
    weights : ndarray of shape (M,)
    score : ndarray of shape (m,)
        ``-f'/f`` of each feature's residual: what it contributes to the gradient per unit of loading.
    information : ndarray of shape (m,)
        Derivative of `score` with respect to the residual.
    """

    value: float
    gradient: Array
    weights: Array
    score: Array
    information: Array


@dataclass(frozen=True, slots=True)
class ConfoundingFit:
    """Maximum of the likelihood.

    Attributes
    ----------
    z : ndarray of shape (k,)
    log_inflation : float
    point : ProfilePoint
    objective : float
        The penalised log-likelihood with the extra term, if any.
    converged : bool
    n_iter : int
        Evaluations of the profile likelihood.
    """

    z: Array
    log_inflation: float
    point: ProfilePoint
    objective: float
    converged: bool
    n_iter: int

    @property
    def inflation(self) -> float:
        """Factor on the variances."""
        return float(np.exp(self.log_inflation))


def profile(data: ConfoundedEffects, z: Array, log_inflation: float, start: Array | None = None) -> ProfilePoint:
    """Maximise over the proportions for given z and inflation.

    Parameters
    ----------
    data : ConfoundedEffects
    z : ndarray of shape (k,)
    log_inflation : float
    start : ndarray of shape (M,), optional
        Proportions to start from.

    Returns
    -------
    ProfilePoint

    Notes
    -----
    The likelihood of Gerard and Stephens (2020), Biostatistics 21:15. By the envelope theorem the gradient of the
    maximum is the gradient with the proportions held.
    """
    residual, df = data.effects - data.loadings @ z, np.asarray(data.df)
    scale = data.std_error * np.exp(0.5 * log_inflation)
    log_densities = log_component_densities(data.components, residual, scale, df)
    likelihood, log_scale = scaled_likelihood(log_densities)
    fit = fit_mixture_weights(likelihood, data.penalty, start=start)
    held = fit.weights > LEAST_WEIGHT
    active = data.components.with_weights(fit.weights).support(LEAST_WEIGHT)
    share = likelihood[:, held] * fit.weights[held]
    share /= share.sum(axis=1, keepdims=True)
    first, second, by_scale = component_slopes(active, residual, scale, df, log_densities[:, held])
    score = -np.sum(share * first, axis=1)
    information = score**2 - np.sum(share * second, axis=1)
    gradient = np.append(data.loadings.T @ score, 0.5 * np.sum(share * by_scale))
    return ProfilePoint(fit.log_likelihood + float(log_scale.sum()), gradient, fit.weights, score, information)


class _Objective:
    """Minus the likelihood as a function of theta: z from an origin and the log inflation, both in standard errors."""

    def __init__(self, data: ConfoundedEffects, origin: Array, extra: ExtraTerm | None) -> None:
        self.data, self.origin, self.extra = data, origin, extra
        self.units, self.inflation_unit = _units(data), np.sqrt(0.5 * max(data.effects.size, 1))
        self.limit = float(np.log(data.max_inflation) * self.inflation_unit)
        self.weights: Array | None = None
        self.n_calls = 0

    def split(self, theta: Array) -> tuple[Array, float]:
        return self.origin + self.units @ theta[:-1], float(theta[-1] / self.inflation_unit)

    def at(self, theta: Array) -> tuple[float, Array, ProfilePoint]:
        z, log_inflation = self.split(theta)
        point = profile(self.data, z, log_inflation, self.weights)
        self.weights, self.n_calls = point.weights, self.n_calls + 1
        value, gradient = point.value, point.gradient
        if self.extra is not None:
            more, slope = self.extra(z, log_inflation)
            value, gradient = value + more, gradient + slope
        return -value, -np.append(self.units.T @ gradient[:-1], gradient[-1] / self.inflation_unit), point

    def value_and_gradient(self, theta: Array) -> tuple[float, Array]:
        return self.at(theta)[:2]

    def gradient(self, theta: Array) -> Array:
        return self.at(theta)[1]


def maximise(data: ConfoundedEffects, starts: list[Array], extra: ExtraTerm | None = None) -> ConfoundingFit:
    """Maximise the likelihood over z, the inflation and the proportions.

    Parameters
    ----------
    data : ConfoundedEffects
    starts : list of ndarray of shape (k,)
        Starts of z, at least one. The likelihood may have several maxima: the highest that is found is kept, of equal
        ones that of the earlier start.
    extra : callable, optional
        Value and gradient of a further term, as BACKWASH has.

    Returns
    -------
    ConfoundingFit

    Notes
    -----
    L-BFGS-B on the profile likelihood in units of standard errors, then Newton steps whose matrix comes from difference
    quotients of the score, until a step is below 1e-9 standard errors.

    Examples
    --------
    >>> from latentadj.core.mixture_prior import mixture_components
    >>> rng = np.random.default_rng(0)
    >>> A = rng.normal(size=(500, 1))
    >>> b = A[:, 0] * 2.0 + rng.normal(size=500) * 0.1 + np.where(np.arange(500) < 50, 3.0, 0.0)
    >>> grid = mixture_components("normal", np.array([1.0, 4.0]))
    >>> data = ConfoundedEffects(b, A, np.full(500, 0.1), grid, np.zeros(3))
    >>> maximise(data, [np.zeros(1)]).z.round(1)
    array([2.])
    """
    climbs = [_climb(_Objective(data, start, extra)) for start in starts]
    lowest = min(value for _, _, value in climbs)
    objective, theta, _ = next(c for c in climbs if c[2] <= lowest + 1e-7 * max(abs(lowest), 1.0))
    theta, settled = _polished(objective.gradient, theta, objective.limit)
    value, _, point = objective.at(theta)
    z, log_inflation = objective.split(theta)
    return ConfoundingFit(z, log_inflation, point, -value, settled, sum(c[0].n_calls for c in climbs))


def _climb(objective: _Objective) -> tuple[_Objective, Array, float]:
    k = objective.origin.size
    found = minimize(
        objective.value_and_gradient,
        np.zeros(k + 1),
        jac=True,
        method="L-BFGS-B",
        bounds=[(None, None)] * k + [(-objective.limit, objective.limit)],
        options={"maxiter": 500, "ftol": 1e-13, "gtol": 1e-4, "maxcor": 30},
    )
    return objective, np.asarray(found.x), float(found.fun)


def link_covariance(points: list[ProfilePoint], loadings: Array) -> Array:
    """Sampling covariance of the estimates of z of several columns.

    Parameters
    ----------
    points : list of ProfilePoint, length p
    loadings : ndarray of shape (m, k)

    Returns
    -------
    ndarray of shape (p, k, p, k)

    Notes
    -----
    ``H_i^-1 [sum_j u_ij u_lj a_j a_j'] H_l^-1`` with u the scores and ``H = sum_j u'_j a_j a_j'`` the observed
    information: the sandwich form, right also where the mixture is not. Proportions and inflation may be held fixed:
    under loadings that know nothing of the effects their part of the information is orthogonal to z's, because one is
    even and the other odd in the residual.
    """
    p, k = len(points), loadings.shape[1]
    breads = [np.linalg.inv(_positive((loadings * point.information[:, None]).T @ loadings)) for point in points]
    out = np.zeros((p, k, p, k))
    for i, first in enumerate(points):
        for j, second in enumerate(points):
            meat = (loadings * (first.score * second.score)[:, None]).T @ loadings
            out[i, :, j, :] = breads[i] @ meat @ breads[j]
    return out


def _positive(matrix: Array) -> Array:
    """Symmetric matrix with its eigenvalues kept above a thousandth of the largest."""
    values, vectors = np.linalg.eigh(0.5 * (matrix + matrix.T))
    floor = max(1e-3 * float(np.max(np.abs(values), initial=0.0)), np.finfo(float).tiny)
    return np.asarray((vectors * np.maximum(values, floor)) @ vectors.T)


def _units(data: ConfoundedEffects) -> Array:
    """Matrix ``(k, k)`` that turns standard errors under the null into z."""
    if data.loadings.shape[1] == 0:
        return np.empty((0, 0))
    weighted = data.loadings / data.std_error[:, None]
    information = _positive(weighted.T @ weighted)
    return np.asarray(solve_triangular(cholesky(information), np.eye(len(information))))


def _polished(gradient: Callable[[Array], Array], theta: Array, limit: float) -> tuple[Array, bool]:
    """Newton steps on the score; coordinates at their bound stay there."""
    free = np.ones(theta.size, dtype=bool)
    free[-1] = abs(theta[-1]) < limit * (1.0 - 1e-9)
    positions = np.flatnonzero(free)
    if positions.size == 0:
        return theta, True
    curvature = np.empty((positions.size, positions.size))
    for row, i in enumerate(positions):
        step = np.zeros(theta.size)
        step[i] = DIFFERENCE
        curvature[row] = (gradient(theta + step) - gradient(theta - step))[free] / (2.0 * DIFFERENCE)
    curvature = 0.5 * (curvature + curvature.T)
    if np.linalg.eigvalsh(curvature)[0] <= 0:
        return theta, False
    for _ in range(10):
        move = np.linalg.solve(curvature, gradient(theta)[free])
        if np.max(np.abs(move)) > 1.0:
            return theta, False
        theta = theta.copy()
        theta[free] -= move
        theta[-1] = np.clip(theta[-1], -limit, limit)
        if np.max(np.abs(move)) < 1e-9:
            return theta, True
    return theta, False
