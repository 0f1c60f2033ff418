"""Moderated t and F: variances shrunken towards a common value or a trend."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator

from latentadj.core.regression import RegressionFit
from latentadj.core.variance import VariancePrior, squeeze_variances


class ModeratedT(BaseEstimator):  # type: ignore[misc]
    """Empirical-Bayes moderation of the residual variances.

    Parameters
    ----------
    trend : bool, default=False
        Shrink towards a smooth function of the features' means instead of one value.
    robust : bool, default=False
        Keep features with outlying variances from driving the prior.

    Notes
    -----
    Smyth (2004); Phipson, Lee, Majewski, Alexander and Smyth (2016) for the robust form.

    Examples
    --------
    >>> import latentadj as la, numpy as np
    >>> X = np.random.default_rng(0).normal(size=(12, 200))
    >>> design = la.Design.from_arrays(np.repeat([0, 1], 6))
    >>> res = la.adjust(X, design, method="none", inference=ModeratedT(robust=True))
    >>> res.tidy().shape
    (200, 15)
    """

    def __init__(self, *, trend: bool = False, robust: bool = False) -> None:
        self.trend = trend
        self.robust = robust

    def variances(self, fit: RegressionFit) -> VariancePrior:
        """Return moderated variances and their degrees of freedom; see `Inference.variances`."""
        s2 = np.where(fit.constant, np.nan, fit.sigma2) if fit.constant.any() else fit.sigma2
        covariate = fit.mean if self.trend else None
        return squeeze_variances(s2, fit.df_resid, covariate=covariate, robust=self.robust)
