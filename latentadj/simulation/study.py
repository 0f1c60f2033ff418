"""One simulated study: data, design and truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentadj.design import Design
from latentadj.simulation.features import factor_loadings, negative_controls, noise_variances, true_effects
from latentadj.simulation.noise import additive_noise, draw_counts, log_counts
from latentadj.simulation.samples import hidden_factors, noise_scales, primary_variable
from latentadj.simulation.scenario import Scenario
from latentadj.simulation.source import StudySource

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Truth:
    """What a study was made of.

    Attributes
    ----------
    effects : ndarray of shape (n_features,)
        Effects of the primary variable, per unit of the design's column ``x``; NaN where they are not known.
    factors : ndarray of shape (n_samples, n_factors)
    loadings : ndarray of shape (n_features, n_factors)
    controls : ndarray of bool, shape (n_features,)
        Negative controls that methods may use: features whose effect is zero.
    factors_known : bool
        False for real data, whose own hidden factors nobody knows; `factors` are then an estimate or empty.
    held_out : ndarray of bool, shape (n_features,), or None
        Negative controls that methods do not see; by default the other features without effect.
    positives : ndarray of bool, shape (n_features,), or None
        Positive controls: features with an effect; by default all that are known to have one.
    """

    effects: Array
    factors: Array
    loadings: Array
    controls: Mask
    factors_known: bool = True
    held_out: Mask | None = None
    positives: Mask | None = None

    @property
    def is_null(self) -> Mask:
        """Features without effect, shape (n_features,)."""
        return np.asarray(self.effects == 0)

    @property
    def has_effect(self) -> Mask:
        """Features that are known to have an effect, shape (n_features,)."""
        return np.asarray(np.isfinite(self.effects) & (self.effects != 0))

    @property
    def checked_controls(self) -> Mask:
        """Negative controls that methods did not see, shape (n_features,)."""
        return self.is_null & ~self.controls if self.held_out is None else self.held_out

    @property
    def positive_controls(self) -> Mask:
        """Features that a good analysis finds, shape (n_features,)."""
        return self.has_effect if self.positives is None else self.positives


@dataclass(frozen=True, eq=False)
class SimulatedStudy:
    """A study whose truth, or a part of it, is known.

    Attributes
    ----------
    X : ndarray of shape (n_samples, n_features)
    design : Design
        An intercept and the primary column ``x``; studies made of real data may adjust for more.
    truth : Truth
    scenario : Scenario or StudySource
        What it was drawn from.
    replicates : ndarray of int, shape (n_samples,)
        Labels of pairs of samples of the same group (of similar primary value when it is continuous).
    counts : ndarray of shape (n_samples, n_features) or None
        The counts behind X, with ``scale="log_counts"``.
    """

    X: Array
    design: Design
    truth: Truth
    scenario: Scenario | StudySource
    replicates: NDArray[np.intp]
    counts: Array | None = None

    @property
    def oracle_design(self) -> Design:
        """The design of an analyst who knows the factors: they are nuisance columns ``z1, z2, ...``."""
        factors = self.truth.factors
        if factors.shape[1] == 0:
            return self.design
        names = [f"z{i + 1}" for i in range(factors.shape[1])]
        return Design.from_arrays(self.design.primary, factors, primary_names=["x"], nuisance_names=names)


def simulate(scenario: Scenario | StudySource, rng: np.random.Generator | int) -> SimulatedStudy:
    """Draw one study.

    Parameters
    ----------
    scenario : Scenario or StudySource
        A recipe, or real data from which studies with a known truth are made.
    rng : numpy.random.Generator or int
        Source of random numbers; an integer is a seed.

    Returns
    -------
    SimulatedStudy

    Notes
    -----
    ``X = x b' + Z L' + E`` with samples in rows, in the notation of Wang, Zhao, Hastie and Owen (2017),
    section 2; with ``scale="log_counts"`` that sum is the signal and counting makes the noise.

    Examples
    --------
    >>> study = simulate(Scenario(n_samples=20, n_features=100), 0)
    >>> study.X.shape, int(study.truth.is_null.sum())
    ((20, 100), 95)
    """
    rng = np.random.default_rng(rng)
    if not isinstance(scenario, Scenario):
        return scenario.draw(rng)
    primary = primary_variable(scenario, rng)
    factors = hidden_factors(scenario, primary, rng)
    loadings = factor_loadings(scenario, rng)
    effects = true_effects(scenario, loadings, rng)
    signal = np.outer(primary, effects) + factors @ loadings.T
    counts = None
    if scenario.scale == "log_counts":
        counts = draw_counts(scenario, signal, rng)
        values = log_counts(counts)
    else:
        scales = noise_scales(scenario, primary, rng)
        values = signal + additive_noise(scenario, noise_variances(scenario, rng), scales, rng)
    truth = Truth(effects, factors, loadings, negative_controls(scenario, effects, rng))
    design = Design.from_arrays(primary, primary_names=["x"])
    return SimulatedStudy(values, design, truth, scenario, _pairs(primary), counts)


def _pairs(primary: Array) -> NDArray[np.intp]:
    """Label neighbours in the order of the primary variable."""
    labels = np.empty(primary.size, dtype=np.intp)
    labels[np.argsort(primary, kind="stable")] = np.arange(primary.size) // 2
    return labels
