"""Noise variance of every sample, common to all features, estimated beside an unknown number of factors.

Everything happens on the ``n x n`` Gram matrix of the residuals, so that the cost does not depend on the number of
features.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh, solve

from latentadj.core.matrix import Array
from latentadj.core.regression import design_basis

#: In a round a sample's variance falls at most to this share, and rises at most by this factor.
LARGEST_FALL, LARGEST_RISE = 0.2, 100.0
#: From this round on the number of factors may only fall, so that it cannot go back and forth for ever.
SETTLING = 8

#: Says from the shares of the residual sum of squares, largest first, how many factors there are.
CountFactors = Callable[[Array], int]


@dataclass(frozen=True, slots=True)
class SampleVariances:
    """Relative noise variances of the samples.

    Attributes
    ----------
    variance : ndarray of shape (n_samples,)
        Geometric mean 1.
    n_independent : float
        Independent features that stand behind them; see `independent_features`.
    n_factors : int
        Factors that were set aside.
    converged : bool
    n_iter : int
    """

    variance: Array
    n_independent: float
    n_factors: int
    converged: bool
    n_iter: int

    def shrunken(self) -> Array:
        """Return the variances with the share of their spread that is sampling error taken away.

        A log variance has the sampling variance ``2 / n_independent``, so that features that move together do not
        pass for many.
        """
        logs = np.log(self.variance)
        observed = float(logs @ logs) / len(logs)
        share = max(1.0 - 2.0 / self.n_independent / observed, 0.0) if observed > 0 else 0.0
        out: Array = np.exp(share * logs)
        return out


def sample_variances(
    gram: Array,
    design: Array,
    n_features: int,
    count_factors: CountFactors,
    *,
    prior_features: float = 10.0,
    tol: float = 1e-3,
    max_iter: int = 50,
) -> SampleVariances:
    """Estimate each sample's noise variance, up to a common factor.

    Parameters
    ----------
    gram : ndarray of shape (n_samples, n_samples)
        Mean over features of ``r r'`` with r the residuals of a feature from `design`, scaled to unit variance.
    design : ndarray of shape (n_samples, d)
    n_features : int
        Features behind `gram`.
    count_factors : callable
        Applied to the shares of the residual sum of squares after samples are brought to equal variance.
    prior_features : float, default=10
        Weight of the prior, "all samples are alike", in features.
    tol : float, default=1e-3
        Largest change of a log variance at which the rounds stop.
    max_iter : int, default=50

    Returns
    -------
    SampleVariances

    Notes
    -----
    With samples divided by the current standard deviations, P the projection on what design and factors leave, and d
    the remaining ratios of variances, the expected mean square of sample i's residuals is ``sum_l P_il^2 d_l``:
    linear in d, and solved for d (Rao 1970, minimum norm quadratic estimation), with `prior_features` features' worth
    of equal variances added. A sample that the factors fit alone has ``P_ii = 0`` and is left to the prior; without
    one its weight would run away. The first round knows no factors, so that a noisy sample is scaled down before it
    can pass for one; the number is counted anew in every round.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> spread = np.repeat([1.0, 2.0], 10)
    >>> R = rng.normal(size=(20, 1000)) * spread[:, None]
    >>> R -= R.mean(axis=0)
    >>> found = sample_variances(R @ R.T / 1000, np.ones((20, 1)), 1000, lambda shares: 0)
    >>> bool(abs(found.variance[10:].mean() / found.variance[:10].mean() - 4) < 0.3)
    True
    """
    variance, k, change = np.ones(len(gram)), 0, np.inf
    rounds = 0
    while rounds < max_iter and not (change < tol and rounds > 2):
        scaled, projection = _in_equal_variance(gram, design, variance)
        if rounds:
            counted = _count(scaled, projection, count_factors)
            k = min(k, counted) if rounds >= SETTLING else counted
            projection = _without_factors(scaled, projection, k)
        updated = _centred(variance * _variance_ratios(scaled, projection, prior_features / n_features, 1.0 / variance))
        change = float(np.abs(np.log(updated / variance)).max())
        variance, rounds = updated, rounds + 1
    n_independent = independent_features(*_in_equal_variance(gram, design, variance), k)
    return SampleVariances(variance, n_independent, k, change < tol, rounds)


def independent_features(gram: Array, projection: Array, k: int) -> float:
    """Return how many independent features would give noise eigenvalues as spread as those of a Gram matrix.

    Parameters
    ----------
    gram : ndarray of shape (n_samples, n_samples)
        Mean of ``r r'`` over features, samples of equal variance.
    projection : ndarray of shape (n_samples, n_samples)
        On what the design leaves.
    k : int
        Leading eigenvalues that are left out.

    Returns
    -------
    float
        From ``sum l^2 = s^2 df (1 + (df + 1) / m)``, the second moment of a Wishart matrix.
    """
    df = round(float(np.trace(projection))) - k
    bulk = np.maximum(eigh(projection @ gram @ projection, eigvals_only=True)[::-1][k : k + df], 0.0)
    excess = df * float(bulk @ bulk) / float(bulk.sum()) ** 2 - 1.0
    return (df + 1) / max(excess, 1e-12)


def _centred(variance: Array) -> Array:
    out: Array = variance / np.exp(np.log(variance).mean())
    return out


def _in_equal_variance(gram: Array, design: Array, variance: Array) -> tuple[Array, Array]:
    """Residual Gram matrix after samples are divided by their standard deviations, and its projection."""
    weights = 1.0 / np.sqrt(variance)
    q = design_basis(design * weights[:, None]).q
    projection = np.eye(len(gram)) - q @ q.T
    return projection @ (gram * weights[:, None] * weights) @ projection, projection


def _count(gram: Array, projection: Array, count_factors: CountFactors) -> int:
    df = round(float(np.trace(projection)))
    leading = np.maximum(eigh(gram, eigvals_only=True)[::-1][:df], 0.0)
    return min(count_factors(leading / leading.sum()), max(df - 3, 0))


def _without_factors(gram: Array, projection: Array, k: int) -> Array:
    factors = eigh(gram)[1][:, ::-1][:, :k]
    out: Array = projection - factors @ factors.T
    return out


def _variance_ratios(gram: Array, projection: Array, prior: float, expected: Array) -> Array:
    """Solve for the remaining ratios; `prior` is the weight of the `expected` ones."""
    squares = np.einsum("ij,ji->i", projection @ gram, projection)
    typical = squares.sum() / np.trace(projection)
    system = projection**2 + prior * np.eye(len(gram))
    ratio = solve(system, squares / typical + prior * expected, assume_a="pos")
    out: Array = np.clip(ratio, LARGEST_FALL, LARGEST_RISE)
    return out
