"""Test statistics brought to the scale of a standard normal variable."""

from __future__ import annotations

import numpy as np
from scipy.special import log_ndtr, ndtri_exp

from latentadj.core.matrix import Array
from latentadj.core.tails import t_two_sided_log_p


def normal_scores(statistic: Array, df: float | Array) -> Array:
    """Return ``sign(t) qnorm(1 - p / 2)`` with p the two-sided p-value of each t statistic.

    Parameters
    ----------
    statistic : ndarray of shape (m, T)
    df : float or ndarray of shape (m,) or (m, T)
        Degrees of freedom; infinite ones leave the statistics as they are.

    Returns
    -------
    ndarray of shape (m, T)
        NaN where the statistic is NaN.

    Notes
    -----
    Computed from log p, so that far tails keep their order.

    Examples
    --------
    >>> normal_scores(np.array([[2.0], [-40.0]]), 10.0).round(3)
    array([[ 1.79 ],
           [-7.016]])
    """
    if np.ndim(df) == 0 and np.isinf(df):
        return statistic
    spread = df[:, None] if isinstance(df, np.ndarray) and df.ndim == 1 else df
    log_half = np.asarray(t_two_sided_log_p(statistic, spread)) - np.log(2.0)
    scores: Array = -np.sign(statistic) * ndtri_exp(np.minimum(log_half, log_ndtr(0.0)))
    return scores
