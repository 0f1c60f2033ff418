"""Residual factors tied to the primary variables by a confounding model."""

from __future__ import annotations

import numpy as np

from latentadj.confounding import ConfoundingModel
from latentadj.core.factor_analysis import FactorModel
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import FactorEstimate


def linked_factors(
    problem: AdjustmentProblem, model: FactorModel, link: ConfoundingModel, *, with_error: bool = True
) -> FactorEstimate:
    """Turn a factor model of the residuals into factors that may be associated with the primary variables.

    Parameters
    ----------
    problem : AdjustmentProblem
    model : FactorModel
        Orthonormal directions and their least-squares loadings.
    link : ConfoundingModel
    with_error : bool, default=True
        Carry the error of the link into the features' variances.

    Returns
    -------
    FactorEstimate
        Scores ``Z = U + X omega`` with X the primary columns after the nuisance part.

    Notes
    -----
    Refitting on Z then gives ``naive effect - omega a_j`` for every feature (method notes, identity 1).
    """
    usable = np.where(problem.constant, 0.0, model.psi)
    found = link.estimate(problem.naive_effects, model.loadings, usable, problem.primary_unscaled, problem.controls)
    scores = model.directions + problem.primary_residual @ found.omega
    return FactorEstimate(
        scores,
        link=found if with_error else None,
        converged=model.converged and found.converged,
        n_iter=model.n_iter,
        details={"omega": found.omega, "psi": model.psi},
    )
