"""Links of every residual direction, and variances without residual degrees of freedom, from negative controls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import svd

from latentadj.core.matrix import Array

#: Step of the trapezoidal rule in the logarithm of the integration variable; its error is exp(-2 pi^2 / step).
STEP = 0.5
#: The integrand is followed until it is below exp(-TAIL) of its scale.
TAIL = 40.0


@dataclass(frozen=True, slots=True)
class ControlSpectrum:
    """Singular value decomposition of the controls' loadings on all residual directions.

    Attributes
    ----------
    eigenvalues : ndarray of shape (nu,)
        Of the Gram matrix ``A_c' A_c``, decreasing; zeros where there are fewer controls than directions.
    vectors : ndarray of shape (nu, nu)
        Orthonormal; rotate loadings into the controls' principal axes.
    scores : ndarray of shape (n_controls, nu)
        ``A_c vectors``.
    """

    eigenvalues: Array
    vectors: Array
    scores: Array

    @property
    def n_controls(self) -> int:
        """Number of controls."""
        return int(self.scores.shape[0])


def control_spectrum(loadings: Array) -> ControlSpectrum:
    """Decompose the controls' loadings.

    Parameters
    ----------
    loadings : ndarray of shape (n_controls, nu)

    Returns
    -------
    ControlSpectrum
    """
    left, singular, right = svd(loadings, full_matrices=False)
    nu = loadings.shape[1]
    if len(singular) < nu:
        right = svd(loadings, full_matrices=True)[2]
    values, scores = np.zeros(nu), np.zeros((len(loadings), nu))
    values[: len(singular)] = singular**2
    scores[:, : len(singular)] = left * singular
    return ControlSpectrum(values, right.T, scores)


def spectral_shares(eigenvalues: Array) -> Array:
    """Expected share of each principal axis in a variance that is estimated from random contrasts.

    Parameters
    ----------
    eigenvalues : ndarray of shape (nu,)
        Positive.

    Returns
    -------
    ndarray of shape (nu,)
        ``E[c_i x_i^2 / sum_l c_l x_l^2]`` for independent standard normal x and ``c = eigenvalues^-2``; the sum is 1.

    Notes
    -----
    With every residual direction in the model nothing is left to estimate a variance from. Gagnon-Bartsch, Jacob
    and Speed (2013), section 3.4: put a random variable in the place of the primary one, take the square of its
    estimated effect over its unscaled variance, and average over such variables.

    The expectation is ``c_i`` times the integral over t > 0 of
    ``(1 + 2 c_i t)^-1 prod_l (1 + 2 c_l t)^-1/2``. In ``u = log t`` the integrand is analytic in a strip of half-width
    pi and falls off exponentially on both sides, so that the trapezoidal rule with step 0.5 is exact to round-off.

    Examples
    --------
    >>> spectral_shares(np.ones(5)).round(12)
    array([0.2, 0.2, 0.2, 0.2, 0.2])
    """
    c = (np.min(eigenvalues) / eigenvalues) ** 2
    stop = 2.0 * TAIL
    while 0.5 * np.sum(np.log1p(2.0 * c * np.exp(stop))) > 2.0 * TAIL and stop > 2.0:
        stop -= 1.0
    t = np.exp(np.arange(-TAIL, stop + STEP, STEP))
    log_product = np.array([np.sum(np.log1p(2.0 * c * value)) for value in t])
    shares = (c * t[:, None] / (1.0 + 2.0 * c * t[:, None]) * np.exp(-0.5 * log_product)[:, None]).sum(axis=0)
    out: Array = shares / shares.sum()
    return out


def spectral_variance(loadings: Array, spectrum: ControlSpectrum, ridge: float) -> tuple[Array, float]:
    """Noise variances of all features from the axes along which the controls vary least.

    Parameters
    ----------
    loadings : ndarray of shape (n_features, nu)
        On all residual directions.
    spectrum : ControlSpectrum
    ridge : float
        Added to the eigenvalues.

    Returns
    -------
    sigma2 : ndarray of shape (n_features,)
        ``sum_i E_i (v_i' a_j)^2`` with the shares E of `spectral_shares`.
    df : float
        ``1 / sum E_i^2`` (Satterthwaite).
    """
    shares = spectral_shares(spectrum.eigenvalues + ridge)
    rotated = loadings @ (spectrum.vectors * np.sqrt(shares))
    return np.einsum("ij,ij->i", rotated, rotated), float(1.0 / np.sum(shares**2))


@dataclass(frozen=True, slots=True)
class AllFactorLink:
    """Link of all residual directions to the primary variables.

    Attributes
    ----------
    omega : ndarray of shape (n_primary, nu)
    spread : ndarray of shape (nu, nu)
        Covariance of omega along the directions that hold signal, for a residual of unit variance.
    n_signal : int
        Number of those directions.
    """

    omega: Array
    spread: Array
    n_signal: int


def ridge_link(spectrum: ControlSpectrum, effects: Array, ridge: float) -> AllFactorLink:
    """Ridge regression of the controls' naive effects on all their loadings.

    Parameters
    ----------
    spectrum : ControlSpectrum
    effects : ndarray of shape (n_controls, n_primary)
    ridge : float

    Returns
    -------
    AllFactorLink
        Without spread: the form of the papers.
    """
    coordinates = (spectrum.scores.T @ effects) / (spectrum.eigenvalues + ridge)[:, None]
    return AllFactorLink((spectrum.vectors @ coordinates).T, np.zeros_like(spectrum.vectors), 0)


def corrected_ridge_link(spectrum: ControlSpectrum, effects: Array, ridge: float, noise: float) -> AllFactorLink:
    """Ridge regression whose coefficients are not pulled towards zero along directions that hold signal.

    Parameters
    ----------
    spectrum : ControlSpectrum
    effects : ndarray of shape (n_controls, n_primary)
    ridge : float
    noise : float
        Sum of the controls' noise variances: what noise alone adds to every eigenvalue.

    Returns
    -------
    AllFactorLink

    Notes
    -----
    Noise in the loadings adds `noise` to the Gram matrix, and the ridge adds itself: both pull the coefficients
    towards zero, and what is left of the confounding looks like an effect. Along axes whose eigenvalue is above
    the largest one of pure noise, ``noise (1 + sqrt(nu / n_controls))^2`` (Marchenko and Pastur 1967), the coefficient
    is therefore divided by ``eigenvalue - noise`` (errors-in-variables regression, Fuller 1987, section 2.2)
    instead of ``eigenvalue + ridge``. The spread is that of these coefficients times the squared share of signal
    in a feature's loading, so that noise in loadings is not counted a second time.
    """
    values = spectrum.eigenvalues
    edge = noise * (1.0 + np.sqrt(len(values) / spectrum.n_controls)) ** 2
    signal = values > edge
    divisor = np.where(signal, values - noise, values + ridge)
    coordinates = (spectrum.scores.T @ effects) / divisor[:, None]
    variance = np.divide(noise / spectrum.n_controls, values, out=np.zeros_like(values), where=signal)
    spread = (spectrum.vectors * variance) @ spectrum.vectors.T
    return AllFactorLink((spectrum.vectors @ coordinates).T, spread, int(signal.sum()))
