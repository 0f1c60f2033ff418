"""Least trimmed squares across features: the half that agrees best decides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import norm

from latentadj.core.matrix import Array
from latentadj.core.robust import huber_regression, least_squares, weighted_step

#: Concentration steps every start gets, and starts that go on until they settle.
FIRST_STEPS, FINALISTS = 2, 10
#: Observations that the random starts are tried on; with more of them a random part is used.
TRIAL_SIZE = 1500
MAX_STEPS = 200


@dataclass(frozen=True, slots=True)
class TrimmedFit:
    """A least-trimmed-squares fit.

    Attributes
    ----------
    coef : ndarray of shape (k,)
    objective : float
        Sum of the smallest squared residuals.
    kept : ndarray of bool, shape (m,)
        The observations that it is the sum over.
    scale : float
        Residual standard deviation, consistent at the normal distribution.
    """

    coef: Array
    objective: float
    kept: NDArray[np.bool_]
    scale: float


def trimmed_regression(
    response: Array,
    predictors: Array,
    *,
    n_starts: int = 500,
    rng: np.random.Generator | None = None,
    n_kept: int | None = None,
) -> TrimmedFit:
    """Coefficients that minimise the sum of the smaller half of the squared residuals; no intercept.

    Parameters
    ----------
    response : ndarray of shape (m,)
    predictors : ndarray of shape (m, k)
    n_starts : int, default=500
        Random starts, each the exact fit of k observations. They come on top of three that are not random: least
        squares, Huber's fit and least absolute deviations. With 0 the answer is deterministic and does not
        depend on the order of the observations.
    rng : numpy.random.Generator, optional
        Needed for random starts.
    n_kept : int, optional
        Observations in the sum; ``(m + k + 1) // 2`` by default, which withstands the largest share of outliers.

    Returns
    -------
    TrimmedFit

    Raises
    ------
    ValueError
        Random starts without a generator.

    Notes
    -----
    Rousseeuw and Van Driessen (2006): a concentration step fits least squares to the observations with the
    smallest residuals, which cannot raise the objective. All starts get two steps, the ten best go on until the
    objective settles. With more than 1500 observations random starts are made and tried on a random part.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> A = rng.normal(size=(300, 2))
    >>> y = A @ [1.0, -2.0] + 0.1 * rng.normal(size=300)
    >>> y[:120] += 30 * A[:120, 0]
    >>> trimmed_regression(y, A, rng=rng).coef.round(1)
    array([ 1., -2.])
    """
    m, k = predictors.shape
    n_kept = (m + k + 1) // 2 if n_kept is None else n_kept
    if k == 0 or m <= k + 1:
        return _described(response, predictors, least_squares(response, predictors), max(m, 1))
    starts = _fixed_starts(response, predictors)
    if n_starts:
        if rng is None:
            raise ValueError("Random starts need a generator: give rng=, or n_starts=0.")
        starts = np.vstack([starts, _random_starts(response, predictors, n_starts, rng)])
    objective, coefs = _concentrated(response, predictors, starts, n_kept, FIRST_STEPS)
    best = np.argsort(objective, kind="stable")[:FINALISTS]
    objective, coefs = _concentrated(response, predictors, coefs[best], n_kept, MAX_STEPS)
    return _described(response, predictors, coefs[int(np.argmin(objective))], n_kept)


def _fixed_starts(response: Array, predictors: Array) -> Array:
    fits = [least_squares(response, predictors), huber_regression(response, predictors).coef]
    absolute = fits[1]
    for _ in range(50):
        residuals = response - predictors @ absolute
        size = max(float(np.median(np.abs(residuals))), np.finfo(float).tiny)
        weights = 1.0 / np.maximum(np.abs(residuals) / size, 1e-6)
        absolute = absolute + weighted_step(residuals, predictors, weights)
    return np.array([*fits, absolute])


def _random_starts(response: Array, predictors: Array, n_starts: int, rng: np.random.Generator) -> Array:
    """Coefficients ``(FINALISTS, k)``: exact fits of k random observations, the best after some concentration."""
    m, k = predictors.shape
    if m > TRIAL_SIZE:
        part = np.sort(rng.choice(m, TRIAL_SIZE, replace=False))
        response, predictors, m = response[part], predictors[part], TRIAL_SIZE
    chosen = np.argpartition(rng.random((n_starts, m)), k - 1, axis=1)[:, :k]
    square = predictors[chosen]
    coefs = np.einsum("skj,sj->sk", np.linalg.pinv(square), response[chosen])
    objective, coefs = _concentrated(response, predictors, coefs, (m + k + 1) // 2, FIRST_STEPS)
    best = np.argsort(objective, kind="stable")[:FINALISTS]
    out: Array = coefs[best]
    return out


def _concentrated(response: Array, predictors: Array, coefs: Array, n_kept: int, max_steps: int) -> tuple[Array, Array]:
    """Objectives ``(s,)`` and coefficients ``(s, k)`` after at most so many concentration steps of every start."""
    m, k = predictors.shape
    products = (predictors[:, :, None] * predictors[:, None, :]).reshape(m, k * k)
    moments = predictors * response[:, None]
    objective = np.full(len(coefs), np.inf)
    for _ in range(max_steps + 1):
        squares = (response[:, None] - predictors @ coefs.T) ** 2
        kept = np.zeros(squares.shape)
        smallest = np.argpartition(squares, n_kept - 1, axis=0)[:n_kept]
        np.put_along_axis(kept, smallest, 1.0, axis=0)
        updated = np.einsum("ms,ms->s", squares, kept)
        if np.all(updated >= objective * (1.0 - 1e-14)):
            break
        objective = updated
        normal = (products.T @ kept).T.reshape(-1, k, k)
        right = (moments.T @ kept).T
        coefs = np.einsum("skj,sj->sk", np.linalg.pinv(normal, hermitian=True), right)
    return objective, coefs


def _described(response: Array, predictors: Array, coef: Array, n_kept: int) -> TrimmedFit:
    squares = (response - predictors @ coef) ** 2
    kept = np.zeros(len(response), dtype=bool)
    kept[np.argpartition(squares, min(n_kept, len(squares)) - 1)[:n_kept]] = True
    objective = float(squares[kept].sum())
    share = min(n_kept / len(response), 1.0)
    edge = float(ndtri((1.0 + share) / 2.0)) if share < 1.0 else np.inf
    tail = 0.0 if share == 1.0 else 2.0 * edge * float(norm.pdf(edge)) / share
    return TrimmedFit(coef, objective, kept, float(np.sqrt(objective / max(n_kept, 1) / (1.0 - tail))))
