"""Factor analysis with random scores, brought back to orthonormal directions."""

from __future__ import annotations

import numpy as np
from scipy.linalg import qr

from latentadj.core.expectation_maximization import maximum_likelihood
from latentadj.core.factor_analysis import FactorModel
from latentadj.core.matrix import Array
from latentadj.factors.linked import residual_squares
from latentadj.problem import AdjustmentProblem

#: Relative change of the log-likelihood at which the algorithm stops.
TOLERANCE = 1e-12


def unit_scores(directions: Array, complement: Array) -> Array:
    """Return orthonormal residual directions ``(n_samples, k)`` as scores of unit variance in the complement."""
    root = np.sqrt(complement.shape[1])
    return np.asarray(complement.T @ directions * root)


def random_score_directions(problem: AdjustmentProblem, start: Array) -> FactorModel:
    """Maximum-likelihood factors as orthonormal directions with their least-squares loadings.

    Parameters
    ----------
    problem : AdjustmentProblem
    start : ndarray of shape (n_samples, k)
        Orthonormal principal directions of the residuals.

    Returns
    -------
    FactorModel
        Noise variances are what the directions leave, with ``nu - k`` degrees of freedom.
    """
    complement = problem.basis.complement()
    rss = residual_squares(problem)
    scores = unit_scores(start, complement)
    fitted = maximum_likelihood(problem.matrix, scores, complement=complement, tss=rss, tol=TOLERANCE)
    directions = complement @ qr(fitted.directions, mode="economic")[0]
    return with_least_squares_loadings(problem, directions, fitted)


def with_least_squares_loadings(problem: AdjustmentProblem, directions: Array, fitted: FactorModel) -> FactorModel:
    """Orthonormal directions ``(n_samples, k)`` with their loadings, and what they leave as noise variances."""
    loadings = problem.project(directions)
    left = np.maximum(residual_squares(problem) - np.einsum("mk,mk->m", loadings, loadings), 0.0)
    psi = left / max(problem.df_resid - directions.shape[1], 1)
    return FactorModel(directions, loadings, psi, fitted.converged, fitted.n_iter)
