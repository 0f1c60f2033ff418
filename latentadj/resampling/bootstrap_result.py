"""What a bootstrap returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.core.matrix import Array
from latentadj.core.multiple import adjust_pvalues
from latentadj.resampling.tables import long_table
from latentadj.results import AdjustmentResult


@dataclass(frozen=True, repr=False, eq=False)
class BootstrapResult:
    """Tests and intervals of all features by the bootstrap.

    Attributes
    ----------
    names : tuple of str, length T
    feature_ids : ndarray of shape (n_features,)
    estimate, std_error : ndarray of shape (n_features, T)
        With `rerun` those of the analysis.
    statistic : ndarray of shape (n_features, T)
        What was compared with its values in the draws: estimate over error, or with `rerun` normal scores of the
        p-values of the analysis.
    conf_low, conf_high : ndarray of shape (n_features, T)
        Symmetric percentile-t intervals.
    p_value, p_pooled, p_max : ndarray of shape (n_features, T)
        As in `PermutationResult`, with the null hypothesis imposed on the draws.
    n_bootstrap : int
    scheme : str
    level : float
        Of the intervals.
    result : AdjustmentResult
        The analysis of the data as they are.
    rerun : bool
        Whether the whole analysis was run on every draw.
    n_factors : ndarray of int, shape (T + 1, n_bootstrap)
        Factors that each draw was analysed with: the draws about the estimate, then those of each test's null
        hypothesis. Empty without `rerun`.
    """

    names: tuple[str, ...]
    feature_ids: NDArray[Any]
    estimate: Array
    std_error: Array
    statistic: Array
    conf_low: Array
    conf_high: Array
    p_value: Array
    p_pooled: Array
    p_max: Array
    n_bootstrap: int
    scheme: str
    level: float
    result: AdjustmentResult
    rerun: bool = False
    n_factors: NDArray[np.intp] = field(default_factory=lambda: np.empty((0, 0), dtype=np.intp))

    def tidy(self, term: str | None = None, p_adjust: str = "bh") -> pd.DataFrame:
        """One row per feature and test.

        Parameters
        ----------
        term : str, optional
            One of the tests; all by default.
        p_adjust : {"bh", "by", "holm", "bonferroni", "none"}, default="bh"
            How `p_adjusted` is made of `p_value`.

        Returns
        -------
        pandas.DataFrame
            Columns ``feature, term, estimate, std_error, conf_low, conf_high, statistic, p_value, p_pooled, p_max,
            p_adjusted``.

        Raises
        ------
        InputError
            For a term that was not tested.
        """
        names = ("estimate", "std_error", "conf_low", "conf_high", "statistic", "p_value", "p_pooled", "p_max")
        columns = {name: getattr(self, name) for name in names}
        columns["p_adjusted"] = np.column_stack([adjust_pvalues(p, p_adjust) for p in self.p_value.T])
        return long_table(self.feature_ids, self.names, columns, term)

    def __repr__(self) -> str:
        what = "draws of the whole analysis" if self.rerun else "draws"
        return (
            f"<BootstrapResult: {len(self.feature_ids)} features, {self.n_bootstrap} {what} ({self.scheme}), "
            f"tested: {', '.join(self.names)}>"
        )
