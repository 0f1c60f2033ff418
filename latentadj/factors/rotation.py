"""Residual factors tied to the primary variables by a confounding model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from latentadj.confounding import ConfoundingModel, corrected_for_attenuation
from latentadj.core.factor_analysis import FactorModel
from latentadj.core.matrix import Array
from latentadj.core.variance import squeeze_variances
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
        Mind the errors of loadings and link: correct the link for attenuation, and carry its own error into
        the features' variances.

    Returns
    -------
    FactorEstimate
        Scores ``Z = U + X omega`` with X the primary columns after the nuisance part.

    Notes
    -----
    Refitting on Z then gives ``naive effect - omega a_j`` for every feature (method notes, identity 1). The
    noise variances that weigh the features are moderated (Smyth 2004): an unmoderated one that is small by
    chance would give its feature too much weight in the link.
    """
    if not problem.primary_columns:
        return FactorEstimate(
            model.directions, converged=model.converged, n_iter=model.n_iter, details={"psi": model.psi}
        )
    noise = moderated_noise(problem, model)
    found = link.estimate(problem.naive_effects, model.loadings, noise, problem.primary_unscaled, problem.controls)
    details = {"psi": model.psi}
    if with_error:
        reliability = link.reliability(model.loadings, noise, problem.controls)
        found = corrected_for_attenuation(found, reliability)
        details["reliability"] = np.diag(reliability).copy()
    else:
        found = replace(found, covariance=np.zeros_like(found.covariance))
    return FactorEstimate(
        scores=model.directions + problem.primary_residual @ found.omega,
        link=found,
        converged=model.converged and found.converged,
        n_iter=model.n_iter,
        details=details,
    )


def moderated_noise(problem: AdjustmentProblem, model: FactorModel) -> Array:
    """Moderated noise variances ``(n_features,)`` of a factor model; 0 for features that do not vary."""
    df = max(problem.df_resid - model.directions.shape[1], 1)
    psi = np.where(problem.constant | ~(model.psi > 0), np.nan, model.psi)
    return np.nan_to_num(squeeze_variances(psi, df).s2_post, nan=0.0)
