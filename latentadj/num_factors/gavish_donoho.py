"""Gavish-Donoho: singular values above the optimal hard threshold for unknown noise."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq

from latentadj.num_factors.base import (
    NumFactorsRule,
    count_features,
    leading_count,
    scale_words,
    scaled_spectrum,
)
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import RuleAnswer


class GavishDonoho(NumFactorsRule):
    """Count the singular values of the residuals above the threshold that minimises the error of denoising.

    Parameters
    ----------
    scale : {"unit", None}, default="unit"
        The theory is for equal noise variances, so features are scaled to unit residual variance.

    Notes
    -----
    For a matrix of aspect ratio ``beta <= 1`` the threshold is ``lambda(beta) / sqrt(mu(beta))`` times the
    median singular value, with ``lambda^2 = 2 (beta + 1) + 8 beta / (beta + 1 + sqrt(beta^2 + 14 beta + 1))``
    and ``mu`` the median of the Marchenko-Pastur distribution, computed to full precision. The aim is the
    best low-rank approximation: factors too weak to be worth keeping for that are not counted.

    References
    ----------
    Gavish and Donoho (2014), IEEE Transactions on Information Theory 60, 5040-5053: equation 11, and the
    section on unknown noise level.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> from latentadj.design import Design
    >>> rng = np.random.default_rng(0)
    >>> factor, group = rng.normal(size=40), np.repeat([0.0, 1.0], 20)
    >>> X = np.outer(factor, rng.normal(size=300)) + rng.normal(size=(40, 300))
    >>> problem = AdjustmentProblem(ArrayMatrix(X), Design.from_arrays(group))
    >>> GavishDonoho().select(problem, 10, rng).n_factors
    1
    """

    def __init__(self, scale: str | None = "unit") -> None:
        self.scale = scale

    @property
    def name(self) -> str:
        """Name of the rule in tables."""
        return "gavish_donoho"

    def select(self, problem: AdjustmentProblem, limit: int, rng: np.random.Generator) -> RuleAnswer:
        """Apply the rule; see `NumFactorsRule.select`. The generator is not used."""
        eigenvalues = scaled_spectrum(problem, self.scale).eigenvalues
        n_features = count_features(problem, self.scale)
        singular = np.sqrt(eigenvalues[: min(len(eigenvalues), n_features)])
        threshold = 0.0
        if singular.size:
            beta = singular.size / max(len(eigenvalues), n_features)
            threshold = threshold_factor(beta) * float(np.median(singular))
        shown = singular[: max(limit, 0)]
        return RuleAnswer(
            rule=self.name,
            n_factors=min(leading_count(singular > threshold), max(limit, 0)),
            statistic=shown,
            threshold=np.full(len(shown), threshold),
            description=(
                f"Singular value of the residuals ({scale_words(self.scale)}); a factor counts above the "
                "optimal hard threshold for noise of unknown size."
            ),
        )


@cache
def marchenko_pastur_median(beta: float) -> float:
    """Median of the Marchenko-Pastur distribution with unit variance.

    Parameters
    ----------
    beta : float
        Aspect ratio, above 0 and at most 1.

    Returns
    -------
    float

    Notes
    -----
    With ``x = 1 + beta + 2 sqrt(beta) cos(t)`` the density becomes ``2 sin(t)^2 / (pi x)`` on (0, pi), which
    is smooth; its integral is solved for one half.

    Examples
    --------
    >>> round(marchenko_pastur_median(1.0), 4)
    0.6528
    """

    def position(angle: float) -> float:
        return float(1.0 + beta + 2.0 * np.sqrt(beta) * np.cos(angle))

    def excess(angle: float) -> float:
        upper = quad(lambda t: 2.0 * np.sin(t) ** 2 / (np.pi * position(t)), 0.0, angle, epsabs=1e-13)[0]
        return float(upper - 0.5)

    return float(position(brentq(excess, 0.1, np.pi - 0.1, xtol=1e-14)))


def threshold_factor(beta: float) -> float:
    """Return the threshold in units of the median singular value, for an aspect ratio in (0, 1].

    Examples
    --------
    >>> round(threshold_factor(1.0), 3)
    2.858
    """
    root = np.sqrt(beta**2 + 14.0 * beta + 1.0)
    optimal = np.sqrt(2.0 * (beta + 1.0) + 8.0 * beta / (beta + 1.0 + root))
    return float(optimal / np.sqrt(marchenko_pastur_median(beta)))
