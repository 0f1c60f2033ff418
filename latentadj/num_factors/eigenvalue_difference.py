"""Eigenvalue difference: factors end where the gaps between eigenvalues become as small as among noise."""

from __future__ import annotations

import numpy as np

from latentadj.core.matrix import Array
from latentadj.exceptions import MethodError
from latentadj.num_factors.base import (
    NumFactorsRule,
    check_scale,
    count_features,
    scale_words,
    scaled_spectrum,
)
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import RuleAnswer

#: Eigenvalues behind the candidates from which the spacing of noise is read.
N_NOISE = 5
#: Largest number of factors that is searched unless the caller says otherwise.
DEFAULT_R_MAX = 20
MAX_ROUNDS = 10


class EigenvalueDifference(NumFactorsRule):
    """Count up to the last gap between neighbouring eigenvalues that is larger than noise makes.

    Parameters
    ----------
    r_max : int, optional
        Largest number searched; by default 20, or as many as leave five eigenvalues for the noise.
    scale : {"unit", None}, default=None
        "unit" scales features to unit residual variance first.

    Notes
    -----
    For eigenvalues ``l_i = s_i^2 / df_resid``, the noise eigenvalues ``l_j .. l_{j+4}`` are regressed on
    ``(j - 1)^{2/3} .. (j + 3)^{2/3}``, the spacing at the edge of a random-matrix spectrum; ``delta`` is
    twice the absolute slope, and the answer k is the last ``i <= r_max`` with ``l_i - l_{i+1} > delta``. It
    starts at ``j = r_max + 1`` and is repeated from ``j = k + 1`` until k stays, ten times at most.

    It needs strong factors: with few samples or many weak factors it falls to 0.

    References
    ----------
    Onatski (2010), Review of Economics and Statistics 92, 1004-1016: the estimator and the
    calibration of its threshold.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> from latentadj.design import Design
    >>> rng = np.random.default_rng(0)
    >>> factor, group = rng.normal(size=40), np.repeat([0.0, 1.0], 20)
    >>> X = np.outer(factor, rng.normal(size=300)) + rng.normal(size=(40, 300))
    >>> problem = AdjustmentProblem(ArrayMatrix(X), Design.from_arrays(group))
    >>> EigenvalueDifference().select(problem, 10, rng).n_factors
    1
    """

    def __init__(self, r_max: int | None = None, scale: str | None = None) -> None:
        self.r_max = r_max
        self.scale = scale

    @property
    def name(self) -> str:
        """Name of the rule in tables."""
        return "eigenvalue_difference"

    def select(self, problem: AdjustmentProblem, limit: int, rng: np.random.Generator) -> RuleAnswer:
        """Apply the rule; see `NumFactorsRule.select`. The generator is not used.

        Raises
        ------
        MethodError
            If an option is out of range.
        """
        check_scale(self.scale)
        eigenvalues = scaled_spectrum(problem, self.scale).eigenvalues / max(problem.df_resid, 1)
        usable = min(len(eigenvalues), count_features(problem, self.scale))
        r_max = self._search_limit(usable)
        n_factors, delta = eigenvalue_difference(eigenvalues[:usable], r_max)
        gaps = -np.diff(eigenvalues[:usable])[: min(r_max, max(limit, 0))]
        return RuleAnswer(
            rule=self.name,
            n_factors=min(n_factors, max(limit, 0)),
            statistic=gaps,
            threshold=np.full(len(gaps), delta),
            description=(
                f"Difference of neighbouring eigenvalues ({scale_words(self.scale)}); factors end at "
                "the last one above twice the spacing of the eigenvalues behind it."
            ),
        )

    def _search_limit(self, usable: int) -> int:
        largest = max(usable - N_NOISE, 0)
        if self.r_max is None:
            return min(DEFAULT_R_MAX, largest)
        if not 0 <= self.r_max <= largest:
            raise MethodError(
                f"r_max={self.r_max} cannot be searched: {usable} eigenvalues are there and {N_NOISE} are "
                f"kept for the noise. Use r_max between 0 and {largest}, or r_max=None."
            )
        return self.r_max


def eigenvalue_difference(eigenvalues: Array, r_max: int) -> tuple[int, float]:
    """Apply Onatski's eigenvalue difference.

    Parameters
    ----------
    eigenvalues : ndarray of shape (n_eigenvalues,)
        Decreasing.
    r_max : int
        At most ``n_eigenvalues - 5``.

    Returns
    -------
    n_factors : int
    delta : float
        The last threshold; NaN when there was nothing to search.

    Examples
    --------
    >>> eigenvalue_difference(np.array([9.0, 1.2, 1.1, 1.0, 0.9, 0.8, 0.7]), 2)[0]
    1
    """
    if r_max < 1:
        return 0, float("nan")
    gaps = -np.diff(eigenvalues)[:r_max]
    n_factors, delta = r_max, float("nan")
    for _ in range(MAX_ROUNDS):
        delta = 2.0 * abs(_edge_slope(eigenvalues, n_factors))
        above = np.flatnonzero(gaps > delta)
        previous, n_factors = n_factors, int(above[-1]) + 1 if above.size else 0
        if n_factors == previous:
            break
    return n_factors, delta


def _edge_slope(eigenvalues: Array, first: int) -> float:
    """Slope of the five eigenvalues behind the first `first` ones on the 2/3 power of their position."""
    position = np.arange(first, first + N_NOISE) ** (2.0 / 3.0)
    centred = position - position.mean()
    return float(centred @ eigenvalues[first : first + N_NOISE] / (centred @ centred))
