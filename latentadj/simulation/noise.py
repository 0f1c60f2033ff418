"""Noise of a simulated study: additive errors, or counting."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latentadj.simulation.scenario import Scenario

Array = NDArray[np.float64]

#: Standard deviation of the natural logarithm of the library sizes.
LIBRARY_SPREAD = 0.3
#: Mean and standard deviation of the features' levels, log2 counts per million.
LEVEL_MEAN, LEVEL_SD = 6.0, 2.0


def additive_noise(scenario: Scenario, variances: Array, scales: Array, rng: np.random.Generator) -> Array:
    """Draw noise with feature variances and sample scales.

    Parameters
    ----------
    scenario : Scenario
    variances : ndarray of shape (n_features,)
    scales : ndarray of shape (n_samples,)
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (n_samples, n_features)

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> scenario = Scenario(n_samples=500, n_features=4, noise_correlation=0.5, block_size=2)
    >>> noise = additive_noise(scenario, np.ones(4), np.ones(500), rng)
    >>> np.allclose(np.corrcoef(noise.T)[0], [1.0, 0.5, 0.0, 0.0], atol=0.15)
    True
    """
    shape = (scenario.n_samples, scenario.n_features)
    noise = _unit_draws(scenario.noise_df, shape, rng)
    share = scenario.noise_correlation
    if share:
        block = np.arange(scenario.n_features) // scenario.block_size
        common = _unit_draws(scenario.noise_df, (shape[0], int(block[-1]) + 1), rng)
        noise = np.sqrt(1 - share) * noise + np.sqrt(share) * common[:, block]
    return np.asarray(noise * scales[:, None] * np.sqrt(variances))


def _unit_draws(df: float, shape: tuple[int, int], rng: np.random.Generator) -> Array:
    """Student draws rescaled to unit variance; normal for infinite df."""
    if np.isinf(df):
        return rng.normal(size=shape)
    return np.asarray(rng.standard_t(df, size=shape) * np.sqrt((df - 2) / df))


def draw_counts(scenario: Scenario, signal: Array, rng: np.random.Generator) -> Array:
    """Draw negative binomial counts around a signal.

    Parameters
    ----------
    scenario : Scenario
    signal : ndarray of shape (n_samples, n_features)
        On the log2 scale, without the features' levels.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (n_samples, n_features)

    Examples
    --------
    >>> counts = draw_counts(Scenario(n_samples=5), np.zeros((5, 200)), np.random.default_rng(0))
    >>> counts.shape, bool((counts >= 0).all())
    ((5, 200), True)
    """
    n, m = signal.shape
    level = LEVEL_MEAN + LEVEL_SD * rng.normal(size=m)
    abundance = np.exp2(level + signal)
    shares = abundance / abundance.sum(axis=1, keepdims=True)
    library = scenario.library_size * np.exp(LIBRARY_SPREAD * rng.normal(size=(n, 1)))
    mean = library * shares
    if scenario.dispersion > 0:
        shape = 1.0 / scenario.dispersion
        mean = rng.gamma(shape, mean / shape)
    return np.asarray(rng.poisson(mean), dtype=np.float64)


def log_counts(counts: Array) -> Array:
    """Take log2 counts per million, ``log2((count + 0.5) / (library + 1) * 1e6)``.

    Parameters
    ----------
    counts : ndarray of shape (n_samples, n_features)

    Returns
    -------
    ndarray of shape (n_samples, n_features)

    Notes
    -----
    Law, Chen, Shi and Smyth (2014), Genome Biology 15:R29.

    Examples
    --------
    >>> log_counts(np.array([[0.0, 999999.0]])).round(2)
    array([[-1.  , 19.93]])
    """
    return np.asarray(np.log2((counts + 0.5) / (counts.sum(axis=1, keepdims=True) + 1.0) * 1e6))
