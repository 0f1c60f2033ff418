"""Quality weights of samples by restricted maximum likelihood, features given and no hidden factors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import solve

from latentadj.core.kernels import column_sum_of_squares
from latentadj.core.matrix import Array, FeatureMatrix
from latentadj.core.pass_kernel import PassKernel
from latentadj.core.passes import run_pass
from latentadj.core.regression import design_basis
from latentadj.core.uneven_shares import NO_RESIDUAL, UnevenShareKernel
from latentadj.exceptions import InputError

__all__ = ["ArrayWeights", "array_weights", "array_weights_one_pass"]

#: Residual variances below are passed over by the one-pass rule.
_SMALL_VARIANCE = 1e-15


@dataclass(frozen=True, slots=True)
class ArrayWeights:
    """Quality weights of the samples.

    Attributes
    ----------
    weights : ndarray of shape (n_samples,)
        Proportional to one over the noise variance; geometric mean 1.
    converged : bool
    n_iter : int
        Passes over the data.
    """

    weights: Array
    converged: bool
    n_iter: int


class _ShareKernel(PassKernel):
    """Sum over features of each sample's squared residual over the feature's residual variance."""

    sums = ("shares", "n_features")

    def __init__(self, basis: Array, root_weights: Array) -> None:
        self.basis = basis
        self.root_weights = root_weights
        self.df = basis.shape[0] - basis.shape[1]
        self.shares: Array = np.zeros(basis.shape[0])
        self.n_features = np.zeros(1, dtype=np.intp)

    def update(self, block: Array, columns: slice) -> None:
        with np.errstate(invalid="ignore", over="ignore"):
            scaled = block * self.root_weights[:, None]
            total = column_sum_of_squares(scaled)
            scaled -= self.basis @ (self.basis.T @ scaled)
            rss = column_sum_of_squares(scaled)
            usable = np.isfinite(rss) & (rss > NO_RESIDUAL * total)
        self.shares += np.square(scaled[:, usable]) @ (self.df / rss[usable])
        self.n_features += usable.sum()

    def result(self) -> tuple[Array, int]:
        return self.shares, int(self.n_features[0])


def array_weights(
    Y: FeatureMatrix,
    design: Array,
    *,
    observation_weights: FeatureMatrix | None = None,
    variance_design: ArrayLike | None = None,
    prior_features: float = 10.0,
    tol: float = 1e-8,
    max_iter: int = 50,
    complete_only: bool = False,
) -> ArrayWeights:
    r"""Estimate one quality weight per sample from all features.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
        NaN marks missing values.
    design : ndarray of shape (n_samples, d)
    observation_weights : FeatureMatrix of shape (n_samples, n_features), optional
        Not negative; observations of weight 0 count as missing.
    variance_design : array_like of shape (n_samples, q), optional
        Columns that log variances are linear in, e.g. indicators of groups; by default every sample has its own.
    prior_features : float, default 10
        Weight of the prior "all samples are alike", in features.
    tol : float, default 1e-8
        Squared length of a step, in standard errors per feature, at which the scoring stops. limma's is 1e-5.
    max_iter : int, default 50
    complete_only : bool, default False
        Leave out features with missing values, as limma does.

    Returns
    -------
    ArrayWeights
        Ones with fewer than two residual degrees of freedom or two usable features.

    Raises
    ------
    InputError
        If `design` or `variance_design` have another number of rows than samples, or options are out of range.

    Notes
    -----
    The variance of feature j in sample i is :math:`\sigma_j^2 \exp(z_i' \gamma)` (Ritchie et al. 2006, BMC
    Bioinformatics 7: 261). Fisher scoring of the restricted likelihood pools all features: with P the projection on
    what the weighted design leaves, the score of :math:`\gamma` is :math:`Z'(\sum_j w r_j^2 / s_j^2 - m (1 - h))` and
    its information :math:`m Z' (P \circ P) Z`, with the features' own variances eliminated. A feature with missing
    values or observation weights has a P of its own and adds to both by itself. The rounds end early when a step is
    longer than the one before.

    No hidden factors are foreseen: a factor passes for unequal samples. `latentadj.core.sample_quality` estimates
    weights beside them.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> rng = np.random.default_rng(0)
    >>> Y = rng.normal(size=(12, 3000)) * np.repeat([1.0, 2.0], [8, 4])[:, None]
    >>> w = array_weights(ArrayMatrix(Y), np.ones((12, 1))).weights
    >>> bool(abs(w[:8].mean() / w[8:].mean() - 4) < 0.4)
    True
    """
    n = Y.shape[0]
    directions = _variance_directions(variance_design, n)
    _check_options(design, n, prior_features, tol, max_iter)
    sums = _Sums(Y, design_basis(design).q, observation_weights, complete_only)
    gamma: Array = np.zeros(directions.shape[1])
    weights: Array = np.ones(n)
    last, converged, rounds = np.inf, n - sums.design.shape[1] < 2, 0
    while not converged and rounds < max_iter:
        excess, sample_information, m = sums.at(weights)
        rounds += 1
        if m < 2:
            return ArrayWeights(np.ones(n), True, rounds)
        score = directions.T @ excess + prior_features * directions.T @ (weights - 1.0)
        information = directions.T @ sample_information @ directions + prior_features * np.eye(len(gamma))
        step = solve(information, score, assume_a="pos")
        length = float(score @ step) / len(gamma) / (m + prior_features)
        if not length < last:
            break
        gamma, last, converged = gamma + step, length, length < tol
        weights = np.exp(-directions @ gamma)
    return ArrayWeights(weights, converged, rounds)


@dataclass(frozen=True, slots=True)
class _Sums:
    """Data and design of the scoring; design orthonormal."""

    Y: FeatureMatrix
    design: Array
    observation_weights: FeatureMatrix | None
    complete_only: bool

    def at(self, weights: Array) -> tuple[Array, Array, int]:
        """Excess (n_samples,), information (n_samples, n_samples) and number of features, in one pass."""
        root = np.sqrt(weights)
        uneven = UnevenShareKernel(self.design, root, self.observation_weights)
        if self.observation_weights is not None:
            found = run_pass(self.Y, uneven)[0]
            return found.excess, found.information, found.n_features
        basis = design_basis(self.design * root[:, None]).q
        kernels = [_ShareKernel(basis, root)] if self.complete_only else [_ShareKernel(basis, root), uneven]
        (shares, m), *others = run_pass(self.Y, *kernels)
        excess, information = _score(basis, shares, m)
        for found in others:
            excess, information, m = (
                excess + found.excess,
                information + found.information,
                m + found.n_features,
            )
        return excess, information, m


def array_weights_one_pass(
    values: ArrayLike,
    design: Array,
    *,
    observation_weights: ArrayLike | None = None,
    variance_design: ArrayLike | None = None,
    prior_features: float = 10.0,
) -> Array:
    """Update sample weights feature by feature, each with the weights that the earlier ones left.

    The answer depends on the order of the features; it is here because limma uses it where values are missing or
    observations have weights. `array_weights` does not have this property.

    Parameters
    ----------
    values : array_like of shape (n_samples, n_features)
        NaN marks missing values.
    design : ndarray of shape (n_samples, d)
    observation_weights : array_like of shape (n_samples, n_features), optional
        Not negative; observations of weight 0 count as missing.
    variance_design, prior_features
        As in `array_weights`.

    Returns
    -------
    ndarray of shape (n_samples,)

    Raises
    ------
    InputError
        If shapes do not fit or a weight is negative or not finite.

    Notes
    -----
    The gene-by-gene update of Ritchie et al. (2006, BMC Bioinformatics 7: 261).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> Y = rng.normal(size=(12, 500)) * np.repeat([1.0, 2.0], [8, 4])[:, None]
    >>> w = array_weights_one_pass(Y, np.ones((12, 1)))
    >>> bool(w[:8].min() > w[8:].max())
    True
    """
    table = np.asarray(values, dtype=np.float64)
    directions = _variance_directions(variance_design, len(table))
    _check_options(design, len(table), prior_features, 1.0, 1)
    own = _checked_weights(observation_weights, table)
    seen = np.isfinite(table) & (own > 0)
    information = prior_features * directions.T @ directions
    gamma: Array = np.zeros(directions.shape[1])
    for j in range(table.shape[1]):  # each update starts from the last: there is nothing to vectorise
        weights = np.exp(-directions @ gamma) * own[:, j]
        found = _one_feature(table[:, j], weights, design, seen[:, j])
        if found is not None:
            excess, free = found
            information += _without_level(directions, free[:, None] * directions, free)
            gamma = gamma + solve(information, directions.T @ excess, assume_a="pos")
    return np.asarray(np.exp(-directions @ gamma))


def _variance_directions(variance_design: ArrayLike | None, n: int) -> Array:
    """Orthonormal columns, each of sum zero, that log variances vary along."""
    columns = np.eye(n) if variance_design is None else np.asarray(variance_design, dtype=np.float64)
    if columns.ndim != 2 or len(columns) != n or not np.isfinite(columns).all():
        raise InputError(f"variance_design has shape {columns.shape}; it must be finite with {n} rows, one per sample.")
    q = design_basis(np.column_stack([np.ones(n), columns])).q[:, 1:]
    if q.shape[1] == 0:
        raise InputError("variance_design does not tell any samples apart; leave it out or give group indicators.")
    return q


def _check_options(design: Array, n: int, prior_features: float, tol: float, max_iter: int) -> None:
    if np.ndim(design) != 2 or len(design) != n:
        raise InputError(f"design has shape {np.shape(design)}; it must have {n} rows, one per sample.")
    if not (prior_features > 0 and tol > 0 and max_iter >= 1):
        raise InputError(
            f"prior_features={prior_features!r}, tol={tol!r}, max_iter={max_iter!r}: the first two must be above 0, "
            "the last at least 1."
        )


def _checked_weights(weights: ArrayLike | None, table: Array) -> Array:
    own = np.ones(table.shape) if weights is None else np.asarray(weights, dtype=np.float64)
    if own.shape != table.shape or not (np.isfinite(own) & (own >= 0)).all():
        raise InputError(
            f"observation_weights has shape {own.shape}; it must be {table.shape}, weights finite and not negative."
        )
    return own


def _score(basis: Array, shares: Array, m: int) -> tuple[Array, Array]:
    """Excess and expected information of the samples' log variances, from features that have one basis."""
    projection = np.eye(len(basis)) - basis @ basis.T
    free = np.diag(projection)
    information: Array = m * (projection**2 - np.outer(free, free) / free.sum())
    return shares - m * free, information


def _without_level(directions: Array, product: Array, level: Array) -> Array:
    """Information about the directions when each feature's own level is estimated too.

    `product` is the information matrix of the samples times the directions, `level` the same times ones.
    """
    shared = directions.T @ level
    out: Array = directions.T @ product - np.outer(shared, shared) / level.sum()
    return out


def _one_feature(y: Array, weights: Array, design: Array, seen: np.ndarray) -> tuple[Array, Array] | None:
    """Excess of each sample's squared residual, and one minus its leverage; None where nothing can be learnt."""
    root = np.sqrt(weights[seen])
    basis = design_basis(design[seen] * root[:, None]).q
    df = len(root) - basis.shape[1]
    if df < 2:
        return None
    scaled = y[seen] * root
    residual = scaled - basis @ (basis.T @ scaled)
    variance = float(residual @ residual) / df
    if variance < _SMALL_VARIANCE:
        return None
    excess, free = np.zeros(len(y)), np.zeros(len(y))
    free[seen] = 1.0 - np.square(basis).sum(axis=1)
    excess[seen] = residual**2 / variance - free[seen]
    return excess, free
