"""Attenuation of the link by errors in the loadings, and its correction.

Loadings are estimated, and a regression on predictors with errors is pulled towards zero. What is left of the
confounding then looks like an effect, in every feature with a large loading.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh, solve

from latentadj.results.factors import LinkEstimate

Array = NDArray[np.float64]

#: No direction's coefficient is multiplied by more than one over this.
MIN_RELIABILITY = 0.05


def loading_reliability(loadings: Array, sigma2: Array, weights: Array) -> Array:
    """Share of the loadings' weighted second moment that is not estimation error.

    Parameters
    ----------
    loadings : ndarray of shape (m, k)
        Least-squares loadings on orthonormal scores, so that each has error variance ``sigma2[j]``.
    sigma2 : ndarray of shape (m,)
        Noise variances.
    weights : ndarray of shape (m,)
        Weights of the features in the regression on the loadings.

    Returns
    -------
    ndarray of shape (k, k)
        ``(S - n I) S^-1`` with ``S = sum w_j a_j a_j'`` and ``n = sum w_j sigma2_j``; symmetric, with eigenvalues
        between 0.05 and 1. They are floored there: a factor that is all noise has a small coefficient, which
        must not be blown up.

    Notes
    -----
    Errors-in-variables regression, Fuller (1987), section 2.2; for hidden factors McKennan and Nicolae (2019),
    Biometrika 106:823, whose estimator subtracts the same term.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> measured = rng.normal(size=(5000, 1)) + 0.5 * rng.normal(size=(5000, 1))
    >>> loading_reliability(measured, np.full(5000, 0.25), np.ones(5000)).round(1)
    array([[0.8]])
    """
    if loadings.shape[1] == 0:
        return np.empty((0, 0))
    moment = (loadings * weights[:, None]).T @ loadings
    noise = float(weights @ sigma2)
    values, vectors = eigh(moment)
    shares = 1.0 - noise / np.maximum(values, np.finfo(float).tiny)
    out: Array = (vectors * np.maximum(shares, MIN_RELIABILITY)) @ vectors.T
    return out


def corrected_for_attenuation(link: LinkEstimate, reliability: Array) -> LinkEstimate:
    """Undo the attenuation of a link that was estimated by regression on noisy loadings.

    Parameters
    ----------
    link : LinkEstimate
    reliability : ndarray of shape (n_factors, n_factors)
        From `loading_reliability`.

    Returns
    -------
    LinkEstimate
        Coefficients ``reliability^-1 omega_i`` and their covariance.

    Notes
    -----
    Exact for least squares as the number of features grows. A Huber fit is attenuated by the same share when
    loadings and errors are normal, and nearly so otherwise.

    Examples
    --------
    >>> link = LinkEstimate(np.array([[0.8]]), np.full((1, 1, 1, 1), 0.04))
    >>> corrected_for_attenuation(link, np.array([[0.8]])).omega
    array([[1.]])
    """
    inverse = solve(reliability, np.eye(len(reliability)), assume_a="sym")
    covariance = np.einsum("ab,ibjc,dc->iajd", inverse, link.covariance, inverse, optimize=True)
    return replace(link, omega=link.omega @ inverse.T, covariance=covariance)
