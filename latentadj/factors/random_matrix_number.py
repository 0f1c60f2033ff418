"""Number of factors as the R packages isva and SmartSVA choose it, for comparison."""

from __future__ import annotations

import numpy as np

from latentadj.core.kernels import ScoreKernel
from latentadj.core.passes import run_pass
from latentadj.core.random_matrix import random_matrix_dimension
from latentadj.num_factors import factor_limit
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import NumFactorsResult


def random_matrix_number(problem: AdjustmentProblem, extra: int = 0) -> NumFactorsResult:
    """Return the random-matrix dimension of the residuals, plus `extra`, within the limit for automatic numbers.

    Parameters
    ----------
    problem : AdjustmentProblem
    extra : int, default=0
        What the method adds; 1 in SmartSVA.

    Returns
    -------
    NumFactorsResult
    """
    spectrum = problem.spectrum
    ones = np.ones((problem.n_features, 1))
    (total,) = run_pass(problem.matrix, ScoreKernel(problem.n_samples, ones, offset=problem.sums.mean))
    gram = (spectrum.vectors * spectrum.eigenvalues) @ spectrum.vectors.T
    found = random_matrix_dimension(gram, problem.basis.project_out(total)[:, 0], problem.n_features)
    limit = factor_limit(problem)
    return NumFactorsResult(min(found + extra, limit), "random_matrix", limit, shares=spectrum.shares)
