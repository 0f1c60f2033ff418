"""Generalised linear models with hidden factors: design effects, loadings and scores fitted together.

``eta = offset + X b_j + Z a_j`` for every feature j, with Z orthonormal and orthogonal to the design. Features and
samples take turns: given the scores, every feature is a regression; given the loadings, every sample is one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import qr

from latentadj.core.glm import GLMSetting
from latentadj.core.glm_newton import fit_block, solve_each
from latentadj.core.matrix import Array, FeatureMatrix
from latentadj.core.pass_kernel import PassKernel
from latentadj.core.passes import run_pass

#: Standard deviation of loadings on scores of unit variance for which the ridge stands, on the linear predictor.
LOADING_SD = 2.0
#: A trace of ridge on the design's coefficients: keeps separated features from running on in every round.
DESIGN_RIDGE = 1e-6
#: The rounds end when the penalised deviance falls by less than this share of itself, twice in a row.
TOLERANCE = 1e-8
MAX_ROUNDS = 200
#: Newton decrement at which a feature's turn ends, per sample; the step that meets it is taken.
INNER_TOLERANCE = 1e-8
MAX_HALVINGS = 12


@dataclass(frozen=True, slots=True)
class GLMFactorModel:
    """A fitted model.

    Attributes
    ----------
    scores : ndarray of shape (n_samples, k)
        Orthonormal, orthogonal to the design.
    coef : ndarray of shape (n_features, rank + k)
        Coefficients of the design basis, then loadings; slightly shrunken.
    objective : float
        Weighted deviance plus penalty.
    converged : bool
    n_iter : int
    """

    scores: Array
    coef: Array
    objective: float
    converged: bool
    n_iter: int

    @property
    def loadings(self) -> Array:
        """Loadings ``(n_features, k)``."""
        return self.coef[:, self.coef.shape[1] - self.scores.shape[1] :]


@dataclass(frozen=True, slots=True)
class SampleSums:
    """What the samples' turn needs of a pass.

    Attributes
    ----------
    gradient : ndarray of shape (n_samples, k)
    information : ndarray of shape (n_samples, k, k)
    objective : float
    coef : ndarray of shape (n_features, d)
    """

    gradient: Array
    information: Array
    objective: float
    coef: Array


class FeatureTurnKernel(PassKernel):
    """Fits every feature given the scores, and gathers the samples' gradients and informations.

    Parameters
    ----------
    setting : GLMSetting
    columns : ndarray of shape (n_samples, d)
        Design basis, then scores.
    k : int
        Number of scores.
    start : ndarray of shape (n_features, d) or None
    weights : ndarray of shape (n_features,)
        Weights of the features' likelihoods: one over the quasi-dispersion.
    n_features : int
    """

    reads = {"start": 0, "weights": 0, "setting.dispersion": 0, "setting.trials": 1}
    rows = {"coef": 0}
    sums = ("gradient", "information", "objective")

    def __init__(
        self, setting: GLMSetting, columns: Array, k: int, start: Array | None, weights: Array, n_features: int
    ) -> None:
        n, d = columns.shape
        self.setting = setting
        self.columns = columns
        self.k = k
        self.start = start
        self.weights = weights
        self.ridge = np.r_[np.full(d - k, DESIGN_RIDGE), np.full(k, 1.0 / (n * LOADING_SD**2))]
        self.coef = np.empty((n_features, d))
        self.gradient = np.zeros((n, k))
        self.information = np.zeros((n, k * k))
        self.objective = np.zeros(1)

    def update(self, block: Array, columns: slice) -> None:
        """Fit the features of one block and add what they say about the samples."""
        setting, k, weights = self.setting, self.k, self.weights[columns]
        part = setting.block(block, columns, self.columns, self.ridge)
        start = None if self.start is None else self.start[columns]
        fitted = fit_block(part, start, tol=INNER_TOLERANCE, max_iter=30)
        self.coef[columns] = fitted.coef
        loadings = fitted.coef[:, fitted.coef.shape[1] - k :]
        mu = part.mean(fitted.coef)
        products = np.einsum("ja,jb->jab", loadings, loadings).reshape(-1, k * k) * weights[:, None]
        self.gradient += part.score(mu) @ (loadings * weights[:, None])
        self.information += part.curvature(mu) @ products
        self.objective += (part.deviance(mu) + fitted.coef**2 @ self.ridge) @ weights

    def result(self) -> SampleSums:
        """Return the sums and the features' coefficients."""
        k = self.k
        return SampleSums(self.gradient, self.information.reshape(-1, k, k), float(self.objective[0]), self.coef)


def fit_glm_factors(
    Y: FeatureMatrix,
    design: Array,
    setting: GLMSetting,
    weights: Array,
    scores: Array,
    *,
    tol: float = TOLERANCE,
    max_rounds: int = MAX_ROUNDS,
) -> GLMFactorModel:
    """Fit design effects, loadings and scores together by alternating Newton steps.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
    design : ndarray of shape (n_samples, rank)
        Orthonormal basis of the design.
    setting : GLMSetting
    weights : ndarray of shape (n_features,)
        Weights of the features' likelihoods; 0 leaves a feature out.
    scores : ndarray of shape (n_samples, k)
        Where to start; made orthonormal and orthogonal to the design.
    tol : float
    max_rounds : int
        Passes over the data, at most.

    Returns
    -------
    GLMFactorModel

    Notes
    -----
    The joint fit of Du, Wasserman and Roeder (2025), Journal of the American Statistical Association, section 3, with
    Newton steps instead of gradient steps and a ridge on the loadings instead of a bound. What a step adds to the
    scores inside the span of the design moves to the design's coefficients, so the fit does not change by making
    the scores orthogonal. A step is halved until the penalised deviance, with every feature fitted anew, does not
    rise: the objective falls in every round.
    """
    current = _orthonormal_outside(scores, design)[0]
    k = current.shape[1]

    def turn(candidate: Array, start: Array | None) -> SampleSums:
        kernel = FeatureTurnKernel(setting, np.column_stack([design, candidate]), k, start, weights, Y.shape[1])
        sums: SampleSums = run_pass(Y, kernel)[0]
        return sums

    sums, quiet, rounds = turn(current, None), 0, 1
    while quiet < 2 and rounds < max_rounds:
        step, gain = _sample_step(sums, current, design)
        for halving in range(MAX_HALVINGS):
            moved = current + step * 0.5**halving
            candidate, start = _carried_over(moved, design, sums.coef)
            tried = turn(candidate, start)
            rounds += 1
            if tried.objective <= sums.objective * (1 + 1e-13):
                break
        else:
            return GLMFactorModel(current, sums.coef, sums.objective, gain <= 100 * tol * sums.objective, rounds)
        quiet = quiet + 1 if sums.objective - tried.objective <= tol * abs(sums.objective) else 0
        current, sums = candidate, tried
    return GLMFactorModel(current, sums.coef, sums.objective, quiet >= 2, rounds)


def _sample_step(sums: SampleSums, scores: Array, design: Array) -> tuple[Array, float]:
    """Newton step of every sample's scores and what it gains to first order.

    The gradient is that along orthonormal scores outside the design: its part inside the span of the scores, which the
    ridge on the loadings leaves over, only changes their lengths and counts as prior precision.
    """
    inside = scores.T @ sums.gradient
    gradient = sums.gradient - scores @ inside
    gradient -= design @ (design.T @ gradient)
    step = solve_each(sums.information + 0.5 * (inside + inside.T), gradient)
    return step, float(np.einsum("ij,ij->", step, gradient))


def _orthonormal_outside(scores: Array, design: Array) -> tuple[Array, Array]:
    """Orthonormal scores outside the design and the triangle they are multiplied by."""
    outside = scores - design @ (design.T @ scores)
    outside -= design @ (design.T @ outside)
    q, r = (np.asarray(part, dtype=np.float64) for part in qr(outside, mode="economic"))
    signs = np.where(np.diag(r) < 0, -1.0, 1.0)
    return q * signs, r * signs[:, None]


def _carried_over(scores: Array, design: Array, coef: Array) -> tuple[Array, Array]:
    """Orthonormal scores and the coefficients ``(n_features, d)`` that give the same linear predictors with them."""
    rank = design.shape[1]
    orthonormal, triangle = _orthonormal_outside(scores, design)
    effects, loadings = coef[:, :rank], coef[:, rank:]
    inside = design.T @ scores
    return orthonormal, np.column_stack([effects + loadings @ inside.T, loadings @ triangle.T])
