"""Bai-Ng: information criteria for the number of factors, from the eigenvalues."""

from __future__ import annotations

import numpy as np

from latentadj.core.matrix import Array
from latentadj.exceptions import MethodError
from latentadj.num_factors.base import NumFactorsRule, count_features, scale_words, scaled_spectrum
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import RuleAnswer

CRITERIA = ("ic1", "ic2", "ic3", "pc1", "pc2", "pc3")


class BaiNg(NumFactorsRule):
    """Minimise a penalised fit over the number of factors.

    Parameters
    ----------
    criterion : {"ic1", "ic2", "ic3", "pc1", "pc2", "pc3"}, default="ic2"
        "ic" penalises the logarithm of the residual variance, "pc" the variance itself in units of the one at the
        largest number searched; the digit names the penalty, from which 3 is the weakest in small studies.
    k_max : int, optional
        Largest number searched; by default the limit.
    scale : {"unit", None}, default="unit"
        "unit" scales features to unit residual variance first.

    Notes
    -----
    With N features, T residual degrees of freedom and ``V(k)`` the mean square that k components leave:
    ``log V(k) + k g`` or ``V(k) + k V(k_max) g``, where ``g1 = (N + T) / (N T) log(N T / (N + T))``,
    ``g2 = (N + T) / (N T) log min(N, T)`` and ``g3 = log min(N, T) / min(N, T)``. The criteria are consistent when
    both N and T grow and factors are strong; with 10 to 20 samples they overfit.

    References
    ----------
    Bai and Ng (2002), "Determining the number of factors in approximate factor models", Econometrica 70, 191-221,
    section 5.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> from latentadj.design import Design
    >>> rng = np.random.default_rng(0)
    >>> factor, group = rng.normal(size=40), np.repeat([0.0, 1.0], 20)
    >>> X = np.outer(factor, rng.normal(size=300)) + rng.normal(size=(40, 300))
    >>> problem = AdjustmentProblem(ArrayMatrix(X), Design.from_arrays(group))
    >>> BaiNg().select(problem, 10, rng).n_factors
    1
    """

    def __init__(self, criterion: str = "ic2", k_max: int | None = None, scale: str | None = "unit") -> None:
        self.criterion = criterion
        self.k_max = k_max
        self.scale = scale

    @property
    def name(self) -> str:
        """Name of the rule in tables."""
        return f"bai_ng_{self.criterion}"

    def select(self, problem: AdjustmentProblem, limit: int, rng: np.random.Generator) -> RuleAnswer:
        """Apply the rule; see `NumFactorsRule.select`. The generator is not used.

        Raises
        ------
        MethodError
            If an option is out of range.
        """
        self._check()
        eigenvalues = scaled_spectrum(problem, self.scale).eigenvalues
        n_features = count_features(problem, self.scale)
        k_max = max(limit, 0) if self.k_max is None else min(self.k_max, max(limit, 0))
        values = penalised_fit(eigenvalues, n_features, k_max, self.criterion)
        return RuleAnswer(
            rule=self.name,
            n_factors=int(np.argmin(values)),
            statistic=values[1:] - values[0],
            threshold=np.full(len(values) - 1, np.nan),
            description=(
                f"Information criterion {self.criterion} of the residuals ({scale_words(self.scale)}), relative to "
                "that without factors; the answer is where it is smallest, 0 if it is never negative."
            ),
        )

    def _check(self) -> None:
        if self.criterion not in CRITERIA:
            raise MethodError(f"criterion={self.criterion!r} is unknown. Use one of: {', '.join(CRITERIA)}.")
        if self.k_max is not None and self.k_max < 0:
            raise MethodError(f"k_max={self.k_max} cannot be used. Give a number from 0 up, or None.")


def penalised_fit(eigenvalues: Array, n_features: int, k_max: int, criterion: str) -> Array:
    """Criterion for 0, 1, ... factors.

    Parameters
    ----------
    eigenvalues : ndarray of shape (df_resid,)
        Decreasing; of the Gram matrix of the residuals.
    n_features : int
    k_max : int
    criterion : str

    Returns
    -------
    ndarray of shape (n_searched + 1,)
        The search ends before nothing is left to explain.

    Examples
    --------
    >>> values = penalised_fit(np.array([900.0, 110.0, 105.0, 100.0, 95.0, 90.0]), 100, 3, "ic1")
    >>> int(np.argmin(values))
    1
    """
    dimension = len(eigenvalues)
    left = np.append(np.cumsum(eigenvalues[::-1])[::-1], 0.0)
    enough = int(np.sum(left > 1e-12 * left[0]))
    n_searched = min(k_max, max(enough - 1, 0))
    if n_searched == 0 or min(n_features, dimension) < 2:
        return np.zeros(1)
    fit = left[: n_searched + 1] / (n_features * dimension)
    steps = np.arange(n_searched + 1) * _penalty(n_features, dimension, criterion[2])
    out: Array = np.log(fit) + steps if criterion.startswith("ic") else fit + fit[-1] * steps
    return out


def _penalty(n_features: int, dimension: int, number: str) -> float:
    smaller, inverse = min(n_features, dimension), (n_features + dimension) / (n_features * dimension)
    if number == "1":
        return float(-inverse * np.log(inverse))
    return float(inverse * np.log(smaller) if number == "2" else np.log(smaller) / smaller)
