"""CATE with the choices of the R package, for comparing numbers.

What differs from the default is listed in ``docs/deviations.md``: a factor analysis that stops early, noise
variances with divisor nu, a robust regression that leaves the noise variances out of its least-squares steps,
a link scaled by the number of samples, and known-variance (normal) inference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latentadj.confounding import ConfoundingModel, NegativeControlRegression
from latentadj.confounding.reference import UnweightedRobust, UnweightedTrimmed
from latentadj.core.early_stopping import early_stopped_components
from latentadj.core.expectation_maximization import maximum_likelihood
from latentadj.core.factor_analysis import FactorModel
from latentadj.core.kernels import ProjectionKernel
from latentadj.core.matrix import Array
from latentadj.core.passes import run_pass
from latentadj.factors.linked import residual_squares
from latentadj.factors.random_scores import unit_scores
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import FactorEstimate, LinkEstimate, Subtraction


@dataclass(frozen=True)
class ReferenceOptions:
    """What the R package is asked for.

    Attributes
    ----------
    analysis : {"ml", "pc", "esa"}
    link : {"robust", "negative_control", "least_trimmed", "naive"}
    loss : {"huber", "bisquare"}
    link_error : bool
        Add the error of the link over the controls to the features' variances.
    n_starts : int
        Random starts of least trimmed squares.
    """

    analysis: str
    link: str
    loss: str = "huber"
    link_error: bool = True
    n_starts: int = 500


def reference_estimate(
    problem: AdjustmentProblem, k: int, options: ReferenceOptions, rng: np.random.Generator
) -> FactorEstimate:
    """Return the R package's factors and its subtracted effects.

    Parameters
    ----------
    problem : AdjustmentProblem
    k : int
    options : ReferenceOptions
    rng : numpy.random.Generator
        For the random starts of least trimmed squares.

    Returns
    -------
    FactorEstimate
    """
    complement = problem.basis.complement()
    model = _factor_model(problem, k, options.analysis, complement)
    if not problem.primary_columns:
        return FactorEstimate(complement @ model.directions, converged=model.converged)
    if options.link == "naive":
        return _without_link(problem, model, complement)
    found = _link(problem, model, options, rng)
    cov_unscaled = problem.primary_unscaled + found.omega @ found.omega.T / problem.n_samples
    with_extra = options.link == "negative_control" and options.link_error
    extra = _control_error(problem, model, cov_unscaled) if with_extra else None
    return FactorEstimate(
        scores=complement @ model.directions + problem.primary_residual @ found.omega,
        loadings=model.loadings,
        subtraction=Subtraction(found.omega, model.psi, cov_unscaled, np.inf, extra),
        converged=model.converged,
        n_iter=model.n_iter,
        details={"psi": model.psi},
    )


def _without_link(problem: AdjustmentProblem, model: FactorModel, complement: Array) -> FactorEstimate:
    """The package's "naive": effects and variances of the regression without factors, held against the normal."""
    omega = np.zeros((len(problem.primary_columns), model.loadings.shape[1]))
    return FactorEstimate(
        scores=complement @ model.directions,
        loadings=model.loadings,
        subtraction=Subtraction(omega, problem.fit.sigma2, problem.primary_unscaled, np.inf),
        converged=model.converged,
        n_iter=model.n_iter,
        details={"psi": model.psi},
    )


def _factor_model(problem: AdjustmentProblem, k: int, analysis: str, complement: Array) -> FactorModel:
    """Scores of unit variance in the complement's coordinates, with their loadings."""
    rss = residual_squares(problem)
    if analysis == "esa":
        return _early_stopped(problem, k, complement, rss)
    directions = problem.spectrum.vectors[:, :k]
    scores = unit_scores(directions, complement)
    if analysis == "ml":
        return maximum_likelihood(problem.matrix, scores, complement=complement, tss=rss, lagged_variance=True)
    loadings = problem.project(directions)
    psi = np.maximum(rss - np.einsum("mk,mk->m", loadings, loadings), 0.0) / problem.df_resid
    return FactorModel(scores, loadings / np.sqrt(problem.df_resid), psi, True, 1)


def _early_stopped(problem: AdjustmentProblem, k: int, complement: Array, rss: Array) -> FactorModel:
    """Early stopping with the package's start: variances about the mean over rotated samples.

    That mean depends on the basis of the complement, which is the one that Householder reflections give.
    """
    nu = problem.df_resid
    (means,) = run_pass(
        problem.matrix, ProjectionKernel(complement.mean(axis=1, keepdims=True), problem.n_features, centred=True)
    )
    start = np.maximum(rss - nu * means[:, 0] ** 2, 0.0)
    model = early_stopped_components(problem.matrix, complement, problem.basis.q, start, rss, k, divisor=nu)
    scores = unit_scores(model.directions, complement)
    return FactorModel(scores, model.loadings / np.sqrt(nu), model.psi, True, model.n_iter)


def _link(
    problem: AdjustmentProblem, model: FactorModel, options: ReferenceOptions, rng: np.random.Generator
) -> LinkEstimate:
    effects, unscaled = problem.naive_effects, problem.primary_unscaled
    if options.link == "negative_control":
        control = NegativeControlRegression(weighted=True)
        return control.estimate(effects, model.loadings, model.psi, unscaled, problem.controls)
    n = problem.n_samples
    link: ConfoundingModel = UnweightedRobust(n=n, loss=options.loss)
    if options.link == "least_trimmed":
        link = UnweightedTrimmed(rng, n_starts=options.n_starts)
    size = np.sqrt(np.sum(problem.design.primary**2, axis=0) / (n - 1))
    found = link.estimate(effects * size, model.loadings, model.psi, unscaled, None)
    return LinkEstimate(found.omega / size[:, None], found.covariance)


def _control_error(problem: AdjustmentProblem, model: FactorModel, cov_unscaled: Array) -> Array:
    controls = problem.controls
    weighted = model.loadings[controls] / np.sqrt(model.psi[controls])[:, None]
    bread = np.linalg.inv(weighted.T @ weighted)
    out: Array = np.einsum("il,kj->iklj", cov_unscaled, bread)
    return out
