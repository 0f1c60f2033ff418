"""Factors tied to the primary variables by an empirical-Bayes mixture of the effects; MOUTHWASH and BACKWASH share it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from latentadj.confounding import corrected_for_attenuation, loading_reliability
from latentadj.core.adaptive_shrinkage import PosteriorSummary, null_penalty, posterior_summary
from latentadj.core.confounded_mixture import (
    MAX_INFLATION,
    ConfoundedEffects,
    ConfoundingFit,
    ProfilePoint,
    link_covariance,
    maximise,
    profile,
)
from latentadj.core.factor_analysis import FactorModel, principal_components, weighted_components
from latentadj.core.link_prior import LinkPrior
from latentadj.core.matrix import Array
from latentadj.core.mixture_prior import MixturePrior, doubling_grid, mixture_components, scale_grid
from latentadj.core.regression import LinkUncertainty
from latentadj.core.robust import huber_regression, least_squares
from latentadj.core.variance import VariancePrior, squeeze_variances
from latentadj.exceptions import NotConvergedWarning
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import FactorEstimate, LinkEstimate
from latentadj.results.shrinkage import ShrunkenEffects, shrunken_effects

#: Stands for no bound on the variance inflation.
UNBOUNDED_INFLATION = 1e6


@dataclass(frozen=True)
class MixtureOptions:
    """What the two methods let the user choose.

    Attributes
    ----------
    mixture : {"normal", "uniform", "halfuniform"}
    likelihood : {"normal", "t"}
    null_weight : float
    scale_variance : bool
        Estimate a factor on all variances.
    link_prior : bool
        Put a normal prior of estimated scale on the confounding (BACKWASH).
    reference : bool
        The numbers of the R package.
    """

    mixture: str
    likelihood: str
    null_weight: float
    scale_variance: bool
    link_prior: bool
    reference: bool

    @property
    def max_inflation(self) -> float:
        """Largest variance inflation."""
        if not self.scale_variance:
            return 1.0
        return UNBOUNDED_INFLATION if self.link_prior and self.reference else MAX_INFLATION


def residual_factors(problem: AdjustmentProblem, k: int, *, reference: bool) -> FactorModel:
    """Factor model of the residuals: weighted components, or plain ones as the R package takes.

    Parameters
    ----------
    problem : AdjustmentProblem
    k : int
    reference : bool

    Returns
    -------
    FactorModel
    """
    divisor = max(problem.df_resid - k, 1)
    rss = np.where(problem.constant, 0.0, problem.sums.rss)
    if reference:
        return principal_components(problem.matrix, problem.spectrum, rss, k, divisor=divisor)
    start = principal_components(problem.matrix, problem.unit_spectrum, rss, k, divisor=divisor)
    return weighted_components(problem.matrix, problem.basis.complement(), problem.basis.q, start, rss)


def mixture_linked_factors(problem: AdjustmentProblem, model: FactorModel, options: MixtureOptions) -> FactorEstimate:
    """Turn a factor model into factors that may be associated with the primary variables.

    Parameters
    ----------
    problem : AdjustmentProblem
    model : FactorModel
        Orthonormal directions and their least-squares loadings.
    options : MixtureOptions

    Returns
    -------
    FactorEstimate
        With the error of the link and with the posterior of the effects.

    Notes
    -----
    Each primary column has a prior, a link and an inflation of its own. Unless the package's numbers are asked for, the
    link is corrected for the noise in the loadings, and the prior is fitted again to the effects that remain, whose
    variance then includes the error of their loadings and of the link.
    """
    if not problem.primary_columns:
        return FactorEstimate(
            model.directions, converged=model.converged, n_iter=model.n_iter, details={"psi": model.psi}
        )
    noise = _noise(problem, model)
    used = np.isfinite(noise.s2_post) & (noise.s2_post > 0) & np.isfinite(problem.naive_effects).all(axis=1)
    columns = range(len(problem.primary_columns))
    data = [_column(problem, model, noise, used, i, options) for i in columns]
    fits = [_fit_column(column, options) for column in data]
    link, details = _link(model.loadings[used], noise.s2_post[used], fits, options.reference)
    _warn_if_unsettled(fits)
    scores = model.directions + problem.primary_residual @ link.omega
    priors, points = _priors(problem, model, noise, used, data, fits, link, options)
    details |= {
        "psi": model.psi,
        "inflation": np.exp([log_inflation for _, log_inflation in points]),
        "null_share": np.array([prior.null_weight for prior in priors]),
        "log_likelihood": np.array([fit.objective for fit in fits]),
    }
    return FactorEstimate(
        scores=scores,
        link=link,
        posterior=None,
        converged=model.converged and link.converged,
        n_iter=model.n_iter,
        details=details,
    )
