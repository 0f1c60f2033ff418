"""What an analysis says about every feature, whatever made it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from latentadj.core.multiple import adjust_pvalues
from latentadj.diagnostics import term_pvalues
from latentadj.results import AdjustmentResult

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Findings:
    """P-values of all features, and what else an analysis gives.

    Attributes
    ----------
    p_value : ndarray of shape (n_features,)
        NaN where a feature could not be tested.
    estimate, half_width : ndarray of shape (n_features,), or None
        Effects and half the width of their 95 % intervals.
    factors : ndarray of shape (n_samples, k), or None
    n_factors : int or None

    Examples
    --------
    >>> Findings(np.array([0.001, 0.9])).discoveries(0.1).tolist()
    [True, False]
    """

    p_value: Array
    estimate: Array | None = None
    half_width: Array | None = None
    factors: Array | None = None
    n_factors: int | None = None

    @classmethod
    def of(cls, result: AdjustmentResult) -> Self:
        """Take what is compared from a result: its first tested column, or term where that has several columns.

        Parameters
        ----------
        result : AdjustmentResult

        Returns
        -------
        Findings
        """
        tests, scores = result.tests, result.estimate.scores
        if len(tests.names) > 1:
            return cls(term_pvalues(result)[1], factors=scores, n_factors=result.n_factors)
        return cls(
            tests.p_value[:, 0],
            tests.estimate[:, 0],
            tests.half_width()[:, 0],
            factors=scores,
            n_factors=result.n_factors,
        )

    def certain(self) -> Array:
        """P-values with 1 where a feature could not be tested, ``(n_features,)``."""
        return np.where(np.isnan(self.p_value), 1.0, self.p_value)

    def discoveries(self, fdr: float) -> NDArray[np.bool_]:
        """Features whose Benjamini-Hochberg adjusted p-value is at most `fdr`, ``(n_features,)``."""
        return np.asarray(adjust_pvalues(self.certain()) <= fdr)

    def z(self) -> Array:
        """Normal scores of the p-values with the signs of the estimates, ``(n_features,)``."""
        size = -np.asarray(ndtri(np.maximum(self.p_value, 1e-300) / 2.0))
        return size if self.estimate is None else np.sign(self.estimate) * size
