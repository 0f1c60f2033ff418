"""The EM algorithm of factor analysis with one reading of the data per round.

Given the posterior means of the scores, everything that belongs to one feature - its loadings, its noise variance
and its share of the next E-step - follows from its own values, so that a block of features is visited once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve, cholesky

from latentadj.core.factor_analysis import VARIANCE_FLOOR, FactorModel
from latentadj.core.matrix import Array, FeatureMatrix, RotatedMatrix
from latentadj.core.pass_kernel import PassKernel
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


class FactorStepKernel(PassKernel):
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
    step : MaximisationStep
    """

    reads = {"tss": 0, "floor": 0}
    rows = {"loadings_t": 1, "psi": 0}
    sums = ("products", "information", "constants")

    def __init__(
        self,
        loadings_t: Array,
        psi: Array,
        tss: Array,
        floor: Array,
        n_samples: int,
        nu: int,
        step: MaximisationStep,
    ) -> None:
        self.loadings_t = loadings_t
        self.psi = psi
        self.tss = tss
        self.floor = floor
        self.nu = nu
        self.step = step
        self._regression = step.regression()
        self._directions_t = np.ascontiguousarray(step.directions.T)
        k = len(loadings_t)
        self.products = np.zeros((n_samples, k))
        self.information = np.zeros((k, k))
        self.constants = np.zeros(2)

    def update(self, block: Array, columns: slice) -> None:
        """Update the features of one block and add their part of the sums."""
        loadings, psi = self._maximised(block, columns)
        used = psi > 0
        weights = np.divide(1.0, psi, out=np.zeros_like(psi), where=used)
        precision = loadings * weights
        self.products += block @ precision.T
        self.information += loadings @ precision.T
        self.constants -= np.log(weights, out=np.zeros_like(psi), where=used).sum(), -(self.tss[columns] @ weights)
        self.loadings_t[:, columns], self.psi[columns] = loadings, psi

    def _maximised(self, block: Array, columns: slice) -> tuple[Array, Array]:
        """Loadings ``(k, width)`` and noise variances ``(width,)`` of the features of one block."""
        step, cross = self.step, self._directions_t @ block
        updated = self._regression @ cross
        if step.lagged:
            old = self.loadings_t[:, columns]
            left = self.tss[columns] + np.einsum("kb,kb->b", step.moment @ old - 2.0 * cross, old)
        else:
            left = self.tss[columns] - np.einsum("kb,kb->b", cross, updated)
        psi = np.maximum(left / self.nu, self.floor[columns])
        return step.expansion.T @ updated, psi

    def result(self) -> tuple[Array, Array, Array]:
        """Return ``Y A/psi`` (n_samples, k), ``A' A/psi`` (k, k) and the sums of ``log psi`` and ``tss / psi``."""
        return self.products, self.information, self.constants


class SumOfSquaresKernel(PassKernel):
    """Raw sum of squares of every feature.

    Parameters
    ----------
    n_features : int
    """

    rows = {"total": 0}

    def __init__(self, n_features: int) -> None:
        self.total = np.empty(n_features)

    def update(self, block: Array, columns: slice) -> None:
        """Write the sums of one block's features."""
        self.total[columns] = np.einsum("ij,ij->j", block, block)

    def result(self) -> Array:
        """Return the sums ``(n_features,)``."""
        return self.total


@dataclass(frozen=True)
class Expectation:
    """What an E-step knows of the scores.

    Attributes
    ----------
    sums : ndarray of shape (nu, k)
        ``Y A / psi`` in the coordinates of the space that the design leaves.
    information : ndarray of shape (k, k)
        ``A' A / psi``; its sum with the identity is the scores' posterior precision.
    likelihood : float
        Log-likelihood, up to a constant.
    """

    sums: Array
    information: Array
    likelihood: float

    @property
    def covariance(self) -> Array:
        """Posterior covariance of the scores of a sample, ``(k, k)``."""
        k = len(self.information)
        return np.asarray(cho_solve(cho_factor(np.eye(k) + self.information), np.eye(k)))

    @property
    def generalised_scores(self) -> Array:
        """Generalised-least-squares scores ``(nu, k)``."""
        return np.asarray(cho_solve(cho_factor(self.information), self.sums.T).T)


def maximum_likelihood(
    Y: FeatureMatrix,
    start: Array,
    *,
    complement: Array | None = None,
    tss: Array | None = None,
    tol: float = 1e-6,
    max_iter: int = 1000,
    lagged_variance: bool = False,
) -> FactorModel:
    """Maximum-likelihood factor analysis with random scores, by the EM algorithm.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
    start : ndarray of shape (nu, k)
        Scores of unit variance (``Z' Z = nu I``), leading principal components for instance.
    complement : ndarray of shape (n_samples, nu), optional
        Orthonormal basis of the space that a design leaves, whose coordinates are the exchangeable samples;
        without it the rows of Y are those samples themselves.
    tss : ndarray of shape (n_features,), optional
        Sums of squares of every feature in that space, 0 for features to leave out; one more pass without it.
    tol : float, default=1e-6
        Stop when the log-likelihood changes by less, relative to its size. The default is the reference's
        and is loose: noise variances may still be 1e-3 off the optimum.
    max_iter : int, default=1000
    lagged_variance : bool, default=False
        Update the noise variances with the loadings of the round before, as the R package cate does; the
        M-step proper uses the new ones.

    Returns
    -------
    FactorModel
        ``directions`` are generalised-least-squares scores ``(nu, k)``.

    Notes
    -----
    Rubin and Thayer (1982), with the parameter expansion of Liu, Rubin and Wu (1998): after each M-step the
    loadings are multiplied by a Cholesky factor of the scores' second moment, which costs nothing and replaces
    hundreds of rounds by about ten. Bai and Li (2012) for the inference the estimates are used in. The
    reference mode has no expansion. A round reads the data once, ``4 m n k`` operations.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> rng = np.random.default_rng(0)
    >>> Y = np.outer(rng.normal(size=50), rng.normal(size=200)) + rng.normal(size=(50, 200))
    >>> start = np.linalg.svd(Y, full_matrices=False)[0][:, :1] * 50**0.5
    >>> maximum_likelihood(ArrayMatrix(Y), start, tol=1e-12).converged
    True
    """
    state = _State(Y, start.shape[1], complement, tss)
    if start.shape[1] == 0:
        return FactorModel(start, state.loadings_t.T, state.tss / state.nu, True, 0)
    now, likelihood, n_iter = state.round(state.step_from(start)), -np.inf, 0
    while n_iter < max_iter and now.likelihood - likelihood >= tol * abs(likelihood):
        n_iter += 1
        likelihood = now.likelihood
        now = state.round(state.step_after(now, lagged=lagged_variance))
    converged = bool(now.likelihood - likelihood < tol * abs(likelihood))
    return FactorModel(now.generalised_scores, state.loadings_t.T.copy(), state.psi, converged, n_iter)


class _State:
    """Loadings and variances that the rounds overwrite, and how a round is made."""

    def __init__(self, Y: FeatureMatrix, k: int, complement: Array | None, tss: Array | None) -> None:
        self.Y = Y
        self.complement = complement
        self.nu = Y.shape[0] if complement is None else complement.shape[1]
        self.tss = _sums_of_squares(Y, complement) if tss is None else tss
        self.floor = VARIANCE_FLOOR * self.tss / self.nu
        self.loadings_t = np.zeros((k, Y.shape[1]))
        self.psi = np.zeros(Y.shape[1])

    def round(self, step: MaximisationStep) -> Expectation:
        """Make one pass: the M-step and the E-step after it."""
        n_samples = self.Y.shape[0]
        kernel = FactorStepKernel(self.loadings_t, self.psi, self.tss, self.floor, n_samples, self.nu, step)
        ((sums, information, (log_psi, quadratic)),) = run_pass(self.Y, kernel, wider=4)
        if self.complement is not None:
            sums = self.complement.T @ sums
        lower = cholesky(np.eye(len(information)) + information, lower=True)
        half = np.linalg.solve(lower, sums.T)
        log_det = 2.0 * float(np.sum(np.log(np.diag(lower)))) + log_psi
        return Expectation(sums, information, -0.5 * (self.nu * log_det + quadratic - float(np.sum(half**2))))

    def step_from(self, scores: Array) -> MaximisationStep:
        """Return the M-step for known scores ``(nu, k)``: least squares."""
        k = scores.shape[1]
        directions = scores if self.complement is None else self.complement @ scores
        return MaximisationStep(directions, scores.T @ scores, np.eye(k), False)

    def step_after(self, found: Expectation, *, lagged: bool) -> MaximisationStep:
        """Return the M-step that follows an E-step."""
        scores = found.sums @ found.covariance
        moment = scores.T @ scores + self.nu * found.covariance
        expansion = np.eye(len(moment)) if lagged else cholesky(moment / self.nu, lower=True)
        directions = scores if self.complement is None else self.complement @ scores
        return MaximisationStep(directions, moment, expansion, lagged)


def _sums_of_squares(Y: FeatureMatrix, complement: Array | None) -> Array:
    rotated = Y if complement is None else RotatedMatrix(Y, complement)
    out: Array = run_pass(rotated, SumOfSquaresKernel(Y.shape[1]))[0]
    return out
