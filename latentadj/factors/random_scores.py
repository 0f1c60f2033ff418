"""Factor analysis with random scores, brought back to orthonormal directions."""

from __future__ import annotations

import numpy as np
from scipy.linalg import qr

from latentadj.core.factor_analysis import FactorModel, maximum_likelihood
from latentadj.core.matrix import Array, RotatedMatrix
from latentadj.problem import AdjustmentProblem


def unit_scores(problem: AdjustmentProblem, model: FactorModel, complement: Array) -> FactorModel:
    """Return orthonormal residual components as unit-variance scores in the complement's coordinates."""
    root = np.sqrt(complement.shape[1])
    return FactorModel(complement.T @ model.directions * root, model.loadings / root, model.psi, True, model.n_iter)


def random_score_directions(problem: AdjustmentProblem, start: FactorModel) -> FactorModel:
    """Maximum-likelihood factors as orthonormal directions with their least-squares loadings.

    Parameters
    ----------
    problem : AdjustmentProblem
    start : FactorModel
        Principal components of the residuals.

    Returns
    -------
    FactorModel
        Noise variances are what the directions leave, with ``nu - k`` degrees of freedom.
    """
    complement = problem.basis.complement()
    rotated = RotatedMatrix(problem.matrix, complement)
    floor = 1e-8 * np.median(start.psi[start.psi > 0]) if np.any(start.psi > 0) else 1.0
    safe = unit_scores(problem, start, complement)
    safe = FactorModel(safe.directions, safe.loadings, np.maximum(safe.psi, floor), True, 1)
    fitted = maximum_likelihood(rotated, safe, tol=1e-12)
    directions = complement @ qr(fitted.directions, mode="economic")[0]
    loadings = problem.project(directions)
    left = np.maximum(problem.sums.rss - np.einsum("mk,mk->m", loadings, loadings), 0.0)
    psi = left / max(problem.df_resid - directions.shape[1], 1)
    return FactorModel(directions, loadings, psi, fitted.converged, fitted.n_iter)
