"""The sample side of a simulated study: primary variable, hidden factors, noise scale."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latentadj.simulation.scenario import Scenario

Array = NDArray[np.float64]


def primary_variable(scenario: Scenario, rng: np.random.Generator) -> Array:
    """Draw the primary variable.

    Parameters
    ----------
    scenario : Scenario
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (n_samples,)
        Mean 0 and variance 1 (divisor n_samples).

    Examples
    --------
    >>> x = primary_variable(Scenario(n_samples=8), np.random.default_rng(0))
    >>> sorted(set(x.tolist()))
    [-1.0, 1.0]
    """
    n = scenario.n_samples
    if scenario.primary == "continuous":
        x = rng.normal(size=n)
    else:
        x = rng.permutation(np.arange(n) < scenario.group_size).astype(float)
    x = x - x.mean()
    out: Array = x / np.sqrt(np.mean(x**2))
    return out


def hidden_factors(scenario: Scenario, primary: Array, rng: np.random.Generator) -> Array:
    """Draw factors that share the scenario's R2 with the primary variable.

    Parameters
    ----------
    scenario : Scenario
    primary : ndarray of shape (n_samples,)
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (n_samples, n_factors)
        Each of unit population variance; zero rows of correlation for "balanced".

    Notes
    -----
    Every factor has the same correlation r with the primary variable and, given it, they are independent. The
    R2 on all k of them is then ``k r^2 / (1 + (k - 1) r^2)``, so that ``r^2 = R2 / (k - (k - 1) R2)``.

    Examples
    --------
    >>> x = np.repeat([-1.0, 1.0], 10)
    >>> Z = hidden_factors(Scenario(factor_shape="balanced"), x, np.random.default_rng(0))
    >>> bool(abs(Z.T @ x).max() < 1e-12)
    True
    """
    n, k = primary.size, scenario.n_factors
    if k == 0:
        return np.empty((n, 0))
    if scenario.factor_shape == "balanced":
        known = np.linalg.qr(np.column_stack([np.ones(n), primary]))[0]
        scores = rng.normal(size=(n, k))
        return np.asarray(scores - known @ (known.T @ scores))
    correlation = np.sqrt(scenario.confounding / (k - (k - 1) * scenario.confounding))
    signs = rng.choice([-1.0, 1.0], size=k)
    if scenario.factor_shape == "batch":
        side = np.sign(primary - np.median([primary.min(), primary.max()]))[:, None]
        return np.where(rng.random((n, k)) < (1 + correlation * side * signs) / 2, 1.0, -1.0)
    own = np.sqrt(1 - correlation**2) * rng.normal(size=(n, k))
    return np.asarray(correlation * np.outer(primary, signs) + own)


def noise_scales(scenario: Scenario, primary: Array, rng: np.random.Generator) -> Array:
    """Draw which samples are noisier.

    Parameters
    ----------
    scenario : Scenario
    primary : ndarray of shape (n_samples,)
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (n_samples,)
        Factor on every feature's noise standard deviation.

    Examples
    --------
    >>> scenario = Scenario(n_samples=6, n_outliers=1, outlier_ratio=3.0)
    >>> sorted(noise_scales(scenario, np.zeros(6), np.random.default_rng(0)).tolist())[-2:]
    [1.0, 3.0]
    """
    scales = np.where(primary > 0, scenario.group_noise_ratio, 1.0)
    outliers = rng.choice(scenario.n_samples, scenario.n_outliers, replace=False)
    scales[outliers] *= scenario.outlier_ratio
    return scales
