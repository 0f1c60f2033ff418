"""The residual spectrum with its null band, and the share of each factor."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.core.regression import design_basis
from latentadj.exceptions import InputError
from latentadj.problem import AdjustmentProblem
from latentadj.results import AdjustmentResult

Array = NDArray[np.float64]


def scree_table(result: AdjustmentResult) -> pd.DataFrame:
    """Share of the residual variation along each direction, beside what the null gives.

    Parameters
    ----------
    result : AdjustmentResult

    Returns
    -------
    pandas.DataFrame
        ``factor, share, null_median, null_upper, used``: the direction's number from 1 up, its share of the
        residual sum of squares (features at unit residual variance), median and upper bound of that share under
        the null (NaN where no rule simulated one), and whether it is within the number of factors used.

    Raises
    ------
    InputError
        When no spectrum was kept and the data are not at hand.

    Notes
    -----
    Parallel analysis: Buja and Eyuboglu (1992), Multivariate Behavioral Research 27:509.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 30))
    >>> res = la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=0)
    >>> scree_table(res)["share"].sum().round(12)
    np.float64(1.0)
    """
    number = result.num_factors
    shares = number.shares if number.shares.size else _computed_shares(result)
    null = np.full((2, shares.size), np.nan)
    width = min(number.null_shares.shape[1], shares.size)
    null[:, :width] = number.null_shares[:, :width]
    position = np.arange(1, shares.size + 1)
    return pd.DataFrame(
        {
            "factor": position,
            "share": shares,
            "null_median": null[0],
            "null_upper": null[1],
            "used": position <= result.n_factors,
        }
    )


def _computed_shares(result: AdjustmentResult) -> Array:
    """Decompose the residuals when no rule had to."""
    if result.matrix is None:
        raise InputError(
            "This result keeps no residual spectrum: the number of factors was given, and a saved result does not "
            "hold the data. Run the analysis with n_factors='auto', or draw the picture before saving."
        )
    problem = AdjustmentProblem(result.matrix, result.design)
    whitening = result.estimate.whitening
    return (problem if whitening is None else problem.whitened(whitening)).unit_spectrum.shares


def factor_shares(result: AdjustmentResult) -> pd.Series:
    """Share of the residual variation that lies along each factor.

    Parameters
    ----------
    result : AdjustmentResult

    Returns
    -------
    pandas.Series
        Indexed by factor. Shares of correlated factors overlap and do not add up.

    Notes
    -----
    With the design removed from a factor, giving ``z``, and its loadings ``a``: ``|z|^2 |a|^2 / rss``, over features
    at unit residual variance.

    Examples
    --------
    >>> import latentadj as la
    >>> rng = np.random.default_rng(0)
    >>> z = rng.normal(size=30)
    >>> X = np.outer(z, rng.normal(size=200)) + 0.1 * rng.normal(size=(30, 200))
    >>> res = la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 15)), n_factors=1)
    >>> bool(factor_shares(res).iloc[0] > 0.8)
    True
    """
    variance = result.unadjusted_fit.sigma2
    usable = ~result.unadjusted_fit.constant & np.isfinite(variance) & (variance > 0)
    basis = design_basis(result.design.matrix)
    outside = basis.project_out(result.factors.to_numpy())
    scaled = result.loadings.to_numpy()[usable] / np.sqrt(variance[usable])[:, None]
    total = max(int(usable.sum()), 1) * max(result.n_samples - basis.rank, 1)
    along = np.einsum("ij,ij->j", outside, outside) * np.einsum("ij,ij->j", scaled, scaled)
    return pd.Series(along / total, index=result.factors.columns, name="share")
