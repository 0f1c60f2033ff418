"""BCconf with the choices of the R package, for comparing numbers."""

from __future__ import annotations

import numpy as np

from latentadj.confounding.attenuation_corrected import AttenuationCorrectedRegression
from latentadj.confounding.reference import UnitHuber
from latentadj.core.factor_analysis import FactorModel, principal_components
from latentadj.core.matrix import Array
from latentadj.core.robust import least_squares
from latentadj.factors.linked import residual_squares
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import FactorEstimate, LinkEstimate


def reference_estimate(problem: AdjustmentProblem, k: int, method: str) -> FactorEstimate:
    """Return the R package's factors; refitting on them gives its effects, without moderation its tests.

    Parameters
    ----------
    problem : AdjustmentProblem
    k : int
    method : {"ols", "theory", "huber", "iterative", "naive"}

    Returns
    -------
    FactorEstimate
    """
    rss = residual_squares(problem)
    divisor = max(problem.df_resid - k, 1)
    model = principal_components(problem.matrix, problem.spectrum, rss, k, divisor=divisor)
    if not problem.primary_columns:
        return FactorEstimate(model.directions, details={"psi": model.psi})
    omega = _omega(problem, model, method)
    p, k = omega.shape
    return FactorEstimate(
        scores=model.directions + problem.primary_residual @ omega,
        link=LinkEstimate(omega, np.zeros((p, k, p, k))),
        n_iter=1,
        details={"psi": model.psi},
    )


def _omega(problem: AdjustmentProblem, model: FactorModel, method: str) -> Array:
    effects, unscaled = problem.naive_effects, problem.primary_unscaled
    if method == "naive":
        return least_squares(effects, model.loadings).T
    if method == "huber":
        return UnitHuber().estimate(effects, model.loadings, model.psi, unscaled, None).omega
    df = max(problem.df_resid - model.loadings.shape[1], 1)
    link = AttenuationCorrectedRegression(weighted=method != "theory", iterative=method == "iterative", df=df)
    naive = link.estimate(effects, model.loadings, model.psi, unscaled, None).omega
    reliability = link.reliability(model.loadings, model.psi, None)
    out: Array = np.asarray(np.linalg.solve(reliability, naive.T).T, dtype=np.float64)
    return out
