"""Shrunken effects: posterior summaries under a prior that was learned from all features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from latentadj.core.adaptive_shrinkage import (
    PosteriorSummary,
    fit_prior,
    normal_equivalent_errors,
    posterior_summary,
    s_values,
)
from latentadj.core.mixture_prior import MixturePrior
from latentadj.exceptions import InputError
from latentadj.results.statistics import TestStatistics, over_tests

Array = NDArray[np.float64]

#: Columns of `ShrunkenEffects.table` after ``feature`` and ``term``.
COLUMNS = (
    "estimate",
    "std_error",
    "posterior_mean",
    "posterior_sd",
    "positive_probability",
    "negative_probability",
    "lfsr",
    "s_value",
    "lfdr",
    "q_value",
)


@dataclass(frozen=True)
class ShrunkenEffects:
    """Posterior summaries of the effects of some terms.

    Attributes
    ----------
    names : tuple of str, length T
    estimate, std_error : ndarray of shape (n_features, T)
        What the posterior was computed from.
    negative_probability, positive_probability : ndarray of shape (n_features, T)
        Posterior probabilities that the effect is below and above zero.
    lfsr, lfdr : ndarray of shape (n_features, T)
        Local false sign rate, and posterior probability of no effect.
    s_value, q_value : ndarray of shape (n_features, T)
        Average of `lfsr` and of `lfdr` over the features at least as significant.
    posterior_mean, posterior_sd : ndarray of shape (n_features, T)
    priors : tuple of MixturePrior, length T
    alpha : float
        Effects divided by ``std_error ** alpha`` follow the prior.
    null_share : ndarray of shape (T,)
        Estimated share of features without effect.
    converged : bool
    """

    names: tuple[str, ...]
    estimate: Array
    std_error: Array
    negative_probability: Array
    positive_probability: Array
    lfsr: Array
    lfdr: Array
    s_value: Array
    q_value: Array
    posterior_mean: Array
    posterior_sd: Array
    priors: tuple[MixturePrior, ...]
    alpha: float = 0.0
    converged: bool = True

    @property
    def null_share(self) -> Array:
        """Estimated share of features without effect, ``(T,)``."""
        return np.array([prior.null_weight for prior in self.priors])

    def table(self, feature_names: Sequence[Any] | None = None, term: str | None = None) -> pd.DataFrame:
        """One row per feature and term.

        Parameters
        ----------
        feature_names : sequence, optional
            Names of the features; their positions without it.
        term : str, optional
            Only this term.

        Returns
        -------
        pandas.DataFrame
            Columns ``feature, term, estimate, std_error, posterior_mean, posterior_sd, positive_probability,
            negative_probability, lfsr, s_value, lfdr, q_value``; all features of the first term come first.

        Raises
        ------
        InputError
            For an unknown term or a wrong number of names.
        """
        n_features = self.estimate.shape[0]
        names: Any = range(n_features) if feature_names is None else list(feature_names)
        if len(names) != n_features:
            raise InputError(f"{len(names)} feature names for {n_features} features; give one name per feature.")
        if term is not None and term not in self.names:
            raise InputError(f"term={term!r} is unknown; the shrunken terms are {', '.join(map(repr, self.names))}.")
        chosen = [i for i, name in enumerate(self.names) if term is None or name == term]
        frames = [
            pd.DataFrame(
                {"feature": names, "term": self.names[i], **{name: getattr(self, name)[:, i] for name in COLUMNS}}
            )
            for i in chosen
        ]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=["feature", "term", *COLUMNS])


def shrunken_effects(
    names: tuple[str, ...],
    estimate: Array,
    std_error: Array,
    posteriors: Sequence[PosteriorSummary],
    priors: Sequence[MixturePrior],
    *,
    alpha: float = 0.0,
    converged: bool = True,
) -> ShrunkenEffects:
    """Put the posteriors of several terms together.

    Parameters
    ----------
    names : tuple of str, length T
    estimate, std_error : ndarray of shape (n_features, T)
    posteriors : sequence of PosteriorSummary, length T
    priors : sequence of MixturePrior, length T
    alpha : float, default=0.0
    converged : bool, default=True

    Returns
    -------
    ShrunkenEffects
    """

    def side_by_side(parts: list[Array]) -> Array:
        return np.column_stack(parts) if parts else np.empty((estimate.shape[0], 0))

    return ShrunkenEffects(
        names=names,
        estimate=estimate,
        std_error=std_error,
        negative_probability=side_by_side([p.negative for p in posteriors]),
        positive_probability=side_by_side([p.positive for p in posteriors]),
        lfsr=side_by_side([p.lfsr for p in posteriors]),
        lfdr=side_by_side([p.zero for p in posteriors]),
        s_value=side_by_side([s_values(p.lfsr) for p in posteriors]),
        q_value=side_by_side([s_values(p.zero) for p in posteriors]),
        posterior_mean=side_by_side([p.mean for p in posteriors]),
        posterior_sd=side_by_side([p.sd for p in posteriors]),
        priors=tuple(priors),
        alpha=alpha,
        converged=converged,
    )


def shrink(
    estimate: ArrayLike,
    std_error: ArrayLike,
    df: ArrayLike = np.inf,
    *,
    mixture: str = "uniform",
    null_weight: float = 10.0,
    alpha: float = 0.0,
    name: str = "effect",
) -> ShrunkenEffects:
    """Shrink estimates adaptively and give each a local false sign rate.

    Parameters
    ----------
    estimate, std_error : array_like of shape (m,)
        Features whose estimate or error is missing, or whose error is not positive, keep their place with NaN.
    df : float or array_like of shape (m,), default=inf
        Degrees of freedom of the estimates' t distribution; infinite for normal errors.
    mixture : {"uniform", "halfuniform", "normal"}, default="uniform"
        Effects have a symmetric unimodal distribution, any unimodal one, or a scale mixture of normals (only with
        ``df=inf``).
    null_weight : float, default=10.0
        How much a share of features without effect is favoured: the Dirichlet parameter of the point mass at zero; 1
        favours nothing.
    alpha : float, default=0.0
        0 if effects are exchangeable, 1 if standardised effects are: then features with larger errors are expected
        to have larger effects.
    name : str, default="effect"

    Returns
    -------
    ShrunkenEffects
        With a single term.

    Raises
    ------
    InputError
        Unknown mixture, ``null_weight`` below 1, shapes that do not fit, normal components with finite `df`.

    Notes
    -----
    Stephens (2017), Biostatistics 18:275. The prior is the penalised maximum-likelihood mixture over a grid of scales,
    found exactly (Kim, Carbonetto, Stephens and Anitescu 2020). The errors of the estimates are taken as independent:
    estimates that share an unmodelled factor make the prior, and with it every lfsr, wrong.

    Examples
    --------
    >>> shrunk = shrink([0.1, -0.3, 0.2, 4.0], [0.3, 0.3, 0.3, 0.3])
    >>> shrunk.lfsr[3, 0] < 0.01 < shrunk.lfsr[0, 0]
    np.True_
    """
    fit = fit_prior(estimate, std_error, df, mixture=mixture, null_weight=null_weight, alpha=alpha)
    posterior = posterior_summary(fit.prior, estimate, std_error, df, alpha=alpha)
    x, s = (np.asarray(values, dtype=np.float64)[:, None] for values in (estimate, std_error))
    return shrunken_effects((name,), x, s, [posterior], [fit.prior], alpha=alpha, converged=fit.converged)


def shrink_tests(
    tests: TestStatistics, *, mixture: str = "uniform", null_weight: float = 10.0, alpha: float = 0.0
) -> ShrunkenEffects:
    """Shrink the effects of tested contrasts, each contrast with a prior of its own.

    Parameters
    ----------
    tests : TestStatistics
        Estimates, standard errors and degrees of freedom are used; calibrated statistics are not.
    mixture, null_weight, alpha
        As in `shrink`. With ``mixture="normal"`` each estimate counts as normal, with the standard error that has the
        same p-value.

    Returns
    -------
    ShrunkenEffects

    Raises
    ------
    InputError
        As `shrink`.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 200))
    >>> res = la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), method="none")
    >>> shrink_tests(res.tests).table().shape
    (200, 12)
    """
    std_error, normal = tests.std_error, mixture == "normal" and not np.all(np.isinf(tests.df))
    if normal:
        std_error = normal_equivalent_errors(tests.estimate, std_error, over_tests(tests.df))
    priors, posteriors, converged = [], [], True
    for i, (estimates, errors) in enumerate(zip(tests.estimate.T, std_error.T, strict=True)):
        df = np.inf if normal else tests.df_of(i)
        fit = fit_prior(estimates, errors, df, mixture=mixture, null_weight=null_weight, alpha=alpha)
        priors.append(fit.prior)
        posteriors.append(posterior_summary(fit.prior, estimates, errors, df, alpha=alpha))
        converged = converged and fit.converged
    return shrunken_effects(
        tests.names, tests.estimate, std_error, posteriors, priors, alpha=alpha, converged=converged
    )
