"""Factor scores of single samples under a generalised linear model with fixed loadings."""

from __future__ import annotations

import numpy as np

from latentadj.core.glm import GLMSetting
from latentadj.core.glm_newton import solve_each
from latentadj.core.matrix import Array, FeatureMatrix
from latentadj.core.pass_kernel import PassKernel
from latentadj.core.passes import run_pass

MAX_PASSES = 60
TOLERANCE = 1e-14


class SampleTurnKernel(PassKernel):
    """Gradient, information and deviance of every sample's scores.

    Parameters
    ----------
    setting : GLMSetting
    scores : ndarray of shape (n_samples, k)
    baseline : ndarray of shape (n_features,)
        Linear predictor at scores 0, without offset.
    loadings : ndarray of shape (n_features, k)
    weights : ndarray of shape (n_features,)
    """

    reads = {"baseline": 0, "loadings": 0, "weights": 0, "setting.dispersion": 0, "setting.trials": 1}
    sums = ("gradient", "information", "deviance")

    def __init__(self, setting: GLMSetting, scores: Array, baseline: Array, loadings: Array, weights: Array) -> None:
        self.setting = setting
        self.scores = scores
        self.baseline = baseline
        self.loadings = loadings
        self.weights = weights
        n, k = scores.shape
        self.gradient, self.information, self.deviance = np.zeros((n, k)), np.zeros((n, k * k)), np.zeros(n)

    def update(self, block: Array, columns: slice) -> None:
        """Add what one block of features says about the samples."""
        setting, weights, loadings = self.setting, self.weights[columns], self.loadings[columns]
        phi, family, k = setting.dispersion[columns], setting.family, loadings.shape[1]
        y, trials = setting.outcomes(block, columns)
        trials = np.ones_like(y) if trials is None else trials
        mu = family.mean(self.scores @ loadings.T + self.baseline[columns] + setting.offset[:, None])
        products = np.einsum("ja,jb->jab", loadings, loadings).reshape(-1, k * k) * weights[:, None]
        self.gradient += (trials * family.score(y, mu, phi)) @ (loadings * weights[:, None])
        self.information += (trials * family.curvature(y, mu, phi)) @ products
        with np.errstate(invalid="ignore", over="ignore"):
            self.deviance += (trials * family.unit_deviance(y, mu, phi)) @ weights

    def result(self) -> tuple[Array, Array, Array]:
        """Return gradients ``(n, k)``, informations ``(n, k, k)`` and deviances ``(n,)``."""
        k = self.gradient.shape[1]
        return self.gradient, self.information.reshape(-1, k, k), self.deviance


def glm_scores(
    Y: FeatureMatrix, setting: GLMSetting, baseline: Array, loadings: Array, weights: Array, ridge: Array
) -> Array:
    """Scores of samples, each from its own values alone.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
    setting : GLMSetting
        With the samples' own offsets.
    baseline : ndarray of shape (n_features,)
    loadings : ndarray of shape (n_features, k)
    weights : ndarray of shape (n_features,)
        Weights of the features' likelihoods, at least 0.
    ridge : ndarray of shape (k,)
        Prior precisions of the scores, which keep samples that say little near 0.

    Returns
    -------
    ndarray of shape (n_samples, k)

    Notes
    -----
    Posterior mode under independent normal priors, by Newton's method with step halving; a sample that has settled
    is left alone, so that its answer does not depend on how long others take.

    Examples
    --------
    >>> from latentadj.core.glm_families import GLM_FAMILIES
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> loadings = np.array([[1.0], [-1.0], [0.5]])
    >>> setting = GLMSetting(GLM_FAMILIES["poisson"], np.zeros(1), np.zeros(3))
    >>> Y = ArrayMatrix(np.exp(5 + 0.3 * loadings.T))
    >>> glm_scores(Y, setting, np.full(3, 5.0), loadings, np.ones(3), np.zeros(1)).round(6)
    array([[0.3]])
    """
    current = np.zeros((Y.shape[0], loadings.shape[1]))
    gradient, information, value = _evaluate(Y, setting, current, baseline, loadings, weights, ridge)
    step, length = solve_each(information, gradient), np.ones(len(current))
    open_ = _unsettled(step, gradient, value)
    for _ in range(MAX_PASSES):
        if not open_.any():
            break
        tried = np.where(open_[:, None], current + length[:, None] * step, current)
        new = _evaluate(Y, setting, tried, baseline, loadings, weights, ridge)
        better = open_ & (new[2] <= value + 1e-12 * (1.0 + np.abs(value)))
        last = better & ~_unsettled(step, gradient, value, share=1.0)
        current[better], value[better] = tried[better], new[2][better]
        gradient[better], information[better] = new[0][better], new[1][better]
        length = np.where(better, 1.0, 0.5 * length)
        step[better] = solve_each(information[better], gradient[better])
        open_ &= ~last & (length > 1e-9)
    return current


def _evaluate(
    Y: FeatureMatrix,
    setting: GLMSetting,
    scores: Array,
    baseline: Array,
    loadings: Array,
    weights: Array,
    ridge: Array,
) -> tuple[Array, Array, Array]:
    """Penalised gradients, informations and deviances at some scores; one pass."""
    gradient, information, value = run_pass(Y, SampleTurnKernel(setting, scores, baseline, loadings, weights))[0]
    return gradient - ridge * scores, information + np.diag(ridge), value + scores**2 @ ridge


def _unsettled(step: Array, gradient: Array, value: Array, share: float = 1e-6) -> np.ndarray:
    """Tell which samples' Newton decrements are still above the bound."""
    decrement = np.einsum("ij,ij->i", step, gradient)
    return np.asarray(decrement > share * TOLERANCE * (1.0 + np.abs(value)))
