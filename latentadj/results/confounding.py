"""Association between the estimated factors and the primary variables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import lstsq
from scipy.special import fdtrc

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ConfoundingTest:
    """Whether the factors are associated with each primary column, given the nuisance columns.

    Attributes
    ----------
    names : tuple of str, length n_primary
    statistic : ndarray of shape (n_primary,)
        F statistics with ``df1`` and ``df2`` degrees of freedom.
    df1, df2 : float
    p_value : ndarray of shape (n_primary,)
    r2 : ndarray of shape (n_primary,)
        Share of the column's variation (after the nuisance columns) that the factors explain.
    variance_inflation : ndarray of shape (n_primary,)
        ``1 / (1 - R^2)`` on factors and all other design columns, relative to the design without factors.

    Notes
    -----
    Wang, Zhao, Hastie and Owen (2017), section 3.4, corrected: ``omega_i' omega_i`` is divided by the i-th
    diagonal entry of ``(X' X)^-1`` and held against F(k, nu - k + 1) (Hotelling's T^2) instead of chi-square(k).
    Exact for Gaussian factors estimated without error from data that the test does not share.
    """

    names: tuple[str, ...]
    statistic: Array
    df1: float
    df2: float
    p_value: Array
    r2: Array
    variance_inflation: Array

    def table(self) -> pd.DataFrame:
        """One row per primary column: ``statistic, df1, df2, p_value, r2, variance_inflation``."""
        return pd.DataFrame(
            {
                "statistic": self.statistic,
                "df1": self.df1,
                "df2": self.df2,
                "p_value": self.p_value,
                "r2": self.r2,
                "variance_inflation": self.variance_inflation,
            },
            index=pd.Index(self.names, name="term"),
        )


def confounding_test(names: tuple[str, ...], primary: Array, nuisance_basis: Array, factors: Array) -> ConfoundingTest:
    """Test the association of each primary column with the factors.

    Parameters
    ----------
    names : tuple of str, length n_primary
    primary : ndarray of shape (n_samples, n_primary)
    nuisance_basis : ndarray of shape (n_samples, q)
        Orthonormal basis of the nuisance columns.
    factors : ndarray of shape (n_samples, k)

    Returns
    -------
    ConfoundingTest

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x, z = np.repeat([0.0, 1.0], 20)[:, None], rng.normal(size=(40, 2))
    >>> test = confounding_test(("x",), x, np.full((40, 1), 40**-0.5), z + x)
    >>> bool(test.p_value[0] < 0.01)
    True
    """
    n_samples, k = factors.shape
    p = primary.shape[1]
    x = _outside(primary, nuisance_basis)
    z = _outside(factors, nuisance_basis)
    nu = n_samples - nuisance_basis.shape[1] - p
    df1, df2 = float(k), float(nu - k + 1)
    if k == 0 or p == 0 or df2 < 1:
        blank = np.full(p, np.nan)
        return ConfoundingTest(names, blank, df1, df2, blank, np.zeros(p), np.ones(p))
    total = np.einsum("ij,ij->j", x, x)
    r2 = 1.0 - _rss(x, z) / total
    statistic = np.empty(p)
    inflation = np.empty(p)
    for i in range(p):
        others = np.delete(x, i, axis=1)
        before = float(_rss(x[:, [i]], others)[0])
        after = float(_rss(x[:, [i]], np.column_stack([others, z]))[0])
        inflation[i] = before / max(after, np.finfo(float).tiny)
        statistic[i] = (before - after) / max(after, np.finfo(float).tiny) / df1 * df2
    return ConfoundingTest(names, statistic, df1, df2, fdtrc(df1, df2, statistic), r2, inflation)


def _outside(columns: Array, basis: Array) -> Array:
    return columns - basis @ (basis.T @ columns)


def _rss(responses: Array, predictors: Array) -> Array:
    if predictors.shape[1]:
        responses = responses - predictors @ lstsq(predictors, responses)[0]
    out: Array = np.einsum("ij,ij->j", responses, responses)
    return out
