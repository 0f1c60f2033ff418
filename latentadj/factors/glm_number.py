"""Number of factors by an information criterion of the joint fit."""

from __future__ import annotations

import numpy as np

from latentadj.core.glm import GLMSetting, fit_glm
from latentadj.core.glm_factors import fit_glm_factors
from latentadj.num_factors.select import factor_limit
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import NumFactorsResult, RuleAnswer

#: Numbers beyond the best one that are tried before the search ends.
PATIENCE = 2
#: Tolerance of fits whose only use is their deviance.
DEVIANCE_TOLERANCE = 1e-6


def choose_by_information(
    problem: AdjustmentProblem, residuals: AdjustmentProblem, setting: GLMSetting
) -> NumFactorsResult:
    """Choose the number of factors whose joint fit has the smallest information criterion.

    Parameters
    ----------
    problem : AdjustmentProblem
        Counts or 0/1 outcomes.
    residuals : AdjustmentProblem
        Their deviance residuals; the scores of every fit start from its leading directions.
    setting : GLMSetting
        Dispersions are those without factors for all numbers, so that deviances can be compared.

    Returns
    -------
    NumFactorsResult

    Notes
    -----
    The joint-likelihood information criterion of Chen and Li (2022), Biometrika 109:769, as used by Du, Wasserman and
    Roeder (2025): deviance plus ``(d + k) M log(n m / M)`` for n samples, m features, d design columns and
    ``M = max(n, m)``, per value.
    """
    n, m = problem.matrix.shape
    limit, weights = factor_limit(problem), (~problem.constant).astype(float)
    penalty = np.log(min(n, m)) / min(n, m)
    plain = fit_glm(problem.matrix, problem.basis.q, setting).deviance
    found = [float(plain @ weights) / (n * m)]
    for k in range(1, limit + 1):
        scores = residuals.unit_spectrum.vectors[:, :k]
        joint = fit_glm_factors(problem.matrix, problem.basis.q, setting, weights, scores, tol=DEVIANCE_TOLERANCE)
        found.append(joint.objective / (n * m) + k * penalty)
        if k - int(np.argmin(found)) >= PATIENCE:
            break
    best = int(np.argmin(found))
    values = np.array(found)
    answer = RuleAnswer(
        "jic",
        best,
        values[1:],
        values[:-1],
        "Deviance of the joint fit plus a penalty per factor; the smallest wins, and a factor lowers it as long as the "
        "statistic is below the threshold.",
    )
    return NumFactorsResult(best, "jic", limit, (answer,), residuals.unit_spectrum.shares)
