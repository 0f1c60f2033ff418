"""Elbow: where the scree plot bends most."""

from __future__ import annotations

import numpy as np

from latentadj.core.matrix import Array
from latentadj.core.regression import design_basis, design_pass
from latentadj.core.spectrum import residual_spectrum
from latentadj.exceptions import MethodError
from latentadj.num_factors.base import NumFactorsRule, count_features, scale_words, scaled_spectrum
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import RuleAnswer


class Elbow(NumFactorsRule):
    """Count the eigenvalues before the point of the scree plot that is farthest from its chord.

    Parameters
    ----------
    scale : {"unit", None}, default="unit"
        "unit" scales features to unit residual variance first.
    compat : {None, "PCAForQTL"}, default=None
        "PCAForQTL" takes the data themselves, centred and scaled to unit variance and without removal of the
        design, and counts the elbow itself too.

    Notes
    -----
    The chord joins the first and the last point ``(k, eigenvalue k)``; the elbow is the first eigenvalue that
    belongs to the flat part, so that the answer is the number before it. Every spectrum has an elbow: the rule
    cannot answer 0, not even for noise, and is meant for looking at.

    References
    ----------
    Satopaa, Albrecht, Irwin and Raghavan (2011), "Finding a kneedle in a haystack", ICDCS workshops, 166-171;
    Zhou, Li, Li and Li (2022), Genome Biology 23, 210, for its use on hidden factors.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> from latentadj.design import Design
    >>> rng = np.random.default_rng(0)
    >>> factor, group = rng.normal(size=40), np.repeat([0.0, 1.0], 20)
    >>> X = np.outer(factor, rng.normal(size=300)) + rng.normal(size=(40, 300))
    >>> problem = AdjustmentProblem(ArrayMatrix(X), Design.from_arrays(group))
    >>> Elbow().select(problem, 10, rng).n_factors
    1
    """

    def __init__(self, scale: str | None = "unit", compat: str | None = None) -> None:
        self.scale = scale
        self.compat = compat

    @property
    def name(self) -> str:
        """Name of the rule in tables."""
        return "elbow"

    def select(self, problem: AdjustmentProblem, limit: int, rng: np.random.Generator) -> RuleAnswer:
        """Apply the rule; see `NumFactorsRule.select`. The generator is not used.

        Raises
        ------
        MethodError
            If an option is unknown.
        """
        if self.compat not in (None, "PCAForQTL"):
            raise MethodError(f'compat={self.compat!r} is unknown. Use None or "PCAForQTL".')
        distances = chord_distances(self._eigenvalues(problem))
        position = int(np.argmax(distances)) if distances.any() else 0
        n_factors = position + 1 if self.compat and position else position
        shown = distances[1 : max(limit, 0) + 1]
        what = "data" if self.compat else f"residuals ({scale_words(self.scale)})"
        return RuleAnswer(
            rule=self.name,
            n_factors=min(n_factors, max(limit, 0)),
            statistic=shown,
            threshold=np.full(len(shown), np.nan),
            description=(
                f"Distance of the next eigenvalue of the {what} from the chord of the scree plot; the answer is where "
                "it is largest. There is always such a point: noise gives one too."
            ),
        )

    def _eigenvalues(self, problem: AdjustmentProblem) -> Array:
        if self.compat:
            return _total_eigenvalues(problem)
        eigenvalues = scaled_spectrum(problem, self.scale).eigenvalues
        return eigenvalues[: min(len(eigenvalues), count_features(problem, self.scale))]


def _total_eigenvalues(problem: AdjustmentProblem) -> Array:
    """Eigenvalues ``(min(n_samples, n_features),)`` of the centred and scaled data; two passes."""
    constant = design_basis(np.ones((problem.n_samples, 1)))
    squares = design_pass(problem.matrix, constant).rss
    varies = ~problem.constant & (squares > 0)
    weights = np.divide(1.0, np.sqrt(squares), out=np.zeros_like(squares), where=varies)
    values = residual_spectrum(problem.matrix, constant, weights=weights).eigenvalues
    return np.append(values, 0.0)[: min(problem.n_samples, problem.n_features)]


def chord_distances(values: Array) -> Array:
    """Distances of the points ``(k, value k)`` from the line through the first and the last.

    Parameters
    ----------
    values : ndarray of shape (n,)

    Returns
    -------
    ndarray of shape (n,)
        In units in which both axes run from 0 to 1, so that the largest does not depend on the units of the
        values; zeros with fewer than three points or no slope.

    Examples
    --------
    >>> chord_distances(np.array([8.0, 1.0, 0.5, 0.0])).round(2)
    array([0.  , 0.38, 0.19, 0.  ])
    """
    if len(values) < 3 or values[0] <= values[-1]:
        return np.zeros(len(values))
    across = np.linspace(0.0, 1.0, len(values))
    down = (values[0] - values) / (values[0] - values[-1])
    out: Array = np.abs(down - across) / np.sqrt(2.0)
    return out
