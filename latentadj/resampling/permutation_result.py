"""What a permutation test returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.core.matrix import Array
from latentadj.core.multiple import adjust_pvalues
from latentadj.exceptions import MethodError
from latentadj.resampling.tables import long_table
from latentadj.results import AdjustmentResult

#: p-values of a permutation test by the name that `tidy` knows them by.
KINDS = ("own", "pooled", "max")


@dataclass(frozen=True, repr=False, eq=False)
class PermutationResult:
    """Tests of all features by rearrangement.

    Attributes
    ----------
    names : tuple of str, length T
        Tested columns, or formula terms for joint tests.
    feature_ids : ndarray of shape (n_features,)
    statistic : ndarray of shape (n_features, T)
        What was compared with its values in the draws: t, the root of F, or normal scores of the p-values of a whole
        analysis.
    p_value : ndarray of shape (n_features, T)
        From the feature's own draws; at least ``1 / (n_permutations + 1)``.
    p_pooled : ndarray of shape (n_features, T)
        From the draws of all features together.
    p_max : ndarray of shape (n_features, T)
        Adjusted for the family-wise error over the features of a test (step-down).
    n_permutations : int
    scheme : str
    rerun : bool
        Whether the whole analysis was run on every draw.
    n_factors : ndarray of int, shape (n_permutations,)
        Factors that each draw was analysed with; empty without `rerun`.
    result : AdjustmentResult
        The analysis of the data as they are.
    """

    names: tuple[str, ...]
    feature_ids: NDArray[Any]
    statistic: Array
    p_value: Array
    p_pooled: Array
    p_max: Array
    n_permutations: int
    scheme: str
    rerun: bool
    result: AdjustmentResult
    n_factors: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, dtype=np.intp))

    def tidy(self, term: str | None = None, p_adjust: str = "bh", kind: str = "own") -> pd.DataFrame:
        """One row per feature and test.

        Parameters
        ----------
        term : str, optional
            One of the tests; all by default.
        p_adjust : {"bh", "by", "holm", "bonferroni", "none"}, default="bh"
        kind : {"own", "pooled", "max"}, default="own"
            The p-values that `p_adjusted` is made of; those of "max" are adjusted already and stay as they are.

        Returns
        -------
        pandas.DataFrame
            Columns ``feature, term, statistic, p_value, p_pooled, p_max, p_adjusted``.

        Raises
        ------
        InputError
            For a term that was not tested.
        MethodError
            For an unknown `kind` or `p_adjust`.
        """
        if kind not in KINDS:
            raise MethodError(f"kind={kind!r} is unknown; choose one of {', '.join(KINDS)}.")
        chosen = {"own": self.p_value, "pooled": self.p_pooled, "max": self.p_max}[kind]
        method = "none" if kind == "max" else p_adjust
        columns = {
            "statistic": self.statistic,
            "p_value": self.p_value,
            "p_pooled": self.p_pooled,
            "p_max": self.p_max,
            "p_adjusted": np.column_stack([adjust_pvalues(p, method) for p in chosen.T]),
        }
        return long_table(self.feature_ids, self.names, columns, term)

    def __repr__(self) -> str:
        what = "whole analyses" if self.rerun else "refits with the factors held"
        return (
            f"<PermutationResult: {len(self.feature_ids)} features, {self.n_permutations} {what} ({self.scheme}), "
            f"tested: {', '.join(self.names)}>"
        )
