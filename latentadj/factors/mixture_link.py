"""Factors tied to the primary variables by an empirical-Bayes mixture of the effects: MOUTHWASH and BACKWASH."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from latentadj.confounding import loading_reliability
from latentadj.core.adaptive_shrinkage import (
    PosteriorSummary,
    normal_equivalent_errors,
    null_penalty,
    posterior_summary,
)
from latentadj.core.confounded_mixture import (
    MAX_INFLATION,
    ConfoundedEffects,
    ConfoundingFit,
    link_covariance,
    maximise,
)
from latentadj.core.factor_analysis import FactorModel
from latentadj.core.link_prior import LinkPrior
from latentadj.core.matrix import Array
from latentadj.core.mixture_prior import MixturePrior, doubling_variance_grid, mixture_components, scale_grid
from latentadj.core.robust import huber_regression, least_squares
from latentadj.core.variance import squeeze_variances
from latentadj.exceptions import NotConvergedWarning
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import FactorEstimate, LinkEstimate
from latentadj.results.shrinkage import ShrunkenEffects, shrunken_effects

#: Stands for no bound on the variance inflation.
UNBOUNDED_INFLATION = 1e6


@dataclass(frozen=True)
class MixtureOptions:
    """What the methods let the user choose.

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

    def components(self, effects: Array, std_error: Array) -> MixturePrior:
        """Grid of the prior; the R package's takes roots of variances, or variances, for what they are not."""
        if not self.reference:
            return mixture_components(self.mixture, scale_grid(effects, std_error))
        variances = doubling_variance_grid(effects, std_error)
        return mixture_components(self.mixture, variances**0.25 if self.mixture == "normal" else variances)

    def data(self, effects: Array, loadings: Array, std_error: Array, df: float) -> ConfoundedEffects:
        """One column's likelihood."""
        components = self.components(effects, std_error)
        penalty = null_penalty(components, self.null_weight)
        df = df if self.likelihood == "t" else np.inf
        return ConfoundedEffects(effects, loadings, std_error, components, penalty, df, self.max_inflation)


@dataclass(frozen=True)
class _Stage:
    """Usable features of a problem, ready to be linked; arrays have a row for each of them."""

    used: NDArray[np.bool_]
    effects: Array
    loadings: Array
    noise: Array
    df: float
    unscaled: Array


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
        With the link and its error, and with the posterior of the effects.

    Notes
    -----
    Each primary column has a prior, a link and an inflation of its own. Unless the package's numbers are asked for, the
    link is corrected for the noise in the loadings, and the prior is fitted again to the effects that remain, whose
    variance then has the errors of loadings and link in it.
    """
    if not problem.primary_columns:
        return FactorEstimate(
            model.directions, converged=model.converged, n_iter=model.n_iter, details={"psi": model.psi}
        )
    stage = _stage(problem, model)
    errors = np.sqrt(np.outer(stage.noise, np.diag(stage.unscaled)))
    data = [options.data(b, stage.loadings, s, stage.df) for b, s in zip(stage.effects.T, errors.T)]
    fits = [_fit_column(column, options) for column in data]
    if not all(fit.converged for fit in fits):
        _warn_not_settled()
    link, reliability = _link(stage, fits, corrected=not options.reference)
    if not options.reference:
        data, fits = _fit_again(stage, link, options)
    details = {
        "psi": model.psi,
        "reliability": reliability,
        "inflation": np.array([fit.inflation for fit in fits]),
        "null_share": np.array([fit.point.weights[0] for fit in fits]),
        "log_likelihood": np.array([fit.point.value for fit in fits]),
    }
    return FactorEstimate(
        scores=model.directions + problem.primary_residual @ link.omega,
        link=link,
        posterior=_posterior(problem, stage.used, data, fits, options),
        converged=model.converged and link.converged,
        n_iter=model.n_iter,
        details=details,
    )


def _stage(problem: AdjustmentProblem, model: FactorModel) -> _Stage:
    df = max(problem.df_resid - model.directions.shape[1], 1)
    psi = np.where(problem.constant | ~(model.psi > 0), np.nan, model.psi)
    prior = squeeze_variances(psi, df)
    effects = problem.naive_effects
    used = np.isfinite(prior.s2_post) & (prior.s2_post > 0) & np.isfinite(effects).all(axis=1)
    df_total = float(np.max(prior.df_total))
    return _Stage(used, effects[used], model.loadings[used], prior.s2_post[used], df_total, problem.primary_unscaled)


def _fit_column(data: ConfoundedEffects, options: MixtureOptions) -> ConfoundingFit:
    """Best z, inflation and proportions; starts are the robust and the least-squares regression."""
    response, predictors = data.effects / data.std_error, data.loadings / data.std_error[:, None]
    starts = [huber_regression(response, predictors).coef, least_squares(response, predictors)]
    if not options.link_prior:
        return maximise(data, starts)
    prior = LinkPrior.from_loadings(data.loadings, data.std_error)
    fit, none = maximise(data, starts, prior.term), _fit_without_link(data)
    return fit if fit.objective > none.objective + 1e-7 * max(abs(none.objective), 1.0) else none


def _fit_without_link(data: ConfoundedEffects) -> ConfoundingFit:
    """Best inflation and proportions for z = 0, which the prior of z may prefer."""
    k = data.loadings.shape[1]
    fit = maximise(replace(data, loadings=data.loadings[:, :0]), [np.empty(0)])
    return replace(fit, z=np.zeros(k))


def _link(stage: _Stage, fits: list[ConfoundingFit], *, corrected: bool) -> tuple[LinkEstimate, Array]:
    """Link of all columns with its error, and the reliabilities of the loadings, ``(p, k)``."""
    omega = np.array([fit.z for fit in fits])
    p, k = omega.shape
    converged = all(fit.converged for fit in fits)
    if not corrected:
        return LinkEstimate(omega, np.zeros((p, k, p, k)), converged), np.ones((p, k))
    covariance = link_covariance([fit.point for fit in fits], stage.loadings)
    # what a feature adds to the information about z is also its weight in the regression on noisy loadings
    shares = [loading_reliability(stage.loadings, stage.noise, np.maximum(f.point.information, 0.0)) for f in fits]
    for i, share in enumerate(shares):
        inverse = np.linalg.inv(share)
        omega[i] = inverse @ omega[i]
        covariance[i] = np.einsum("ab,bjc->ajc", inverse, covariance[i])
        covariance[:, :, i, :] = covariance[:, :, i, :] @ inverse.T
    return LinkEstimate(omega, covariance, converged), np.array([np.diag(share) for share in shares])


def _fit_again(
    stage: _Stage, link: LinkEstimate, options: MixtureOptions
) -> tuple[list[ConfoundedEffects], list[ConfoundingFit]]:
    """Prior and inflation for the effects that the refitted model has, with the variances it gives them."""
    effects = stage.effects - stage.loadings @ link.omega.T
    data = []
    for i, omega in enumerate(link.omega):
        shared = np.einsum("mk,kl,ml->m", stage.loadings, link.covariance[i, :, i, :], stage.loadings)
        error = np.sqrt(stage.noise * (stage.unscaled[i, i] + omega @ omega) + shared)
        if options.likelihood == "normal":
            error = normal_equivalent_errors(effects[:, i], error, stage.df)
        data.append(options.data(effects[:, i], stage.loadings[:, :0], error, stage.df))
    return data, [maximise(column, [np.empty(0)]) for column in data]


def _posterior(
    problem: AdjustmentProblem,
    used: NDArray[np.bool_],
    data: list[ConfoundedEffects],
    fits: list[ConfoundingFit],
    options: MixtureOptions,
) -> ShrunkenEffects:
    """Every effect given the fitted prior, for all features; NaN for those that could not be used."""
    shape = (problem.n_features, len(fits))
    estimate, std_error = np.full(shape, np.nan), np.full(shape, np.nan)
    priors, posteriors = [], []
    for i, (column, fit) in enumerate(zip(data, fits)):
        k = column.loadings.shape[1]
        estimate[used, i] = column.effects - column.loadings @ fit.z[:k]
        std_error[used, i] = column.std_error * np.sqrt(fit.inflation)
        priors.append(column.components.with_weights(fit.point.weights))
        posteriors.append(posterior_summary(priors[-1], estimate[:, i], std_error[:, i], column.df))
    names = tuple(problem.design.names[i] for i in problem.primary_columns)
    if options.reference and options.link_prior:
        estimate, std_error, posteriors = _as_printed(problem, estimate, std_error, posteriors, fits)
    converged = all(fit.converged for fit in fits)
    return shrunken_effects(names, estimate, std_error, posteriors, priors, converged=converged)


def _as_printed(
    problem: AdjustmentProblem,
    estimate: Array,
    std_error: Array,
    posteriors: list[PosteriorSummary],
    fits: list[ConfoundingFit],
) -> tuple[Array, Array, list[PosteriorSummary]]:
    """BACKWASH's table in the R package: naive effects, error variances, posterior variances for deviations."""
    naive = np.where(np.isnan(estimate), np.nan, problem.naive_effects)
    variance = std_error**2 / np.array([fit.inflation for fit in fits])
    return naive, variance, [replace(p, sd=p.sd**2) for p in posteriors]


def _warn_not_settled() -> None:
    warnings.warn(
        "The mixture likelihood of the hidden confounding has no clear maximum: its last steps did not settle. Compare "
        "with CATE, with fewer factors, or with scale_variance=False.",
        NotConvergedWarning,
        stacklevel=2,
    )
