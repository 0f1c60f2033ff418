"""LEAPP with the choices of the R package, for comparing numbers.

What differs from the default: noise standard deviations about the mean over rotated samples, started at one and
stopped after at most eleven rounds; thresholds in units of the noise, on a grid that steps by 0.1 from the largest
residual; coefficients one round behind the shifts; p-values of residuals over their median absolute deviation, held
against the normal distribution and without the error of the link.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import qr

from latentadj.core.expectation_maximization import SumOfSquaresKernel
from latentadj.core.kernels import GramKernel, ProjectionKernel
from latentadj.core.matrix import Array, RotatedMatrix
from latentadj.core.passes import run_pass
from latentadj.core.robust import LOSSES, least_squares, m_regression
from latentadj.core.sparse_shift import THRESHOLD_STEP, ShiftProblem, select_shift
from latentadj.core.spectrum import top_eigenvectors
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import FactorEstimate, LinkEstimate, Subtraction

MAX_ROUNDS, TOLERANCE = 11, 1e-4
#: R's constant for the median absolute deviation.
R_MAD = 1.4826


@dataclass(frozen=True)
class AlternatedComponents:
    """The package's factor model of the rotated data.

    Attributes
    ----------
    directions : ndarray of shape (n_samples, k)
        Orthonormal, orthogonal to the design.
    loadings : ndarray of shape (n_features, k)
        In units of the noise standard deviations of the round before.
    noise : ndarray of shape (n_features,)
        Noise standard deviations.
    converged : bool
    n_iter : int
    """

    directions: Array
    loadings: Array
    noise: Array
    converged: bool
    n_iter: int


def reference_estimate(problem: AdjustmentProblem, k: int, penalty: str) -> FactorEstimate:
    """Return the R package's factors, its effects as residuals, and its sparse effects.

    Parameters
    ----------
    problem : AdjustmentProblem
        With one primary column.
    k : int
    penalty : {"hard", "soft", "ridge"}

    Returns
    -------
    FactorEstimate
        The subtracted effects are residuals (what the loadings leave, sparse effect included) per unit of the
        primary column; the link's ``sparse_effects`` are in the package's units, where the column has length one.
    """
    direction = problem.primary_residual[:, 0]
    length = 1.0 / np.sqrt(problem.primary_unscaled[0, 0])
    scale = _package_length(problem)
    model = alternated_components(problem, k)
    response = problem.naive_effects[:, 0] * scale
    used = model.noise > 0
    noise = model.noise[used]
    coef, shift, size = _regress(response[used] / noise, model.loadings[used], penalty)
    effects = np.zeros((problem.n_features, 1))
    effects[used, 0] = shift * noise
    omega = coef[None, :] / scale
    sigma2 = (size * model.noise) ** 2
    return FactorEstimate(
        scores=model.directions * length + np.outer(direction, omega[0]),
        loadings=model.loadings * model.noise[:, None],
        link=LinkEstimate(omega, np.zeros((1, k, 1, k)), sparse_effects=effects),
        subtraction=Subtraction(omega, sigma2, np.full((1, 1), scale**-2), np.inf),
        converged=model.converged,
        n_iter=model.n_iter,
        details={"noise": model.noise},
    )


def _package_length(problem: AdjustmentProblem) -> float:
    """Length of the primary column about its mean; the other nuisance columns do not shorten it."""
    column = problem.design.primary[:, 0]
    return float(np.linalg.norm(column - column.mean()))


def alternated_components(problem: AdjustmentProblem, k: int) -> AlternatedComponents:
    """Alternate weighted components and noise standard deviations as the package does.

    Parameters
    ----------
    problem : AdjustmentProblem
    k : int

    Returns
    -------
    AlternatedComponents

    Notes
    -----
    Standard deviations are taken about the mean over rotated samples, which depends on the rotation: the one that
    a Householder reflection of the centred primary column gives.
    """
    frame = _residual_frame(problem)
    rotated = RotatedMatrix(problem.matrix, frame)
    n_rows = frame.shape[1]
    kernel = ProjectionKernel(np.full((n_rows, 1), 1.0 / n_rows), problem.n_features)
    total, means = run_pass(rotated, SumOfSquaresKernel(problem.n_features), kernel)
    mean = means[:, 0]
    varies = ~problem.constant & (total > 1e-24 * problem.sums.tss)
    noise, change, n_iter = varies.astype(np.float64), np.inf, 0
    while change > TOLERANCE and n_iter < MAX_ROUNDS:
        n_iter, old = n_iter + 1, noise
        weights = np.divide(1.0, old, out=np.zeros_like(old), where=old > 0)
        (gram,) = run_pass(rotated, GramKernel(n_rows, weights=weights))
        vectors = top_eigenvectors(gram, k)
        (loadings,) = run_pass(rotated, ProjectionKernel(vectors, problem.n_features))
        left = (
            total - np.einsum("mk,mk->m", loadings, loadings) - n_rows * (mean - loadings @ vectors.mean(axis=0)) ** 2
        )
        noise = np.where(varies, np.sqrt(np.maximum(left, 0.0) / (n_rows - 1)), 0.0)
        change = float(np.sum(np.abs(noise - old)) / np.sum(old))
    return AlternatedComponents(frame @ vectors, loadings * weights[:, None], noise, change <= TOLERANCE, n_iter)


def _residual_frame(problem: AdjustmentProblem) -> Array:
    """Map ``(n_samples, n_samples - 1)`` to the coordinates other than the primary one, nuisance part removed."""
    column = problem.design.primary[:, :1]
    nuisance = problem.design.nuisance
    if problem.nuisance_basis.spans_constant:
        column, nuisance = column - column.mean(axis=0), nuisance - nuisance.mean(axis=0)
    rotation = np.asarray(qr(column, mode="full")[0])[:, 1:]
    inside, r, _ = qr(rotation.T @ nuisance, mode="economic", pivoting=True)
    rank = int(np.sum(np.abs(np.diag(r)) > 1e-10 * np.linalg.norm(nuisance))) if nuisance.size else 0
    kept = inside[:, :rank]
    frame = rotation - (rotation @ kept) @ kept.T
    return frame - frame.mean(axis=0) if problem.nuisance_basis.spans_constant else frame


def _regress(response: Array, predictors: Array, penalty: str) -> tuple[Array, Array, float]:
    """Coefficients, sparse effects and residual scale of the package, all in units of the noise."""
    if penalty == "ridge":
        coef = least_squares(response, predictors)
        residuals = response - predictors @ coef
        return coef, residuals * (1.0 - 1.0 / float(residuals.std(ddof=1))), 1.0
    first = least_squares(response, predictors)
    start = m_regression(response, predictors, LOSSES["huber"], first, scale=None, tol=1e-4, max_iter=20)
    problem = ShiftProblem(response, predictors, penalty, start.coef)
    count = round(problem.largest_threshold() / THRESHOLD_STEP) + 1
    fit = select_shift(problem, problem.largest_threshold() - THRESHOLD_STEP * np.arange(float(count)))
    coef = least_squares(response - fit.before, predictors)
    residuals = response - predictors @ coef
    null = residuals[fit.shift == 0]
    return coef, fit.shift, float(R_MAD * np.median(np.abs(null - np.median(null))))
