"""The feature side of a simulated study: loadings, noise variances, effects, controls."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latentadj.simulation.scenario import Scenario

Array = NDArray[np.float64]


def factor_loadings(scenario: Scenario, rng: np.random.Generator) -> Array:
    """Draw loadings: normal, with the scenario's share of zeros.

    Parameters
    ----------
    scenario : Scenario
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (n_features, n_factors)

    Examples
    --------
    >>> scenario = Scenario(n_features=1000, n_factors=1, loading_density=0.2)
    >>> share = np.mean(factor_loadings(scenario, np.random.default_rng(0)) != 0)
    >>> bool(abs(share - 0.2) < 0.05)
    True
    """
    shape = (scenario.n_features, scenario.n_factors)
    loadings = scenario.loading_sd * rng.normal(size=shape)
    return np.where(rng.random(shape) < scenario.loading_density, loadings, 0.0)


def noise_variances(scenario: Scenario, rng: np.random.Generator) -> Array:
    """Draw every feature's noise variance ``(n_features,)`` around 1.

    Notes
    -----
    Scaled inverse chi-square, the prior behind moderated t statistics (Smyth 2004, section 3.1).

    Examples
    --------
    >>> noise_variances(Scenario(n_features=2, variance_df=np.inf), np.random.default_rng(0))
    array([1., 1.])
    """
    df = scenario.variance_df
    if np.isinf(df):
        return np.ones(scenario.n_features)
    return np.asarray(df / rng.chisquare(df, size=scenario.n_features))


def true_effects(scenario: Scenario, loadings: Array, rng: np.random.Generator) -> Array:
    """Draw the effects of the primary variable.

    Parameters
    ----------
    scenario : Scenario
    loadings : ndarray of shape (n_features, n_factors)
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (n_features,)
        Per standard deviation of the primary variable; exactly zero for features without effect.

    Examples
    --------
    >>> scenario = Scenario(n_features=100, effect_share=0.1, effect_shape="one_sided")
    >>> effects = true_effects(scenario, np.zeros((100, 3)), np.random.default_rng(0))
    >>> int(np.sum(effects > 0)), int(np.sum(effects < 0))
    (10, 0)
    """
    effects = np.zeros(scenario.n_features)
    chosen = rng.choice(scenario.n_features, scenario.n_effects, replace=False)
    sizes = scenario.effect_sd * rng.normal(size=chosen.size)
    if scenario.effect_shape == "one_sided":
        sizes = np.abs(sizes)
    elif scenario.effect_shape == "loadings" and scenario.n_factors and scenario.loading_sd > 0:
        sizes = scenario.effect_sd * loadings[chosen, 0] / scenario.loading_sd
    effects[chosen] = sizes
    return effects


def negative_controls(scenario: Scenario, effects: Array, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Draw negative controls ``(n_features,)`` among the features without effect.

    Examples
    --------
    >>> int(negative_controls(Scenario(n_controls=3), np.zeros(10), np.random.default_rng(0)).sum())
    3
    """
    null = np.flatnonzero(effects == 0)
    chosen = rng.choice(null, min(scenario.n_controls, null.size), replace=False)
    mask = np.zeros(effects.size, dtype=bool)
    mask[chosen] = True
    return mask
