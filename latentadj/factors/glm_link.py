"""Hidden factors of generalised linear models, tied to the primary variables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, eigh, solve_triangular

from latentadj.confounding import RobustRegression
from latentadj.confounding.attenuation import MIN_RELIABILITY
from latentadj.core.glm import GLMFit, quasi_dispersion
from latentadj.core.regression import DesignBasis
from latentadj.core.variance import squeeze_variances
from latentadj.results.factors import LinkEstimate

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class JointEffects:
    """Primary effects and loadings of all features with their errors, from fits on scores orthogonal to the design.

    Attributes
    ----------
    effects : ndarray of shape (n_features, n_primary)
    loadings : ndarray of shape (n_features, n_factors)
    covariance : ndarray of shape (n_features, n_primary + n_factors, n_primary + n_factors)
    usable : ndarray of bool, shape (n_features,)
    """

    effects: Array
    loadings: Array
    covariance: Array
    usable: NDArray[np.bool_]


def joint_effects(
    fit: GLMFit, basis: DesignBasis, primary: list[int], constant: NDArray[np.bool_], scale: Array
) -> JointEffects:
    """Take primary effects and loadings out of a fit in coordinates of the design basis and the scores.

    Parameters
    ----------
    fit : GLMFit
        Columns: ``basis.q``, then the scores.
    basis : DesignBasis
    primary : list of int
        Design columns of the primary variables.
    constant : ndarray of bool, shape (n_features,)
    scale : ndarray of shape (n_features,)
        Variance of a feature in units of its family's.

    Returns
    -------
    JointEffects
    """
    rank, k = basis.rank, fit.coef.shape[1] - basis.rank
    rows = [basis.kept.index(column) for column in primary]
    turn = np.zeros((len(rows) + k, rank + k))
    turn[: len(rows), :rank] = basis.r_inverse[rows]
    turn[len(rows) :, rank:] = np.eye(k)
    coef = fit.coef @ turn.T
    covariance = scale[:, None, None] * (turn @ fit.unscaled @ turn.T)
    usable = np.isfinite(coef).all(axis=1) & np.isfinite(covariance).all(axis=(1, 2)) & ~constant & (scale > 0)
    return JointEffects(coef[:, : len(rows)], coef[:, len(rows) :], covariance, usable)


def moderated_scale(fit: GLMFit, df_resid: float, known: bool, constant: NDArray[np.bool_]) -> Array:
    """Moderated quasi-dispersions ``(n_features,)``: ones where the scale is known, 0 for features without one."""
    if known:
        return np.where(constant, 0.0, 1.0)
    raw = quasi_dispersion(fit, df_resid)
    raw = np.where(constant | ~(raw > 0), np.nan, raw)
    return np.nan_to_num(squeeze_variances(raw, max(df_resid, 1.0)).s2_post, nan=0.0)


def estimate_link(joint: JointEffects, unscaled: Array) -> LinkEstimate:
    """Regress the primary effects on the loadings, robustly, and undo the attenuation by the errors of both.

    Parameters
    ----------
    joint : JointEffects
    unscaled : ndarray of shape (n_primary, n_primary)
        ``(X' X)^-1`` of the primary columns after the nuisance part.

    Returns
    -------
    LinkEstimate

    Notes
    -----
    Du, Wasserman and Roeder (2025) split the effects into a part along the loadings and a sparse rest by an l1
    penalty. For a quadratic loss the rest can be minimised out, and what is left for the link is Huber's criterion
    with the penalty as its bound (She and Owen 2011, Journal of the American Statistical Association 106:626). This
    is that criterion with Huber's bound of 1.345 re-estimated standard deviations, each feature in units of the
    standard error that its own information gives.

    With weights w, moments ``S = sum w a a'`` and ``omega S = sum w b a'`` hold the errors' covariances
    ``N = sum w V_aa`` and ``C = sum w V_ba``; the corrected link is ``(omega S - C) (S - N)^-1``.
    """
    p = joint.effects.shape[1]
    noise = _noise(joint, unscaled)
    found = RobustRegression().estimate(joint.effects, joint.loadings, noise, unscaled)
    used = noise > 0
    weights, loadings = 1.0 / noise[used], joint.loadings[used]
    moment = (loadings * weights[:, None]).T @ loadings
    own = np.einsum("m,mab->ab", weights, joint.covariance[used][:, p:, p:])
    shared = np.einsum("m,mab->ab", weights, joint.covariance[used][:, :p, p:])
    inverse = _inverse_without_noise(moment, own)
    stretch = moment @ inverse
    covariance = np.einsum("ba,ibjc,cd->iajd", stretch, found.covariance, stretch, optimize=True)
    return LinkEstimate((found.omega @ moment - shared) @ inverse, covariance, found.converged)


def _noise(joint: JointEffects, unscaled: Array) -> Array:
    """Each feature's error variance in units of the design's, ``(n_features,)``; 0 for unusable ones."""
    p = joint.effects.shape[1]
    variances = np.einsum("mii->mi", joint.covariance)[:, :p] / np.diag(unscaled)
    return np.where(joint.usable, np.nan_to_num(variances.mean(axis=1), nan=0.0), 0.0)


def _inverse_without_noise(moment: Array, noise: Array) -> Array:
    """``(S - N)^-1`` with no direction's share of signal taken below the least reliability."""
    lower = cholesky(moment, lower=True)
    half = solve_triangular(lower, noise, lower=True)
    shares, vectors = eigh(solve_triangular(lower, half.T, lower=True))
    back = solve_triangular(lower.T, vectors, lower=False)
    out: Array = (back / np.maximum(1.0 - shares, MIN_RELIABILITY)) @ back.T
    return out
