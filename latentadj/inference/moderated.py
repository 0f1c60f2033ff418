"""Moderated t and F: variances shrunken towards a common value or a trend."""

from __future__ import annotations

import numpy as np
from scipy.special import polygamma
from sklearn.base import BaseEstimator

from latentadj.core.regression import RegressionFit
from latentadj.core.variance import VariancePrior, squeeze_variances
from latentadj.exceptions import MethodError

#: Share of the spread of the variances that a trend has to explain before ``trend="auto"`` follows it.
WORTHWHILE = 0.05


class ModeratedT(BaseEstimator):  # type: ignore[misc]
    """Empirical-Bayes moderation of the residual variances.

    Parameters
    ----------
    trend : bool or "auto", default=False
        Shrink towards a smooth function of the features' means instead of one value. "auto" does so where that
        function explains at least a twentieth of the variances' spread, as it does for counts on a log scale.
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

    def __init__(self, *, trend: bool | str = False, robust: bool = False) -> None:
        self.trend = trend
        self.robust = robust

    def variances(self, fit: RegressionFit) -> VariancePrior:
        """Return moderated variances and their degrees of freedom; see `Inference.variances`."""
        if self.trend not in (True, False, "auto"):
            raise MethodError(f"trend={self.trend!r} is unknown; choose True, False or 'auto'.")
        plain = self._squeezed(fit, trend=False) if self.trend in (False, "auto") else None
        if plain is not None and (self.trend is False or np.all(np.isinf(plain.df_prior))):
            return plain
        trended = self._squeezed(fit, trend=True)
        return trended if plain is None or _explains(trended, plain) else plain

    def _squeezed(self, fit: RegressionFit, *, trend: bool) -> VariancePrior:
        s2 = np.where(fit.constant, np.nan, fit.sigma2) if fit.constant.any() else fit.sigma2
        return squeeze_variances(s2, fit.df_resid, covariate=fit.mean if trend else None, robust=self.robust)


def _explains(trended: VariancePrior, plain: VariancePrior) -> bool:
    """Whether the trend takes at least its share of the spread of the log variances away."""
    spread = [float(polygamma(1, np.median(prior.df_prior) / 2.0)) for prior in (trended, plain)]
    return spread[0] < (1.0 - WORTHWHILE) * spread[1]
