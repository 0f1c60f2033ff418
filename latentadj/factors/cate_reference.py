"""CATE with the choices of the R package, for comparing numbers.

What differs from the default is listed in ``docs/deviations.md``: a factor analysis that stops early, noise
variances with divisor nu, a robust regression that leaves the noise variances out of its least-squares steps,
a link scaled by the number of samples, and known-variance (normal) inference.
"""

from __future__ import annotations

import numpy as np

from latentadj.confounding import NegativeControlRegression
from latentadj.confounding.reference import UnweightedRobust
from latentadj.core.expectation_maximization import maximum_likelihood
from latentadj.core.factor_analysis import FactorModel, principal_components
from latentadj.core.matrix import Array
from latentadj.factors.random_scores import unit_scores
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import FactorEstimate, LinkEstimate, Subtraction


def reference_estimate(problem: AdjustmentProblem, k: int, analysis: str, robust: bool) -> FactorEstimate:
    """Return the R package's factors and its subtracted effects.

    Parameters
    ----------
    problem : AdjustmentProblem
    k : int
    analysis : {"ml", "pc"}
    robust : bool
        Robust regression; negative controls otherwise.

    Returns
    -------
    FactorEstimate
    """
    model = _factor_model(problem, k, analysis)
    if not problem.primary_columns:
        return FactorEstimate(problem.basis.complement() @ model.directions, converged=model.converged)
    found = _link(problem, model, robust)
    n = problem.n_samples
    cov_unscaled = problem.primary_unscaled + found.omega @ found.omega.T / n
    extra = None if robust else _control_error(problem, model, cov_unscaled)
    scores = problem.basis.complement() @ model.directions + problem.primary_residual @ found.omega
    return FactorEstimate(
        scores,
        loadings=model.loadings,
        subtraction=Subtraction(found.omega, model.psi, cov_unscaled, np.inf, extra),
        converged=model.converged,
        n_iter=model.n_iter,
        details={"psi": model.psi},
    )


def _factor_model(problem: AdjustmentProblem, k: int, analysis: str) -> FactorModel:
    complement = problem.basis.complement()
    components = principal_components(problem.matrix, problem.spectrum, problem.sums.rss, k, divisor=problem.df_resid)
    start = unit_scores(problem, components, complement)
    if analysis == "pc":
        return start
    rss = problem.sums.rss
    return maximum_likelihood(problem.matrix, start, complement=complement, tss=rss, lagged_variance=True)


def _link(problem: AdjustmentProblem, model: FactorModel, robust: bool) -> LinkEstimate:
    effects, unscaled = problem.naive_effects, problem.primary_unscaled
    if not robust:
        link = NegativeControlRegression(weighted=True)
        return link.estimate(effects, model.loadings, model.psi, unscaled, problem.controls)
    n = problem.n_samples
    size = np.sqrt(np.sum(problem.design.primary**2, axis=0) / (n - 1))
    found = UnweightedRobust(n=n).estimate(effects * size, model.loadings, model.psi, unscaled)
    return LinkEstimate(found.omega / size[:, None], found.covariance)


def _control_error(problem: AdjustmentProblem, model: FactorModel, cov_unscaled: Array) -> Array:
    controls = problem.controls
    weighted = model.loadings[controls] / np.sqrt(model.psi[controls])[:, None]
    bread = np.linalg.inv(weighted.T @ weighted)
    out: Array = np.einsum("il,kj->iklj", cov_unscaled, bread)
    return out
