"""Features without an effect of the biology, found while an effect that depends on the feature is taken out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lstsq

from latentadj.core.local_fdr import local_fdr
from latentadj.core.matrix import Array
from latentadj.core.qvalue import pi0_estimate
from latentadj.core.robust import huber_regression
from latentadj.core.tails import f_upper_p
from latentadj.core.variance import VariancePrior

#: Cut-off of the p-values above which only null features are counted.
NULL_CUTOFF = 0.5
#: Smallest share of the features that is taken for null, as in regression with least trimmed squares.
MIN_NULL_SHARE = 0.5
#: Probability from which on a feature is taken for null, and features that the density of p-values needs.
NULL_PROBABILITY = 0.5
MIN_FOR_DENSITY = 50
#: Rounds after which the smallest p-value of a null feature is kept, so that the search must come to an end.
CUTOFF_ROUNDS = 10
#: Standard errors that no feature's shift may change by in the last round.
TOLERANCE = 0.01


@dataclass(frozen=True, slots=True)
class NullFeatures:
    """Features taken for null, and what the common effect adds to their coordinates.

    Attributes
    ----------
    mask : ndarray of bool, shape (n_features,)
    p_value : ndarray of shape (n_features,)
        Of the biology, with the common effect taken out; NaN for features that cannot be tested.
    share : float
        Estimated share of null features.
    n_iter : int
    converged : bool
    """

    mask: NDArray[np.bool_]
    p_value: Array
    share: float
    n_iter: int
    converged: bool


@dataclass(frozen=True, slots=True)
class BiologyEffects:
    """Coordinates of the features along the biology.

    Attributes
    ----------
    effects : ndarray of shape (n_features, p)
        Along orthonormal directions, so that their noise variances are the residual variances.
    reachable : ndarray of shape (n_features, p)
        The part of these coordinates that effects of the samples can change.
    prior : VariancePrior
        Moderated residual variances and their degrees of freedom.
    """

    effects: Array
    reachable: Array
    prior: VariancePrior

    @property
    def precision(self) -> Array:
        """One over the moderated variances, ``(n_features,)``; 0 where a feature cannot be tested."""
        return precision(self.prior)

    def p_values(self, basis: Array, shift: Array) -> Array:
        """P-values ``(n_features,)`` of the biology beside a shift ``(q, p)`` along the feature basis."""
        left = self.effects - basis @ shift
        statistic = np.einsum("mp,mp->m", left, left) / self.effects.shape[1] * self.precision
        p = f_upper_p(statistic, self.effects.shape[1], self.prior.df_total)
        return np.where(self.precision > 0, p, np.nan)


def precision(prior: VariancePrior) -> Array:
    """One over moderated variances ``(n_features,)``; 0 where there is none."""
    variance = prior.s2_post
    usable = np.isfinite(variance) & (variance > 0)
    return np.divide(1.0, variance, out=np.zeros_like(variance), where=usable)


def find_null_features(found: BiologyEffects, basis: Array, max_iter: int = 100) -> NullFeatures:
    """Find the features without an effect of the biology, beside effects that follow a feature basis.

    Parameters
    ----------
    found : BiologyEffects
    basis : ndarray of shape (n_features, q)
        What the sample effects depend on: functions of intensity, GC content, say.
    max_iter : int, default=100

    Returns
    -------
    NullFeatures

    Notes
    -----
    The scheme of Mecham, Nelson and Storey (2010), Bioinformatics 26:1308: test the biology, take features for null,
    estimate the common effect from them, repeat. Features are null if their local false discovery rate (Efron,
    Tibshirani, Storey and Tusher 2001) is a half or more, and at least the half with the largest p-values; a
    share of the features with the largest p-values, as estimated, would let in clear effects whenever the share is
    overestimated. It starts from a Huber regression over all features, and ends when no feature's shift moves by
    more than a hundredth of a standard error. The smallest p-value of a null feature is kept after ten rounds: each
    round then lowers the sum of ``min(F, c)`` over features, or is the last.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> basis = np.column_stack([np.ones(400), np.linspace(-1, 1, 400)])
    >>> effects = basis @ [[3.0], [2.0]] + rng.normal(size=(400, 1))
    >>> effects[:80] += 8
    >>> prior = VariancePrior(np.inf, 1.0, np.ones(400), np.inf)
    >>> nulls = find_null_features(BiologyEffects(effects, effects, prior), basis)
    >>> int(nulls.mask[:80].sum()), bool(nulls.mask.mean() > 0.7)
    (0, True)
    """
    root = np.sqrt(found.precision)
    shift = _start(found.reachable, basis, root)
    moved, share, cutoff = np.inf, 1.0, 0.0
    for n_iter in range(1, max_iter + 1):
        p = found.p_values(basis, shift)
        if n_iter <= CUTOFF_ROUNDS:
            share = null_share(p)
            cutoff = null_cutoff(p, share)
        mask = p >= cutoff
        previous, shift = shift, _regression(found.reachable, basis, root * mask)
        moved = float(np.max(np.abs(basis @ (shift - previous)) * root[:, None], initial=0.0))
        if moved < TOLERANCE:
            break
    return NullFeatures(mask, found.p_values(basis, shift), share, n_iter, moved < TOLERANCE)


def _start(reachable: Array, basis: Array, root: Array) -> Array:
    used = root > 0
    predictors = basis[used] * root[used, None]
    columns = [huber_regression(column[used] * root[used], predictors).coef for column in reachable.T]
    return np.column_stack(columns)


def _regression(reachable: Array, basis: Array, root: Array) -> Array:
    out: Array = lstsq(basis * root[:, None], reachable * root[:, None])[0]
    return out


def null_share(p_values: Array) -> float:
    """Estimate the share of null features, at least a half.

    Parameters
    ----------
    p_values : ndarray of shape (n_features,)
        NaN is left out.

    Returns
    -------
    float

    Examples
    --------
    >>> round(null_share(np.concatenate([np.linspace(0, 1, 801), np.zeros(199)])), 2)
    0.8
    """
    if not np.any(p_values >= NULL_CUTOFF):
        return MIN_NULL_SHARE
    return max(pi0_estimate(p_values, lambdas=NULL_CUTOFF).pi0, MIN_NULL_SHARE)


def null_cutoff(p_values: Array, share: float) -> float:
    """Return the smallest p-value of features that are taken for null.

    Parameters
    ----------
    p_values : ndarray of shape (n_features,)
        NaN is left out.
    share : float
        Share of null features.

    Returns
    -------
    float
        A p-value from which on the local false discovery rate is a half or more, at most the median; with few
        features the one that the share gives.

    Examples
    --------
    >>> p = np.concatenate([np.linspace(0.001, 1, 801), np.full(200, 1e-9)])
    >>> bool(0.001 <= null_cutoff(p, 0.8) < 0.01)
    True
    """
    present = np.sort(p_values[~np.isnan(p_values)])
    if present.size == 0:
        return 1.0
    if present.size < MIN_FOR_DENSITY:
        return float(present[present.size - int(np.ceil(share * present.size))])
    null = present[local_fdr(present, pi0=share) >= NULL_PROBABILITY]
    return float(min(null.min(initial=1.0), present[present.size // 2]))
