"""What known batches do to every feature: means, residual sums of squares and numbers of values per batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentadj.core.gap_regression import GapRegression
from latentadj.core.matrix import Array, FeatureMatrix
from latentadj.core.pass_kernel import PassKernel
from latentadj.core.passes import run_pass
from latentadj.core.regression import design_basis


@dataclass(frozen=True, slots=True)
class BatchStatistics:
    """One regression of every feature on batches and covariates, in numbers per batch.

    Attributes
    ----------
    mean : ndarray of shape (n_batches, n_features)
        Batch means at the covariates' average.
    coef : ndarray of shape (q, n_features)
        Effects of the covariates.
    within : ndarray of shape (n_batches, n_features)
        Residual sums of squares.
    count : ndarray of shape (n_batches, n_features)
        Values that are there.
    constant : ndarray of bool, shape (n_features,)
        All values of some batch of several are the same.
    estimable : ndarray of bool, shape (n_features,)
        The values that are there determine all batch means and effects.
    total : ndarray of shape (n_features,)
        Sum of squares of all values.
    """

    mean: Array
    coef: Array
    within: Array
    count: Array
    constant: NDArray[np.bool_]
    estimable: NDArray[np.bool_]
    total: Array


class BatchKernel(PassKernel):
    """Gathers `BatchStatistics`.

    Parameters
    ----------
    codes : ndarray of int, shape (n_samples,)
        Batch of every sample, 0 to n_batches - 1; every batch has samples.
    covariates : ndarray of shape (n_samples, q)
        Centred.
    n_features : int
    """

    rows = {
        "found.mean": 1,
        "found.coef": 1,
        "found.within": 1,
        "found.count": 1,
        "found.constant": 0,
        "found.estimable": 0,
        "found.total": 0,
    }

    def __init__(self, codes: NDArray[np.intp], covariates: Array, n_features: int) -> None:
        n_batches, q = int(codes.max()) + 1, covariates.shape[1]
        self.indicators = (codes[:, None] == np.arange(n_batches)).astype(np.float64)
        self.order = np.argsort(codes, kind="stable")
        self.starts = np.searchsorted(codes[self.order], np.arange(n_batches))
        self.sizes = self.indicators.sum(axis=0)
        self.regression = GapRegression(np.hstack([self.indicators, covariates]))
        self.basis = design_basis(self.regression.columns)
        self.inverse = self.basis.r_inverse
        self.found = BatchStatistics(
            mean=np.empty((n_batches, n_features)),
            coef=np.empty((q, n_features)),
            within=np.empty((n_batches, n_features)),
            count=np.empty((n_batches, n_features)),
            constant=np.empty(n_features, dtype=bool),
            estimable=np.empty(n_features, dtype=bool),
            total=np.empty(n_features),
        )

    def update(self, block: Array, columns: slice) -> None:
        """Take in one block."""
        effects = block.T @ self.basis.q
        if np.isfinite(effects).all():
            self._update_complete(block, columns, effects)
        else:
            self._update_with_gaps(block, columns)

    def _update_complete(self, block: Array, columns: slice, effects: Array) -> None:
        """Every batch has a nonzero row in the basis, so that finite coordinates mean that no value is missing."""
        found, n_batches = self.found, self.indicators.shape[1]
        coef = np.zeros((self.regression.columns.shape[1], len(effects)))
        coef[list(self.basis.kept)] = self.inverse @ effects.T
        residuals = self.basis.q @ effects.T
        np.subtract(block, residuals, out=residuals)
        within = self.indicators.T @ np.square(residuals, out=residuals)
        found.mean[:, columns], found.coef[:, columns] = coef[:n_batches], coef[n_batches:]
        found.within[:, columns] = within
        found.count[:, columns] = self.sizes[:, None]
        found.estimable[columns] = not self.basis.aliased
        found.total[columns] = within.sum(axis=0) + np.einsum("mr,mr->m", effects, effects)
        found.constant[columns] = self._constant_when_complete(block)

    def _update_with_gaps(self, block: Array, columns: slice) -> None:
        found, n_batches = self.found, self.indicators.shape[1]
        fitted = self.regression.fit(block)
        observed = ~np.isnan(block)
        residuals = np.where(observed, block - self.regression.columns @ fitted.coef.T, 0.0)
        found.mean[:, columns] = fitted.coef[:, :n_batches].T
        found.coef[:, columns] = fitted.coef[:, n_batches:].T
        found.within[:, columns] = self.indicators.T @ residuals**2
        found.count[:, columns] = self.indicators.T @ observed
        found.estimable[columns] = fitted.kept.all(axis=1)
        found.total[columns] = (np.where(observed, block, 0.0) ** 2).sum(axis=0)
        found.constant[columns] = self._constant(block, observed, found.count[:, columns])

    def _constant_when_complete(self, block: Array) -> NDArray[np.bool_]:
        """Look closer only at features whose first two values agree within some batch."""
        several = self.starts[self.sizes > 1]
        out: NDArray[np.bool_] = (block[self.order[several]] == block[self.order[several + 1]]).any(axis=0)
        if out.any():
            chosen = block[:, out]
            out[out] = self._constant(chosen, np.ones(chosen.shape, dtype=bool), self.sizes[:, None])
        return out

    def _constant(self, block: Array, observed: NDArray[np.bool_], count: Array) -> NDArray[np.bool_]:
        top = np.maximum.reduceat(np.where(observed, block, -np.inf)[self.order], self.starts, axis=0)
        bottom = np.minimum.reduceat(np.where(observed, block, np.inf)[self.order], self.starts, axis=0)
        out: NDArray[np.bool_] = ((top == bottom) & (count > 1)).any(axis=0)
        return out

    def result(self) -> BatchStatistics:
        """Return the statistics of all features."""
        return self.found


def batch_statistics(Y: FeatureMatrix, codes: NDArray[np.intp], covariates: Array) -> BatchStatistics:
    """Regress every feature on batches and covariates, in one pass; NaN are left out.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
    codes : ndarray of int, shape (n_samples,)
    covariates : ndarray of shape (n_samples, q)
        Centred.

    Returns
    -------
    BatchStatistics

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> Y = ArrayMatrix(np.array([[1.0], [3.0], [7.0], [7.0]]))
    >>> found = batch_statistics(Y, np.array([0, 0, 1, 1]), np.zeros((4, 0)))
    >>> found.mean.ravel().round(10), found.within.ravel().round(10), found.constant
    (array([2., 7.]), array([2., 0.]), array([ True]))
    """
    found: BatchStatistics = run_pass(Y, BatchKernel(codes, covariates, Y.shape[1]))[0]
    return found
