"""Tests with one residual variance for all features."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator

from latentadj.core.regression import RegressionFit
from latentadj.core.variance import VariancePrior


class PooledVariance(BaseEstimator):  # type: ignore[misc]
    """One variance for all features, the mean of the residual ones weighted by their degrees of freedom.

    Notes
    -----
    The ``pooled`` of Gagnon-Bartsch, Jacob and Speed (2013). Right only if all features are equally noisy: otherwise
    the noisy ones have too many false positives and the others lose power. The degrees of freedom are the sum
    over features, as if these were independent.

    Examples
    --------
    >>> import latentadj as la, numpy as np
    >>> X = np.random.default_rng(0).normal(size=(12, 200))
    >>> design = la.Design.from_arrays(np.repeat([0, 1], 6))
    >>> float(la.adjust(X, design, method="none", inference="pooled").tidy()["df"].iloc[0])
    2000.0
    """

    def variances(self, fit: RegressionFit) -> VariancePrior:
        """Return the common variance and the degrees of freedom behind it; see `Inference.variances`."""
        s2 = np.where(fit.constant, np.nan, fit.sigma2)
        df = np.broadcast_to(np.asarray(fit.df_resid, dtype=np.float64), s2.shape)
        used = np.isfinite(s2) & (df > 0)
        if not used.any():
            return VariancePrior(0.0, np.nan, s2, fit.df_resid)
        known = bool(np.isinf(df[used]).any())
        weights = np.ones(used.sum()) if known else df[used]
        pooled = float(np.average(s2[used], weights=weights))
        total = float(np.sum(df[used]))
        return VariancePrior(np.inf, pooled, np.where(fit.constant, np.nan, pooled), total)
