"""Ordinary t and F: every feature's own residual variance."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator

from latentadj.core.regression import RegressionFit
from latentadj.core.variance import VariancePrior


class OrdinaryT(BaseEstimator):  # type: ignore[misc]
    """Student's t and Fisher's F with each feature's own variance.

    Notes
    -----
    Student (1908), Fisher (1925): exact for Gaussian noise and factors that are known.

    Examples
    --------
    >>> import latentadj as la, numpy as np
    >>> X = np.random.default_rng(0).normal(size=(12, 200))
    >>> design = la.Design.from_arrays(np.repeat([0, 1], 6))
    >>> float(la.adjust(X, design, method="none", inference="ordinary").tidy()["df"].iloc[0])
    10.0
    """

    def variances(self, fit: RegressionFit) -> VariancePrior:
        """Return the residual variances as they are; see `Inference.variances`."""
        s2 = np.where(fit.constant, np.nan, fit.sigma2)
        return VariancePrior(0.0, np.nan, s2, fit.df_resid)
