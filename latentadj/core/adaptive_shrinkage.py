"""Adaptive shrinkage: the distribution of the effects from their estimates, and each effect given that distribution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from latentadj.core.interval_moments import interval_moments, log_density, log_interval_mass
from latentadj.core.matrix import Array
from latentadj.core.mixture_prior import (
    FAMILIES,
    MixturePrior,
    log_component_densities,
    mixture_components,
    scale_grid,
    scaled_likelihood,
)
from latentadj.core.mixture_weights import fit_mixture_weights
from latentadj.core.tails import t_two_sided_log_p
from latentadj.exceptions import InputError

#: Features for which densities are formed at a time; keeps temporaries small.
CHUNK = 32_768
#: Components with less weight do not enter the posterior.
LEAST_WEIGHT = 1e-10


@dataclass(frozen=True, slots=True)
class PosteriorSummary:
    """Every effect given its estimate and the prior.

    Attributes
    ----------
    negative, positive, zero : ndarray of shape (m,)
        Posterior probabilities of the three signs; `zero` is the local false discovery rate.
    mean, sd : ndarray of shape (m,)
    """

    negative: Array
    positive: Array
    zero: Array
    mean: Array
    sd: Array

    @property
    def lfsr(self) -> Array:
        """Local false sign rate: probability that the likelier sign is wrong, ``(m,)``."""
        return np.minimum(self.negative, self.positive) + self.zero


@dataclass(frozen=True, slots=True)
class ShrinkageFit:
    """A fitted prior.

    Attributes
    ----------
    prior : MixturePrior
        All components of the grid, those without weight too.
    log_likelihood : float
        Of the estimates divided by ``std_error ** alpha``, without the penalty.
    log_bayes_factor : float
        `log_likelihood` minus that of no effect anywhere.
    kkt_residual : float
        Largest violation of the optimality conditions of the proportions.
    converged : bool
    """

    prior: MixturePrior
    log_likelihood: float
    log_bayes_factor: float
    kkt_residual: float
    converged: bool


def usable_estimates(estimate: Array, std_error: Array, df: Array) -> NDArray[np.bool_]:
    """Tell which estimates have a finite value, a positive finite error and degrees of freedom, ``(m,)``."""
    with np.errstate(invalid="ignore"):
        usable = np.isfinite(estimate) & np.isfinite(std_error) & (std_error > 0) & (df > 0)
    return np.asarray(usable)


def fit_prior(
    estimate: ArrayLike,
    std_error: ArrayLike,
    df: ArrayLike = np.inf,
    *,
    mixture: str = "uniform",
    null_weight: float = 10.0,
    alpha: float = 0.0,
    scales: ArrayLike | None = None,
) -> ShrinkageFit:
    """Estimate the distribution of the effects: a mixture that peaks at zero.

    Parameters
    ----------
    estimate, std_error : array_like of shape (m,)
        Those that are not finite, or have no positive error, are left out.
    df : float or array_like of shape (m,), default=inf
        Degrees of freedom of the errors; infinite for normal ones.
    mixture : {"uniform", "halfuniform", "normal"}, default="uniform"
        Symmetric unimodal, unimodal, or normal scale mixture; the last only for normal errors.
    null_weight : float, default=10.0
        Dirichlet parameter of the point mass at zero, at least 1; the other components have 1.
    alpha : float, default=0.0
        Effects are exchangeable after division by ``std_error ** alpha``: 0 for effects, 1 for standardised ones.
    scales : array_like of shape (s,), optional
        Grid of scales instead of that of `scale_grid`; positive.

    Returns
    -------
    ShrinkageFit

    Raises
    ------
    InputError
        Unknown mixture, penalty below 1, shapes that do not fit, normal components with t errors.

    Notes
    -----
    Stephens (2017), Biostatistics 18:275; penalised maximum likelihood of the proportions, exactly.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> effects = np.where(rng.random(2000) < 0.7, 0.0, rng.normal(0, 3, size=2000))
    >>> fit = fit_prior(effects + rng.normal(size=2000), np.ones(2000))
    >>> bool(0.65 < fit.prior.null_weight < 0.85)
    True
    """
    x, s, nu = check_estimates(estimate, std_error, df, mixture, null_weight)
    used = usable_estimates(x, s, nu)
    with np.errstate(invalid="ignore"):
        scaled, error = (x / s**alpha)[used], (s ** (1.0 - alpha))[used]
    if not used.any():
        return ShrinkageFit(MixturePrior(mixture, np.zeros(1), np.zeros(1), np.ones(1)), 0.0, 0.0, 0.0, True)
    grid = scale_grid(scaled, error) if scales is None else np.asarray(scales, dtype=np.float64)
    components = mixture_components(mixture, grid)
    likelihood, log_scale = scaled_likelihood(_by_chunks(components, scaled, error, nu[used]))
    fit = fit_mixture_weights(likelihood, null_penalty(components, null_weight))
    log_likelihood = float(np.sum(np.log(likelihood @ fit.weights) + log_scale))
    with np.errstate(divide="ignore"):
        log_null = float(np.sum(np.log(likelihood[:, 0]) + log_scale))
    prior = components.with_weights(fit.weights)
    return ShrinkageFit(prior, log_likelihood, log_likelihood - log_null, fit.kkt_residual, fit.converged)


def null_penalty(components: MixturePrior, null_weight: float) -> Array:
    """Return the Dirichlet parameters minus one, ``(M,)``: all of the penalty is on the point mass."""
    return np.where(components.is_point, null_weight - 1.0, 0.0)


def posterior_summary(
    prior: MixturePrior, estimate: ArrayLike, std_error: ArrayLike, df: ArrayLike = np.inf, *, alpha: float = 0.0
) -> PosteriorSummary:
    """Posterior of each effect under a given prior.

    Parameters
    ----------
    prior : MixturePrior
    estimate, std_error : array_like of shape (m,)
    df : float or array_like of shape (m,), default=inf
    alpha : float, default=0.0
        As the prior was fitted with.

    Returns
    -------
    PosteriorSummary
        NaN for estimates that are not usable.

    Examples
    --------
    >>> prior = mixture_components("normal", np.array([3.0]))
    >>> posterior_summary(prior, [0.0, 4.0], [1.0, 1.0]).mean.round(3)
    array([0.   , 3.592])
    """
    x, s, nu = check_estimates(estimate, std_error, df, prior.family, 1.0)
    used = np.flatnonzero(usable_estimates(x, s, nu))
    kept = prior.support(LEAST_WEIGHT)
    out = np.full((5, x.size), np.nan)
    for begin in range(0, used.size, CHUNK):
        rows = used[begin : begin + CHUNK]
        unit = s[rows] ** alpha
        out[:, rows] = _posterior(kept, x[rows] / unit, s[rows] / unit, nu[rows])
        out[3:, rows] *= unit
    return PosteriorSummary(*out)


def s_values(local_rates: Array) -> Array:
    """Average local rate among the features at least as significant: s-values from lfsr, q-values from lfdr.

    Parameters
    ----------
    local_rates : ndarray of shape (m,)
        NaN is left out and stays NaN.

    Returns
    -------
    ndarray of shape (m,)
        Features with equal rates have equal values.

    Examples
    --------
    >>> s_values(np.array([0.3, 0.1, 0.3, np.nan]))
    array([0.23333333, 0.1       , 0.23333333,        nan])
    """
    out = np.full(local_rates.shape, np.nan)
    used = np.flatnonzero(~np.isnan(local_rates))
    order = used[np.argsort(local_rates[used], kind="stable")]
    ordered = local_rates[order]
    running = np.cumsum(ordered) / np.arange(1, ordered.size + 1)
    out[order] = running[np.searchsorted(ordered, ordered, side="right") - 1]
    return out


def normal_equivalent_errors(estimate: Array, std_error: Array, df: ArrayLike) -> Array:
    """Errors with which normal tests have the p-values of t tests.

    Parameters
    ----------
    estimate, std_error : ndarray
    df : float or ndarray
        Degrees of freedom that broadcast with them; infinite ones leave the errors as they are.

    Returns
    -------
    ndarray
        Larger than `std_error`, the more so the further out the estimate lies.

    Notes
    -----
    Proposed by Lu and Stephens (2019): normal mixtures then do not take the heavy tails of t errors for effects.

    Examples
    --------
    >>> normal_equivalent_errors(np.array([0.0, 2.0, 6.0]), np.ones(3), 10.0).round(3)
    array([1.025, 1.117, 1.57 ])
    """
    nu = np.broadcast_to(np.asarray(df, dtype=np.float64), estimate.shape)
    with np.errstate(invalid="ignore", divide="ignore"):
        t = np.abs(estimate) / std_error
    z = -special.ndtri_exp(np.minimum(t_two_sided_log_p(t, nu) - np.log(2.0), special.log_ndtr(0.0)))
    at_zero = np.exp(log_density(np.zeros(1), np.array(np.inf)) - log_density(np.zeros(1), nu))
    ratio = np.divide(t, z, out=at_zero, where=t > 1e-4)
    return np.asarray(std_error * np.where(np.isinf(nu), 1.0, ratio))


def check_estimates(
    estimate: ArrayLike, std_error: ArrayLike, df: ArrayLike, mixture: str, null_weight: float
) -> tuple[Array, Array, Array]:
    """Return estimates, errors and degrees of freedom as arrays ``(m,)``, or say what is wrong with them."""
    x, s = np.asarray(estimate, dtype=np.float64), np.asarray(std_error, dtype=np.float64)
    nu = np.asarray(df, dtype=np.float64)
    if x.ndim != 1 or s.shape != x.shape or nu.shape not in ((), x.shape):
        raise InputError(
            f"Estimates of shape {x.shape}, errors of shape {s.shape} and degrees of freedom of shape {nu.shape} do "
            "not fit together; give one estimate and one error per feature, and one df or one per feature."
        )
    if mixture not in FAMILIES:
        raise InputError(f"mixture={mixture!r} is unknown; choose one of {', '.join(map(repr, FAMILIES))}.")
    if not null_weight >= 1:
        raise InputError(f"null_weight={null_weight!r}; the Dirichlet parameter of the null must be at least 1.")
    if mixture == "normal" and np.isfinite(nu).any():
        raise InputError(
            "Normal components need normal errors, and these have finite degrees of freedom. Use mixture='uniform' or "
            "'halfuniform', or df=inf to take the errors as normal."
        )
    return x, s, np.broadcast_to(nu, x.shape)


def _by_chunks(prior: MixturePrior, x: Array, s: Array, df: Array) -> Array:
    out = np.empty((x.size, prior.size))
    for begin in range(0, x.size, CHUNK):
        rows = slice(begin, begin + CHUNK)
        out[rows] = log_component_densities(prior, x[rows], s[rows], df[rows])
    return out


def _posterior(prior: MixturePrior, x: Array, s: Array, df: Array) -> Array:
    """Probabilities of negative, positive and zero, mean and standard deviation, ``(5, rows)``."""
    log_densities = log_component_densities(prior, x, s, df)
    weighted, _ = scaled_likelihood(log_densities + np.log(prior.weights))
    share = weighted / weighted.sum(axis=1, keepdims=True)
    moments = _normal_parts(prior, x, s) if prior.family == "normal" else _uniform_parts(prior, x, s, df, log_densities)
    negative, means, variances = moments
    zero = share @ prior.is_point.astype(np.float64)
    below = np.sum(share * negative, axis=1)
    above = np.sum(share * np.where(prior.is_point, 0.0, 1.0 - negative), axis=1)
    mean = np.sum(share * means, axis=1)
    spread = np.sum(share * (variances + (means - mean[:, None]) ** 2), axis=1)
    return np.stack([below, above, zero, mean, np.sqrt(spread)])


def _normal_parts(prior: MixturePrior, x: Array, s: Array) -> tuple[Array, Array, Array]:
    variance = s[:, None] ** 2 * prior.upper**2 / (s[:, None] ** 2 + prior.upper**2)
    mean = x[:, None] * prior.upper**2 / (s[:, None] ** 2 + prior.upper**2)
    z = np.divide(mean, np.sqrt(variance), out=np.zeros_like(mean), where=variance > 0)
    return np.where(prior.is_point, 0.0, special.ndtr(-z)), mean, variance


def _uniform_parts(
    prior: MixturePrior, x: Array, s: Array, df: Array, log_densities: Array
) -> tuple[Array, Array, Array]:
    negative, mean, variance = (np.zeros((x.size, prior.size)) for _ in range(3))
    for k, (lower, upper) in enumerate(zip(prior.lower, prior.upper)):
        if lower == upper:
            continue
        t_mean, t_variance = interval_moments((x - upper) / s, (x - lower) / s, df)
        mean[:, k] = np.clip(x - s * t_mean, lower, upper)
        variance[:, k] = s**2 * t_variance
        negative[:, k] = float(upper <= 0)
        if lower < 0 < upper:
            below = log_interval_mass(x / s, (x - lower) / s, df) - np.log(upper - lower)
            negative[:, k] = np.exp(np.minimum(below - log_densities[:, k], 0.0))
    return negative, mean, variance
