"""Regression whose responses are shifted for a few observations: coefficients and shifts together.

``y = A b + g + e`` with g sparse. Thresholding g and regressing ``y - g`` in turns needs the hat matrix of A only
through its thin orthonormal basis and its diagonal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import qr

from latentadj.core.matrix import Array
from latentadj.core.robust import huber_regression, least_squares

#: Thresholds of a path go down by this much.
THRESHOLD_STEP = 0.1
#: A shift below this counts as none.
ZERO = 1e-5
#: Criteria closer than this are ties: they differ by round-off.
TIE = 1e-9
MAX_ROUNDS = 10_000


@dataclass(frozen=True, slots=True)
class ShiftFit:
    """Coefficients and shifts at one threshold.

    Attributes
    ----------
    coef : ndarray of shape (k,)
        Least squares of ``response - shift``.
    shift : ndarray of shape (m,)
    before : ndarray of shape (m,)
        The shifts one round earlier.
    threshold : float
    converged : bool
    """

    coef: Array
    shift: Array
    before: Array
    threshold: float
    converged: bool


def hard_threshold(values: Array, bounds: Array) -> Array:
    """Keep values larger than their bounds, set the others to zero."""
    return np.where(np.abs(values) > bounds, values, 0.0)


def soft_threshold(values: Array, bounds: Array) -> Array:
    """Move values towards zero by their bounds, at most to zero."""
    return np.sign(values) * np.maximum(np.abs(values) - bounds, 0.0)


THRESHOLDS: dict[str, Callable[[Array, Array], Array]] = {"hard": hard_threshold, "soft": soft_threshold}


class ShiftProblem:
    """One response and its predictors, factored once for all thresholds.

    Parameters
    ----------
    response : ndarray of shape (m,)
    predictors : ndarray of shape (m, k)
    penalty : {"hard", "soft"}
    start : ndarray of shape (k,), optional
        Robust coefficients whose residuals start the rounds; Huber's fit without them.

    Notes
    -----
    She and Owen (2011), Journal of the American Statistical Association 106:626: ``g <- threshold(H g + (I - H) y,
    lambda sqrt(1 - h))`` with H the hat matrix of the predictors and h its diagonal. Soft thresholding is Huber's
    M-estimate, hard thresholding leaves out what lies beyond the threshold.
    """

    def __init__(self, response: Array, predictors: Array, penalty: str, start: Array | None = None) -> None:
        self.response = response
        self.predictors = predictors
        self.threshold = THRESHOLDS[penalty]
        self.basis = np.asarray(qr(predictors, mode="economic")[0])
        self.leverage_scale = np.sqrt(np.maximum(1.0 - np.einsum("mk,mk->m", self.basis, self.basis), 0.0))
        self.residuals = self.outside(response)
        coef = huber_regression(response, predictors).coef if start is None else start
        self.start = response - predictors @ coef

    def outside(self, values: Array) -> Array:
        """Part of values ``(m,)`` that the predictors do not explain."""
        return values - self.basis @ (self.basis.T @ values)

    def solve(self, threshold: float, *, start: Array | None = None, tol: float = 1e-4) -> ShiftFit:
        """Alternate until no shift moves by `tol`."""
        bounds = threshold * self.leverage_scale
        shift = self.threshold(self.start, bounds) if start is None else start
        before, change, rounds = shift, np.inf, 0
        while change >= tol and rounds < MAX_ROUNDS:
            before, rounds = shift, rounds + 1
            shift = self.threshold(self.basis @ (self.basis.T @ shift) + self.residuals, bounds)
            change = float(np.max(np.abs(shift - before), initial=0.0))
        coef = least_squares(self.response - shift, self.predictors)
        return ShiftFit(coef, shift, before, threshold, change < tol)

    def criterion(self, fit: ShiftFit) -> float:
        """Modified BIC of She and Owen, their equation 4.3: shifts cost ``log(m - k) + 1`` each."""
        m, k = self.predictors.shape
        rss = float(np.sum(self.outside(self.response - fit.shift) ** 2))
        cost = (np.log(m - k) + 1.0) * (_n_shifted(fit) + 1)
        return float(((m - k) * np.log(max(rss, np.finfo(float).tiny) / (m - k)) + cost) / (m - k))

    def largest_threshold(self) -> float:
        """Return the threshold above which nothing is shifted."""
        free = self.leverage_scale > 1e-8
        scaled = np.abs(self.residuals[free]) / self.leverage_scale[free]
        return float(np.ceil(np.max(scaled, initial=0.0)))


def select_shift(problem: ShiftProblem, thresholds: Array, *, tol: float = 1e-4) -> ShiftFit:
    """Solve along decreasing thresholds and return the fit with the smallest criterion.

    Parameters
    ----------
    problem : ShiftProblem
    thresholds : ndarray of shape (n,)
        Decreasing. The path ends where more than half of the observations are shifted.
    tol : float, default=1e-4

    Returns
    -------
    ShiftFit
        Of ties, the one with the fewest shifts, then the largest threshold.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> A = rng.normal(size=(300, 1))
    >>> y = 2 * A[:, 0] + rng.normal(size=300)
    >>> y[:30] += 12
    >>> fit = select_shift(ShiftProblem(y, A, "hard"), np.arange(20, 0, -0.1))
    >>> bool(abs(fit.coef[0] - 2) < 0.2), bool(fit.shift[:30].all())
    (True, True)
    """
    fits: list[ShiftFit] = []
    for threshold in thresholds:
        fit = problem.solve(float(threshold), tol=tol)
        if fits and _n_shifted(fit) > len(problem.response) / 2:
            break
        fits.append(fit)
    criteria = np.array([problem.criterion(fit) for fit in fits])
    ties = np.flatnonzero(criteria <= criteria.min() + TIE)
    return fits[int(min(ties, key=lambda i: (_n_shifted(fits[i]), i)))]


def refined(problem: ShiftProblem, fit: ShiftFit) -> ShiftFit:
    """Go on at a fit's threshold until nothing moves any more."""
    return problem.solve(fit.threshold, start=fit.shift, tol=1e-11)


def _n_shifted(fit: ShiftFit) -> int:
    return int(np.sum(np.abs(fit.shift) > ZERO))
