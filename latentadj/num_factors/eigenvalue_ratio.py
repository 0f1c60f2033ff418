"""Eigenvalue ratio and growth ratio: factors end where the spectrum falls most steeply."""

from __future__ import annotations

import numpy as np

from latentadj.core.matrix import Array
from latentadj.exceptions import MethodError
from latentadj.num_factors.base import NumFactorsRule, count_features, scale_words, scaled_spectrum
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import RuleAnswer

NAMES = {"er": "eigenvalue_ratio", "gr": "growth_ratio"}


class EigenvalueRatio(NumFactorsRule):
    """Take the number after which the ratio of neighbouring eigenvalues (or growth rates) is largest.

    Parameters
    ----------
    kind : {"er", "gr"}, default="er"
        "er" is the ratio of eigenvalues; "gr" that of the growth rates of what the factors leave, which one
        dominating factor disturbs less.
    scale : {"unit", None}, default="unit"
        "unit" scales features to unit residual variance first.

    Notes
    -----
    With ``mu_k`` the eigenvalues and ``V(k) = mu_{k+1} + mu_{k+2} + ...``, "er" is ``mu_k / mu_{k+1}`` and "gr"
    is ``log(V(k-1) / V(k)) / log(V(k) / V(k+1))``. The mock eigenvalue ``mu_0 = V(0) / log(min(n_features,
    df_resid))`` makes 0 a possible answer. Only eigenvalues above the average one are searched. Factors of very
    different strength are a weakness of the rule: the largest ratio is then between two factors.

    References
    ----------
    Ahn and Horenstein (2013), "Eigenvalue ratio test for the number of factors", Econometrica 81, 1203-1227:
    the two estimators, the mock eigenvalue (section 4) and the range of the search.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> from latentadj.design import Design
    >>> rng = np.random.default_rng(0)
    >>> factor, group = rng.normal(size=40), np.repeat([0.0, 1.0], 20)
    >>> X = np.outer(factor, rng.normal(size=300)) + rng.normal(size=(40, 300))
    >>> problem = AdjustmentProblem(ArrayMatrix(X), Design.from_arrays(group))
    >>> EigenvalueRatio("gr").select(problem, 10, rng).n_factors
    1
    """

    def __init__(self, kind: str = "er", scale: str | None = "unit") -> None:
        self.kind = kind
        self.scale = scale

    @property
    def name(self) -> str:
        """Name of the rule in tables."""
        return NAMES.get(self.kind, NAMES["er"])

    def select(self, problem: AdjustmentProblem, limit: int, rng: np.random.Generator) -> RuleAnswer:
        """Apply the rule; see `NumFactorsRule.select`. The generator is not used.

        Raises
        ------
        MethodError
            If an option is unknown.
        """
        if self.kind not in NAMES:
            raise MethodError(f'kind={self.kind!r} is unknown. Use "er" or "gr".')
        eigenvalues = scaled_spectrum(problem, self.scale).eigenvalues
        usable = eigenvalues[: min(len(eigenvalues), count_features(problem, self.scale))]
        ratios = neighbour_ratios(usable, self.kind, limit)
        return RuleAnswer(
            rule=self.name,
            n_factors=int(np.argmax(ratios)),
            statistic=ratios[1:],
            threshold=np.full(len(ratios) - 1, ratios[0]),
            description=(
                f"Ratio of neighbouring {'eigenvalues' if self.kind == 'er' else 'growth rates'} of the residuals "
                f"({scale_words(self.scale)}); the answer is where it is largest, 0 if it never exceeds that of a "
                "mock eigenvalue (the threshold)."
            ),
        )


def neighbour_ratios(eigenvalues: Array, kind: str, limit: int) -> Array:
    """Ratios of neighbouring eigenvalues or growth rates, beginning with that of the mock eigenvalue.

    Parameters
    ----------
    eigenvalues : ndarray of shape (n_eigenvalues,)
        Decreasing.
    kind : {"er", "gr"}
    limit : int
        Largest number that is searched.

    Returns
    -------
    ndarray of shape (n_searched + 1,)
        Entry k belongs to k factors.

    Examples
    --------
    >>> neighbour_ratios(np.array([8.0, 2.0, 1.0, 0.5, 0.5]), "er", 3).round(2)
    array([0.93, 4.  ])
    """
    total = float(eigenvalues.sum())
    n_searched = min(int(np.sum(eigenvalues > eigenvalues.mean())), len(eigenvalues) - 2, limit) if total > 0 else 0
    if n_searched < 1:
        return np.zeros(1)
    values = np.concatenate([[total / np.log(len(eigenvalues))], eigenvalues[: n_searched + 1]])
    if kind == "gr":
        left = total - np.concatenate([[0.0], np.cumsum(values[1:])])
        values = np.log1p(values / np.maximum(left, np.finfo(float).tiny))
    ratios: Array = np.divide(values[:-1], values[1:], out=np.full(n_searched + 1, np.inf), where=values[1:] > 0)
    return ratios
