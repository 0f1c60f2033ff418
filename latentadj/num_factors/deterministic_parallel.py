"""Deterministic parallel analysis: eigenvalues above the computed end of the noise spectrum."""

from __future__ import annotations

import numpy as np

from latentadj.core.deterministic_parallel import noise_edge
from latentadj.core.matrix import Array
from latentadj.core.spiked import spike_behind
from latentadj.exceptions import MethodError
from latentadj.num_factors.base import (
    NumFactorsRule,
    count_features,
    feature_weights,
    leading_count,
    scale_words,
    scaled_spectrum,
)
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import RuleAnswer

NAMES: dict[str | bool, str] = {False: "dpa", "ddpa": "ddpa", "ddpa+": "ddpa_plus"}
#: Directions whose loadings are read in one pass while components are taken out.
DIRECTIONS = 8


class DeterministicParallelAnalysis(NumFactorsRule):
    """Count the eigenvalues above the end of the spectrum that noise of the same variances would have.

    Parameters
    ----------
    deflate : {False, "ddpa", "ddpa+"}, default=False
        False compares all eigenvalues with one end of the noise spectrum. "ddpa" takes each factor that is found
        out of the features and computes the end anew, so that strong factors do not hide weak ones (one more
        pass over the data per eight factors). "ddpa+" keeps of those that False finds the ones whose estimate is
        accurate enough to be worth removing.
    alpha : float or None, default=0.05
        Level at which the largest noise eigenvalue exceeds the bound; None compares with the limit itself, as
        the paper does, which one noise eigenvalue exceeds in 5 to 20 of 100 studies.
    scale : {"unit", None}, default="unit"
        "unit" scales features to unit residual variance; None takes them as they are.

    Notes
    -----
    What permutation estimates by repetition is computed from the features' residual sums of squares
    (`latentadj.core.deterministic_parallel.noise_edge`). Two things differ from the paper, for small studies: the
    space has as many dimensions as there are residual degrees of freedom (one fewer per factor taken out), and
    features are directions of known length, not normal vectors. Without factors the level is then at or below
    `alpha` from 8 samples on, for unequal variances and t noise with 5 degrees of freedom too.

    Correlated noise has no edge of this kind: "ddpa" then finds ever more. For "ddpa+" strength and accuracy are
    read from the eigenvalues behind all those above the edge; the paper takes all behind the one in question, so
    that two factors of similar strength rule each other out.

    References
    ----------
    Dobriban and Owen (2019), "Deterministic parallel analysis: an improved method for selecting factors and
    principal components", JRSS B 81, 163-183.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> from latentadj.design import Design
    >>> rng = np.random.default_rng(0)
    >>> factor, group = rng.normal(size=40), np.repeat([0.0, 1.0], 20)
    >>> X = np.outer(factor, rng.normal(size=300)) + rng.normal(size=(40, 300))
    >>> problem = AdjustmentProblem(ArrayMatrix(X), Design.from_arrays(group))
    >>> DeterministicParallelAnalysis().select(problem, 10, rng).n_factors
    1
    """

    def __init__(self, deflate: str | bool = False, alpha: float | None = 0.05, scale: str | None = "unit") -> None:
        self.deflate = deflate
        self.alpha = alpha
        self.scale = scale

    @property
    def name(self) -> str:
        """Name of the rule in tables."""
        return NAMES.get(self.deflate, NAMES[False])

    def select(self, problem: AdjustmentProblem, limit: int, rng: np.random.Generator) -> RuleAnswer:
        """Apply the rule; see `NumFactorsRule.select`. The generator is not used.

        Raises
        ------
        MethodError
            If an option is out of range.
        """
        self._check()
        n_tried = max(min(limit, problem.df_resid - 1, count_features(problem, self.scale) - 1), 0)
        eigenvalues = scaled_spectrum(problem, self.scale).eigenvalues
        if self.deflate == "ddpa+":
            bounds = self._accuracy_bounds(problem, eigenvalues, n_tried)
        elif self.deflate == "ddpa":
            bounds = self._deflated_bounds(problem, eigenvalues, n_tried)
        else:
            bounds = np.full(n_tried, noise_edge(self._squares(problem), problem.df_resid).bound(self.alpha))
        statistic = eigenvalues[: len(bounds)]
        return RuleAnswer(
            rule=self.name,
            n_factors=leading_count(statistic > bounds),
            statistic=statistic,
            threshold=bounds,
            description=self._description(),
        )

    def _check(self) -> None:
        if self.deflate not in NAMES:
            raise MethodError(f'deflate={self.deflate!r} is unknown. Use False, "ddpa" or "ddpa+".')
        if self.alpha is not None and not 0 < self.alpha < 1:
            raise MethodError(f"alpha={self.alpha} cannot be used. Give a level between 0 and 1, or None.")

    def _squares(self, problem: AdjustmentProblem) -> Array:
        weights = feature_weights(problem, self.scale)
        return problem.sums.rss if weights is None else problem.sums.rss * weights**2

    def _deflated_bounds(self, problem: AdjustmentProblem, eigenvalues: Array, n_tried: int) -> Array:
        """Bounds with all earlier components taken out, up to the first that is not exceeded."""
        squares = self._squares(problem)
        left, bounds = squares.copy(), []
        for k in range(n_tried):
            if k % DIRECTIONS == 0:
                explained = self._explained(problem, slice(k, min(k + DIRECTIONS, n_tried)))
            left[left < 1e-12 * squares] = 0.0
            bounds.append(noise_edge(left, problem.df_resid - k).bound(self.alpha))
            if eigenvalues[k] <= bounds[-1]:
                break
            left = left - explained[:, k % DIRECTIONS]
        return np.array(bounds)

    def _explained(self, problem: AdjustmentProblem, directions: slice) -> Array:
        """Sum of squares of every feature along some residual components."""
        coordinates = problem.project(scaled_spectrum(problem, self.scale).vectors[:, directions])
        weights = feature_weights(problem, self.scale)
        scaled: Array = coordinates if weights is None else coordinates * weights[:, None]
        return scaled**2

    def _accuracy_bounds(self, problem: AdjustmentProblem, eigenvalues: Array, n_tried: int) -> Array:
        """What each eigenvalue must exceed to stand out of the noise and for its component to be worth removing."""
        edge = noise_edge(self._squares(problem), problem.df_resid).bound(self.alpha)
        bounds = np.full(n_tried, edge)
        n_found = int(np.sum(eigenvalues > edge))
        noise, n_features = eigenvalues[n_found:], count_features(problem, self.scale) - n_found
        for k in range(min(n_found, n_tried)):
            spike = spike_behind(float(eigenvalues[k]), noise, n_features)
            gain = 4.0 * spike.strength * spike.accuracy
            bounds[k] = max(edge, eigenvalues[k] ** 2 / gain if gain > 0 else np.inf)
        return bounds

    def _description(self) -> str:
        words = scale_words(self.scale)
        if self.deflate == "ddpa+":
            return (
                f"Eigenvalue of the residuals ({words}); a factor counts while its estimate is accurate enough that "
                "removing it takes away more than it adds, among those above the noise."
            )
        level = "the limit of" if self.alpha is None else f"what is exceeded with probability {self.alpha:g} by"
        after = ", earlier factors taken out" if self.deflate else ""
        return (
            f"Eigenvalue of the residuals ({words}{after}); a factor counts above {level} the largest noise eigenvalue."
        )
