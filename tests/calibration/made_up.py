"""Test statistics with a known null distribution."""

from __future__ import annotations

import numpy as np

from latentadj.core.tails import t_two_sided_p
from latentadj.core.variance import VariancePrior
from latentadj.results import TestStatistics


def statistics(estimate, sigma2=1.0, df=np.inf) -> TestStatistics:
    """One test per column of `estimate` (m,) or (m, T), unscaled variance 1."""
    estimate = np.asarray(estimate, dtype=float)
    estimate = estimate[:, None] if estimate.ndim == 1 else estimate
    m, n_terms = estimate.shape
    s2 = np.broadcast_to(np.asarray(sigma2, dtype=float), m).copy()
    std_error = np.repeat(np.sqrt(s2)[:, None], n_terms, axis=1)
    t = estimate / std_error
    names = tuple(f"x{i}" for i in range(n_terms))
    p = np.asarray(t_two_sided_p(t, df[:, None] if isinstance(df, np.ndarray) else df))
    return TestStatistics(names, np.eye(n_terms), estimate, std_error, t, p, df, VariancePrior(0.0, np.nan, s2, df))


def shifted(m, share, seed, *, centre=0.2, scale=1.2, one_sided=False, effect=3.5):
    """Normal statistics off centre and too wide; the first ones have effects. Returns statistics and which are null."""
    rng = np.random.default_rng(seed)
    z = centre + scale * rng.normal(size=m)
    k = int(share * m)
    sign = np.ones(k) if one_sided else rng.choice([-1.0, 1.0], k)
    z[:k] += sign * rng.normal(effect, 1.0, size=k)
    return z, np.arange(m) >= k
