"""Least squares with a weight for every observation, or with missing values: a fit of its own for every feature.

Features of a block that share their weights share a QR factorisation; the different ones are factored as one stack.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from latentadj.core.matrix import Array, FeatureMatrix
from latentadj.core.passes import run_pass
from latentadj.core.regression import RANK_TOLERANCE, RegressionFit, design_basis
from latentadj.exceptions import InputError

__all__ = ["StackedBases", "WeightedRegressionKernel", "fit_weighted_regression", "stacked_bases"]

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class StackedBases:
    """QR factorisations of designs with rows scaled, dependent columns set aside.

    Attributes
    ----------
    rows : ndarray of int, shape (b,)
        Which weightings they belong to.
    kept : tuple of int
        Independent columns.
    q : ndarray of shape (b, n_samples, rank)
    r_inverse : ndarray of shape (b, rank, rank)
    """

    rows: Rows
    kept: tuple[int, ...]
    q: Array
    r_inverse: Array


class WeightedRegressionKernel:
    """Weighted least squares of every feature, for `run_pass`.

    Parameters
    ----------
    design : ndarray of shape (n_samples, d)
    n_features : int
    weights : FeatureMatrix of shape (n_samples, n_features) or None
        Proportional to one over the noise variance of each observation; 0 or NaN leaves it out. Read by the blocks of
        the data.

    Notes
    -----
    A missing value is an observation of weight 0. Rows of the design are scaled by root weights and factored by
    Householder QR, never by normal equations, and residuals are formed explicitly. Columns that a feature's remaining
    samples cannot tell apart are set aside from the right, for that feature only.
    """

    def __init__(self, design: Array, n_features: int, weights: FeatureMatrix | None = None) -> None:
        d = design.shape[1]
        self.design = design
        self.weights = weights
        self.kept = design_basis(design).kept
        self.coef = np.full((n_features, d), np.nan)
        self.cov_unscaled = np.full((n_features, d, d), np.nan)
        self.rss = np.zeros(n_features)
        self.df_resid = np.zeros(n_features)
        self.mean = np.full(n_features, np.nan)
        self.constant = np.zeros(n_features, dtype=bool)

    def fork(self) -> Self:
        """Return a worker that writes its features' rows into the same arrays."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        return twin

    def update(self, block: Array, columns: slice) -> None:
        """Fit the features of one block."""
        root = _root_weights(block, None if self.weights is None else self.weights.read(columns))
        seen = root > 0
        scaled = np.where(seen, block, 0.0)
        self.mean[columns], self.constant[columns] = _level(scaled, seen)
        scaled *= root
        first = np.arange(block.shape[1]) + (columns.start or 0)
        patterns, member = _distinct(np.ascontiguousarray(root.T))
        count = seen.sum(axis=0)
        for bases in stacked_bases(self.design, patterns, self.kept):
            place = np.full(len(patterns), -1)
            place[bases.rows] = np.arange(len(bases.rows))
            here = np.flatnonzero(place[member] >= 0)
            self._fit(bases, place[member[here]], scaled[:, here].T, first[here], count[here])

    def _fit(self, bases: StackedBases, use: Rows, scaled: Array, features: Rows, count: NDArray[np.intp]) -> None:
        """Write the fits of features ``(b, n_samples)``, feature i with factorisation ``use[i]``."""
        if len(bases.rows) == 1:
            q, r_inverse = bases.q[0], bases.r_inverse
            effects = scaled @ q
            residual = scaled - effects @ q.T
        else:
            q, r_inverse = bases.q[use], bases.r_inverse[use]
            effects = np.matmul(scaled[:, None, :], q)[:, 0]
            residual = scaled - np.matmul(q, effects[:, :, None])[:, :, 0]
        kept = np.array(bases.kept, dtype=np.intp)
        self.coef[features[:, None], kept] = np.matmul(r_inverse, effects[:, :, None])[:, :, 0]
        self.cov_unscaled[features[:, None, None], kept[:, None], kept] = r_inverse @ r_inverse.transpose(0, 2, 1)
        self.rss[features] = np.einsum("bn,bn->b", residual, residual)
        self.df_resid[features] = count - len(kept)

    def merge(self, other: Self) -> None:
        """Nothing to add: rows are written in place."""

    def result(self) -> RegressionFit:
        """Return the fits."""
        sigma2 = np.divide(self.rss, self.df_resid, out=np.full_like(self.rss, np.nan), where=self.df_resid > 0)
        return RegressionFit(self.coef, sigma2, self.df_resid, self.cov_unscaled, self.mean, self.constant)


def fit_weighted_regression(Y: FeatureMatrix, design: Array, weights: FeatureMatrix | None = None) -> RegressionFit:
    """Fit one design to every feature, with weights of observations or missing values, in one pass.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
        NaN marks missing values.
    design : ndarray of shape (n_samples, d)
    weights : FeatureMatrix of shape (n_samples, n_features), optional
        Proportional to one over the noise variance of each observation; 0 or NaN leaves it out.

    Returns
    -------
    RegressionFit
        `df_resid` has shape (n_features,), `cov_unscaled` (n_features, d, d). Coefficients that the observations of a
        feature cannot tell are NaN; of columns that depend on each other the later ones. `mean` is the plain mean of
        the observations used.

    Raises
    ------
    InputError
        If shapes do not fit, or a weight is negative or infinite.

    Notes
    -----
    Weighted least squares (Aitken 1935), feature by feature. A contrast's variance comes from the feature's own
    covariance, so that contrasts are exact.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> Y = np.array([[1.0, 1.0], [2.0, np.nan], [4.0, 4.0], [5.0, 6.0]])
    >>> X = np.column_stack([np.ones(4), [0.0, 0.0, 1.0, 1.0]])
    >>> fit = fit_weighted_regression(ArrayMatrix(Y), X)
    >>> fit.coef.round(12), fit.df_resid
    (array([[1.5, 3. ],
           [1. , 4. ]]), array([2., 1.]))
    """
    if design.ndim != 2 or design.shape[0] != Y.shape[0]:
        raise InputError(f"design has shape {design.shape}; it must have {Y.shape[0]} rows, one per sample.")
    if weights is not None and weights.shape != Y.shape:
        raise InputError(
            f"weights have shape {weights.shape}; they must be {Y.shape}, samples by features. For one weight per "
            "sample use Whitening.from_weights."
        )
    fit: RegressionFit = run_pass(Y, WeightedRegressionKernel(design, Y.shape[1], weights))[0]
    return fit


def _root_weights(block: Array, weights: Array | None) -> Array:
    """Root weights of a block, 0 where an observation is missing or left out."""
    seen = ~np.isnan(block)
    if weights is None:
        return seen.astype(np.float64)
    if np.isinf(weights).any() or (weights < 0).any():
        raise InputError("Observation weights must be finite and not negative; use 0 to leave an observation out.")
    return np.sqrt(np.where(seen & ~np.isnan(weights), weights, 0.0))


def _distinct(roots: Array) -> tuple[Array, Rows]:
    """Different rows ``(u, n_samples)`` of root weights, and which of them each row is."""
    if len(roots) and (roots == roots[0]).all():
        return roots[:1], np.zeros(len(roots), dtype=np.intp)
    as_bytes = roots.view(np.dtype((np.void, roots.itemsize * roots.shape[1]))).ravel()
    _, where, member = np.unique(as_bytes, return_index=True, return_inverse=True)
    return roots[where], member.ravel()


def _level(values: Array, seen: NDArray[np.bool_]) -> tuple[Array, NDArray[np.bool_]]:
    """Means of what is seen, and which features do not vary beyond round-off; `values` are 0 elsewhere."""
    count = seen.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = values.sum(axis=0) / count
    spread = np.square(np.where(seen, values - mean, 0.0)).sum(axis=0)
    tolerance = 8 * np.finfo(float).eps * np.abs(mean)
    return mean, np.asarray((count > 0) & (spread <= count * tolerance**2))


def stacked_bases(design: Array, roots: Array, kept: tuple[int, ...]) -> list[StackedBases]:
    """Factor a design under many weightings of its rows.

    Parameters
    ----------
    design : ndarray of shape (n_samples, d)
    roots : ndarray of shape (b, n_samples)
        Factors of the rows, 0 for rows that are left out.
    kept : tuple of int
        Columns that are independent with all rows, at most `n_samples`.

    Returns
    -------
    list of StackedBases
        One for each set of columns that can be told apart; every weighting is in one of them.

    Examples
    --------
    >>> X = np.column_stack([np.ones(3), [0.0, 0.0, 1.0]])
    >>> [(b.kept, b.rows.tolist()) for b in stacked_bases(X, np.array([[1.0, 1, 1], [1.0, 1, 0]]), (0, 1))]
    [((0, 1), [0]), ((0,), [1])]
    """
    todo: list[tuple[Rows, tuple[int, ...]]] = [(np.arange(len(roots)), kept)]
    done = []
    while todo:
        rows, columns = todo.pop()
        stack = roots[rows][:, :, None] * design[:, list(columns)]
        q, r = np.linalg.qr(stack)
        lengths = np.linalg.norm(stack, axis=1)
        dependent = np.abs(np.diagonal(r, axis1=1, axis2=2)) <= RANK_TOLERANCE * lengths
        first = np.where(dependent.any(axis=1), dependent.argmax(axis=1) if columns else 0, -1)
        for position in np.unique(first):
            chosen = first == position
            if position < 0:
                done.append(StackedBases(rows[chosen], columns, q[chosen], np.linalg.inv(r[chosen])))
            else:
                todo.append((rows[chosen], columns[:position] + columns[position + 1 :]))
    return done
