"""Likelihood-ratio tests of generalised linear models, in the form of regression fits.

Wald statistics of counts lose power where means are small, and all of it where a group holds nothing but zeros.
A `LikelihoodRatioFit` hands out unscaled covariances for which the usual t and F statistics are quasi-likelihood-ratio
statistics: whatever is tested, the model is fitted again without it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr

from latentadj.core.glm import GLMSetting
from latentadj.core.glm_newton import fit_block
from latentadj.core.matrix import Array, FeatureMatrix
from latentadj.core.pass_kernel import PassKernel
from latentadj.core.passes import run_pass
from latentadj.core.regression import DesignBasis, RegressionFit

#: Below this Wald statistic the two statistics agree to all digits that matter, and their ratio has none.
SMALL = 1e-6


class DevianceKernel(PassKernel):
    """Smallest deviance of every feature in the span of some columns.

    Parameters
    ----------
    setting : GLMSetting
    columns : ndarray of shape (n_samples, d)
        Orthonormal.
    start : ndarray of shape (n_features, d)
    """

    reads = {"start": 0, "setting.dispersion": 0, "setting.trials": 1}
    rows = {"deviance": 0}

    def __init__(self, setting: GLMSetting, columns: Array, start: Array) -> None:
        self.setting = setting
        self.columns = columns
        self.start = start
        self.deviance = np.empty(len(start))

    def update(self, block: Array, columns: slice) -> None:
        """Fit the features of one block."""
        part = self.setting.block(block, columns, self.columns)
        fitted = fit_block(part, self.start[columns], tol=1e-10)
        self.deviance[columns] = part.deviance(part.mean(fitted.coef))

    def result(self) -> Array:
        """Return the deviances ``(n_features,)``."""
        return self.deviance


@dataclass(frozen=True)
class DevianceRatios:
    """What the deviance rises by when contrasts are set to zero.

    Parameters
    ----------
    matrix : FeatureMatrix of shape (n_samples, n_features)
    basis : DesignBasis
    setting : GLMSetting
    coef : ndarray of shape (n_features, rank)
        Coefficients of ``basis.q``, to start from.
    deviance : ndarray of shape (n_features,)
        Smallest deviance with the whole design.
    flips : ndarray of shape (d,)
        Signs of the design columns that contrasts are about.
    """

    matrix: FeatureMatrix
    basis: DesignBasis
    setting: GLMSetting
    coef: Array
    deviance: Array
    flips: Array

    def rise(self, contrasts: Array) -> Array:
        """Return the rise ``(n_features,)`` for contrasts ``(d, c)`` that are all set to zero; one pass.

        Notes
        -----
        Coefficients b with ``L' b = 0`` are ``N g`` for a basis N of the complement of L, so the smaller model has
        the columns ``X N``.
        """
        kept = list(self.basis.kept)
        chosen = (contrasts * self.flips[:, None])[kept]
        free = np.asarray(qr(chosen, mode="full")[0])[:, chosen.shape[1] :]
        columns = np.asarray(qr(self.basis.q @ (self.basis.r @ free), mode="economic")[0], dtype=np.float64)
        start = np.nan_to_num(self.coef, nan=0.0) @ (self.basis.q.T @ columns)
        (deviance,) = run_pass(self.matrix, DevianceKernel(self.setting, columns, start))
        out: Array = np.maximum(deviance - self.deviance, 0.0)
        return out


@dataclass(frozen=True)
class LikelihoodRatioFit(RegressionFit):
    """A fit whose t and F statistics are signed roots of likelihood ratios, and likelihood ratios.

    Attributes
    ----------
    ratios : DevianceRatios or None
        None leaves Wald statistics.
    bias_reduced : ndarray of bool, shape (n_features,), or None
        Features whose maximum-likelihood estimate is infinite and whose estimate is the bias-reduced one.

    Notes
    -----
    The unscaled covariance of contrasts is the inverse of the expected information, multiplied by the Wald statistic
    over the likelihood ratio; estimate over standard error is then the signed root of the likelihood ratio, in units
    of the quasi-dispersion. Lund, Nettleton, McCarthy and Smyth (2012), Statistical Applications in Genetics and
    Molecular Biology 11(5), for the quasi-F tests. What is stored of it are the covariances by the information alone.
    """

    ratios: DevianceRatios | None = None
    bias_reduced: NDArray[np.bool_] | None = None

    def unscaled_covariance(self, contrasts: Array) -> Array:
        """Covariance ``(n_features, c, c)`` of contrasts ``(d, c)`` that are tested together."""
        plain = RegressionFit.unscaled_covariance(self, contrasts)
        if self.ratios is None or contrasts.shape[1] == 0:
            return plain
        estimate = self.estimate(contrasts)
        wald = _squared_length(estimate, plain)
        usable = np.isfinite(wald) & (wald > SMALL)
        rise = self.ratios.rise(contrasts) if usable.any() else wald
        usable &= rise > 0
        factor = np.divide(wald, rise, out=np.ones_like(wald), where=usable)
        return plain * factor[:, None, None]

    def contrast_variance(self, contrasts: Array, variance: Array) -> Array:
        """Variances ``(n_features, c)`` of contrasts that are tested one by one."""
        columns = [
            RegressionFit.contrast_variance(self, contrasts[:, [i]], variance)[:, 0] for i in range(contrasts.shape[1])
        ]
        return np.column_stack(columns) if columns else np.empty((len(self.coef), 0))

    def with_flipped_factors(self, signs: Array) -> LikelihoodRatioFit:
        """Return the same fit with the signs of the last columns, the factors, changed by ``signs`` (k,)."""
        flipped = RegressionFit.with_flipped_factors(self, signs)
        flips = np.ones(self.coef.shape[1])
        flips[len(flips) - len(signs) :] = signs
        ratios = self.ratios and replace(self.ratios, flips=self.ratios.flips * flips)
        fields = {name: getattr(flipped, name) for name in RegressionFit.__slots__}
        return LikelihoodRatioFit(**fields, ratios=ratios, bias_reduced=self.bias_reduced)


def _squared_length(estimate: Array, covariance: Array) -> Array:
    """Wald statistics ``(m,)`` of estimates ``(m, c)`` with covariances ``(m, c, c)``; NaN where there is none."""
    usable = np.asarray(np.isfinite(covariance).all(axis=(1, 2)) & np.isfinite(estimate).all(axis=1))
    safe = np.where(usable[:, None, None], covariance, np.eye(covariance.shape[1]))
    solved = np.linalg.solve(safe, estimate[:, :, None])[:, :, 0]
    out: Array = np.where(usable, np.einsum("mi,mi->m", solved, estimate), np.nan)
    return out
