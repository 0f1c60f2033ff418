"""The EM algorithm of factor analysis with one reading of the data per round.

Given the posterior means of the scores, everything that belongs to one feature - its loadings, its noise variance
and its share of the next E-step - follows from its own values, so that a block of features is visited once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.linalg import cho_factor, cho_solve, cholesky

from latentadj.core.matrix import Array, FeatureMatrix
from latentadj.core.passes import run_pass


@dataclass(frozen=True)
class MaximisationStep:
    """How one round turns a feature's values into its loadings and its noise variance.

    Attributes
    ----------
    directions : ndarray of shape (n_samples, k)
        Posterior means of the scores, in the samples' own coordinates.
    moment : ndarray of shape (k, k)
        Sum of the scores' posterior second moments.
    expansion : ndarray of shape (k, k)
        Factor that the new loadings are multiplied by (parameter expansion); the identity without it.
    lagged : bool
        Take the noise variances with the loadings of the round before.
    """

    directions: Array
    moment: Array
    expansion: Array
    lagged: bool

    def regression(self) -> Array:
        """Return the map ``(k, k)`` from cross products with the scores to the new loadings, before the expansion."""
        return np.asarray(cho_solve(cho_factor(self.moment), np.eye(len(self.moment))))


class FactorStepKernel:
    """Loadings and noise variances of every feature, and the sums that the next E-step needs.

    Parameters
    ----------
    loadings_t : ndarray of shape (k, n_features)
        Current loadings, overwritten.
    psi : ndarray of shape (n_features,)
        Current noise variances, overwritten.
    tss : ndarray of shape (n_features,)
        Residual sums of squares; features with 0 have no part in anything.
    floor : ndarray of shape (n_features,)
        Smallest noise variances.
    n_samples, nu : int
        Rows of the data, and dimension of the space that the design leaves.
    step : MaximisationStep, optional
        Without it the loadings and variances stay as they are.
    """

    def __init__(
        self,
        loadings_t: Array,
        psi: Array,
        tss: Array,
        floor: Array,
        n_samples: int,
        nu: int,
        step: MaximisationStep | None = None,
    ) -> None:
        self.loadings_t = loadings_t
        self.psi = psi
        self.tss = tss
        self.floor = floor
        self.nu = nu
        self.step = step
        self._regression = step.regression() if step is not None else np.empty((0, 0))
        self._directions_t = np.ascontiguousarray(step.directions.T) if step is not None else np.empty((0, 0))
        k = len(loadings_t)
        self.sums = np.zeros((n_samples, k))
        self.information = np.zeros((k, k))
        self.constants = np.zeros(2)

    def fork(self) -> Self:
        """Return a worker with empty sums that writes its features' loadings and variances in place."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin.sums = np.zeros_like(self.sums)
        twin.information = np.zeros_like(self.information)
        twin.constants = np.zeros(2)
        return twin

    def update(self, block: Array, columns: slice) -> None:
        """Update the features of one block and add their part of the sums."""
        if self.step is not None:
            self._maximise(block, columns)
        psi, tss = self.psi[columns], self.tss[columns]
        used = psi > 0
        precision = np.divide(self.loadings_t[:, columns], psi, out=np.zeros_like(self.loadings_t[:, columns]), where=used)
        self.sums += block @ precision.T
        self.information += self.loadings_t[:, columns] @ precision.T
        self.constants += np.log(psi[used]).sum(), (tss[used] / psi[used]).sum()

    def _maximise(self, block: Array, columns: slice) -> None:
        step = self.step
        assert_step = step if step is not None else None
        if assert_step is None:
            return
        cross = self._directions_t @ block
        updated = self._regression @ cross
        if assert_step.lagged:
            old = self.loadings_t[:, columns]
            left = self.tss[columns] + np.einsum("kb,kb->b", assert_step.moment @ old - 2.0 * cross, old)
        else:
            left = self.tss[columns] - np.einsum("kb,kb->b", cross, updated)
        self.psi[columns] = np.maximum(left / self.nu, self.floor[columns])
        self.loadings_t[:, columns] = assert_step.expansion.T @ updated

    def merge(self, other: Self) -> None:
        """Add another run's sums."""
        self.sums += other.sums
        self.information += other.information
        self.constants += other.constants

    def result(self) -> tuple[Array, Array, Array]:
        """Return ``Y A/psi`` (n_samples, k), ``A' A/psi`` (k, k) and the sums of ``log psi`` and ``tss / psi``."""
        return self.sums, self.information, self.constants
