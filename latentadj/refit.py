"""Stage 4: factors join the design and every feature is fitted again; one path for all methods."""

from __future__ import annotations

import numpy as np

from latentadj.core.matrix import Array
from latentadj.core.regression import LinkUncertainty, RegressionFit, design_basis
from latentadj.design import Design
from latentadj.exceptions import DegreesOfFreedomError, MethodError
from latentadj.models import LinearModel
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import FactorEstimate, Subtraction


def augmented_design(design: Design, scores: Array) -> Design:
    """Return a design with factor columns ``factor1, factor2, ...`` added."""
    names = tuple(f"factor{i + 1}" for i in range(scores.shape[1]))
    return design.augment(scores, names)


def refit(problem: AdjustmentProblem, estimate: FactorEstimate) -> RegressionFit:
    """Fit every feature by the design with the factors in it.

    Parameters
    ----------
    problem : AdjustmentProblem
    estimate : FactorEstimate

    Returns
    -------
    RegressionFit
        Coefficients in the order nuisance, primary, factors. The last ones are the factors' loadings.

    Raises
    ------
    DegreesOfFreedomError
        When the factors leave no residual degrees of freedom.

    Notes
    -----
    With least-squares loadings, refitting equals subtracting ``loadings @ omega.T`` from the naive effects
    (method notes, identity 1). Methods for which it does not say so by returning a `Subtraction`.
    """
    if estimate.n_factors == 0:
        return problem.fitted.fit
    if estimate.subtraction is not None:
        return _subtract(problem, estimate, estimate.subtraction)
    place, scores = _place_of_refit(problem, estimate)
    basis = design_basis(augmented_design(place.design, scores).matrix)
    if basis.n_samples - basis.rank < 1:
        raise DegreesOfFreedomError(
            f"{problem.n_samples} samples, {problem.basis.rank} design columns and {estimate.n_factors} factors "
            "leave no residual degrees of freedom. Use fewer factors, a smaller design, or more samples."
        )
    fit = place.fit_design(basis)
    if estimate.link is None:
        return fit
    loadings = fit.coef[:, -estimate.n_factors :]
    columns = tuple(problem.primary_columns)
    return fit.with_link(LinkUncertainty(loadings, estimate.link.covariance, columns))


def _place_of_refit(problem: AdjustmentProblem, estimate: FactorEstimate) -> tuple[AdjustmentProblem, Array]:
    """Return the problem that features are fitted in, and the scores as its samples have them."""
    if problem.target is not None:
        before = estimate if problem.whitening is None else estimate.before(problem.whitening)
        return problem.target.weighed(before.whitening), before.scores
    if estimate.whitening is None:
        return problem, estimate.scores
    return problem.whitened(estimate.whitening), estimate.whitening.apply(estimate.scores)


def _subtract(problem: AdjustmentProblem, estimate: FactorEstimate, ready: Subtraction) -> RegressionFit:
    """Adjusted effects from the naive ones, for loadings that are not those of a refit."""
    if problem.target is not None or not isinstance(problem.model, LinearModel):
        raise MethodError(
            "This method adjusts effects without fitting features again, so that missing values, weights of "
            "observations, robust errors and models of counts cannot enter. Use one that refits: CATE, SVA, RUV-4, "
            "RUV-2 or dSVA."
        )
    loadings = estimate.loadings
    if loadings is None:
        raise ValueError("A Subtraction needs the loadings it subtracts with.")
    base, columns, k = problem.fit, problem.primary_columns, estimate.n_factors
    d = base.coef.shape[1]
    coef = np.full((problem.n_features, d + k), np.nan)
    coef[:, columns] = base.coef[:, columns] - loadings @ ready.omega.T
    coef[:, d:] = loadings
    cov_unscaled = np.full((d + k, d + k), np.nan)
    cov_unscaled[np.ix_(columns, columns)] = ready.cov_unscaled
    link = None
    if ready.extra_covariance is not None:
        link = LinkUncertainty(loadings, ready.extra_covariance, tuple(columns))
    return RegressionFit(coef, ready.sigma2, ready.df_resid, cov_unscaled, base.mean, base.constant, link)
