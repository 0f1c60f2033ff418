"""Sandwich covariances by statsmodels; run once, needs statsmodels."""

from pathlib import Path

import numpy as np
import statsmodels.api as sm

rng = np.random.default_rng(2026)
n, m = 27, 5
groups = np.repeat(np.arange(9), [1, 2, 3, 3, 3, 4, 4, 4, 3])
X = np.column_stack([np.ones(n), rng.normal(size=n), (groups % 2).astype(float), rng.lognormal(size=n)])
Y = rng.normal(size=(n, m)) * np.exp(0.4 * X[:, [1]]) + rng.normal(size=(9, m))[groups]
Y = Y + np.array([0, 5, 1000, 0.01, -3])


def covariances(cov_type: str, **settings: object) -> np.ndarray:
    """Covariance matrices of the coefficients of all features."""
    options = {"cov_kwds": settings} if settings else {}
    return np.stack([sm.OLS(y, X).fit(cov_type=cov_type, **options).cov_params() for y in Y.T])


answers = {kind.lower(): covariances(kind) for kind in ("HC0", "HC1", "HC2", "HC3")}
answers["cr1"] = covariances("cluster", groups=groups, use_correction=True)
answers["cr0"] = covariances("cluster", groups=groups, use_correction=False)
np.savez_compressed(Path(__file__).with_name("robust.npz"), X=X, Y=Y, groups=groups, **answers)
