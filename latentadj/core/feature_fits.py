"""Fits of features that each have a design of their own: where kernels write them, and the exact way to make them."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from latentadj.core.kernels import column_sum_of_squares
from latentadj.core.matrix import Array
from latentadj.core.regression import RegressionFit
from latentadj.core.stacked_bases import Rows, StackedBases
from latentadj.exceptions import InputError

#: A block whose features vary by less than this share of their sums of squares is centred first.
MEAN_DOMINATES = 3e-3


class FeatureFits:
    """Arrays with a row for every feature, each of which is to be written, shared by all workers of a pass.

    Parameters
    ----------
    n_columns : int
        Columns of the design.
    n_obs : ndarray of int, shape (n_features,)
        Observations of each feature.
    mean : ndarray of shape (n_features,)
        Their plain mean.
    constant : ndarray of bool, shape (n_features,)
        Whether they are all the same.
    """

    def __init__(self, n_columns: int, n_obs: Rows, mean: Array, constant: NDArray[np.bool_]) -> None:
        n_features, d = len(n_obs), n_columns
        self.n_obs = n_obs
        self.mean = mean
        self.constant = constant
        self.coef = np.empty((n_features, d))
        self.cov_unscaled = np.empty((n_features, d, d))
        self.rss = np.empty(n_features)
        self.df_resid = np.empty(n_features)

    def part(self, features: Rows) -> FeatureFits:
        """Return a copy of the rows of some features."""
        out = FeatureFits(self.coef.shape[1], self.n_obs[features], self.mean[features], self.constant[features])
        out.coef, out.cov_unscaled = self.coef[features], self.cov_unscaled[features]
        out.rss, out.df_resid = self.rss[features], self.df_resid[features]
        return out

    def write(self, features: Rows, kept: tuple[int, ...], coef: Array, cov_unscaled: Array, rss: Array) -> None:
        """Write fits.

        Parameters
        ----------
        features : ndarray of int, shape (b,)
        kept : tuple of int
            Columns that were fitted, r of them; the others become NaN.
        coef : ndarray of shape (b, r)
        cov_unscaled : ndarray of shape (b, r, r)
        rss : ndarray of shape (b,)
        """
        columns = np.array(kept, dtype=np.intp)
        if len(kept) == self.coef.shape[1]:
            self.coef[features], self.cov_unscaled[features] = coef, cov_unscaled
        else:
            self.coef[features] = np.nan
            self.cov_unscaled[features] = np.nan
            self.coef[features[:, None], columns] = coef
            self.cov_unscaled[features[:, None, None], columns[:, None], columns] = cov_unscaled
        self.rss[features] = rss
        self.df_resid[features] = self.n_obs[features] - len(kept)

    def write_exact(self, bases: StackedBases, use: Rows, values: Array, features: Rows) -> None:
        """Fit features by factorisations of their own designs, residuals formed explicitly.

        Parameters
        ----------
        bases : StackedBases
        use : ndarray of int, shape (b,)
            Position of each feature's factorisation in `bases`.
        values : ndarray of shape (b, n_samples)
            Mapped as the designs were, 0 where nothing was observed.
        features : ndarray of int, shape (b,)
            Rows to write.
        """
        if len(bases.rows) == 1:
            q, r_inverse = bases.q[0], bases.r_inverse
            effects = values @ q
            residual = values - effects @ q.T
        else:
            q, r_inverse = bases.q[use], bases.r_inverse[use]
            effects = np.matmul(values[:, None, :], q)[:, 0]
            residual = values - np.matmul(q, effects[:, :, None])[:, :, 0]
        coef = np.matmul(r_inverse, effects[:, :, None])[:, :, 0]
        cov_unscaled = r_inverse @ r_inverse.transpose(0, 2, 1)
        self.write(features, bases.kept, coef, cov_unscaled, np.einsum("bn,bn->b", residual, residual))

    def fit(self) -> RegressionFit:
        """Return the fits."""
        sigma2 = np.divide(self.rss, self.df_resid, out=np.full_like(self.rss, np.nan), where=self.df_resid > 0)
        return RegressionFit(
            self.coef, sigma2, self.df_resid, self.cov_unscaled, self.mean, self.constant, n_obs=self.n_obs
        )


def checked_weights(weights: Array) -> Array:
    """Return a block of observation weights if they can be used.

    Raises
    ------
    InputError
        If one is infinite or negative.
    """
    if np.isinf(weights).any() or (weights < 0).any():
        raise InputError("Observation weights must be finite and not negative; use 0 to leave an observation out.")
    return weights


def observed(block: Array, weights: Array | None) -> NDArray[np.bool_]:
    """Which values of a block count: present, and of a weight that is neither 0 nor missing."""
    seen = ~np.isnan(block)
    return seen if weights is None else seen & (weights > 0)


def only(block: Array, seen: NDArray[np.bool_]) -> Array:
    """Return the block with 0 where nothing is seen.

    Notes
    -----
    The bits of a number and'ed with all ones or all zeros: a third of the time of ``np.where``.
    """
    bits = np.bitwise_and(block.view(np.int64), np.negative(seen.view(np.int8)))
    out: Array = bits.view(np.float64)
    return out


def counted(seen: NDArray[np.bool_]) -> Rows:
    """Number of true entries of every column; a product of floats is quicker than a sum of bits."""
    return (np.ones(len(seen)) @ seen.astype(np.float64)).astype(np.intp)


def level(values: Array, seen: NDArray[np.bool_], count: Rows, squares: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Means of what is seen, and which features do not vary beyond round-off.

    Parameters
    ----------
    values : ndarray of shape (n_samples, b)
        0 where nothing is seen.
    seen : ndarray of bool, shape (n_samples, b)
    count : ndarray of int, shape (b,)
        Values seen.
    squares : ndarray of shape (b,)
        Their sums of squares.

    Returns
    -------
    mean : ndarray of shape (b,)
    constant : ndarray of bool, shape (b,)
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (np.ones(len(values)) @ values) / count
        constant = squares - count * mean**2 <= 1e-6 * squares
    near = np.flatnonzero(constant)
    if near.size:
        spread = np.square(np.where(seen[:, near], values[:, near] - mean[near], 0.0)).sum(axis=0)
        tolerance = 8 * np.finfo(float).eps * np.abs(mean[near])
        constant[near] = (count[near] > 0) & (spread <= count[near] * tolerance**2)
    return mean, np.asarray(constant)


class Descriptions(Protocol):
    """What is known of features whatever their design; arrays of shape (n_features,)."""

    n_obs: Rows
    mean: Array
    constant: NDArray[np.bool_]


def described(
    into: Descriptions, values: Array, seen: NDArray[np.bool_], columns: slice, *, centred: bool
) -> tuple[Array, Array]:
    """Write counts, means and what is constant of the features of a block.

    Parameters
    ----------
    into : Descriptions
        Rows `columns` are written.
    values : ndarray of shape (n_samples, b)
        0 where nothing is seen.
    seen : ndarray of bool, shape (n_samples, b)
    columns : slice
    centred : bool
        Whether means may be taken off.

    Returns
    -------
    values : ndarray of shape (n_samples, b)
        Means taken off if the level of a feature hides how it varies.
    shift : ndarray of shape (b,)
        What was taken off.
    """
    count, squares = counted(seen), column_sum_of_squares(values)
    mean, into.constant[columns] = level(values, seen, count, squares)
    into.n_obs[columns], into.mean[columns] = count, mean
    with np.errstate(invalid="ignore"):
        hidden = centred and bool((squares - count * mean**2 < MEAN_DOMINATES * squares).any())
    if not hidden:
        return values, np.zeros(len(mean))
    return only(values - mean, seen), np.where(count > 0, mean, 0.0)
