"""What a test on adjusted data gets wrong, and what it owes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from latentadj.core.matrix import Array
from latentadj.core.regression import RegressionFit, design_basis
from latentadj.exceptions import DegreesOfFreedomError


def charged(fit: RegressionFit, df: float) -> RegressionFit:
    """Charge a fit with degrees of freedom that were spent on its data before.

    Parameters
    ----------
    fit : RegressionFit
        To data from which something was taken out that is not in the design.
    df : float
        Degrees of freedom that it took from every feature.

    Returns
    -------
    RegressionFit
        The residual sums of squares stay; degrees of freedom shrink by `df`, and variances grow accordingly. Variances
        taken as known (infinite degrees of freedom) stay. Features without any degrees of freedom left have no
        variance (NaN).

    Raises
    ------
    DegreesOfFreedomError
        No feature has any left.

    Notes
    -----
    Right when what was removed is orthogonal to what is tested, as in a balanced study. Otherwise standard errors lack
    a factor too, which only the removed columns in the design can bring back.

    Examples
    --------
    >>> none = np.zeros(1, dtype=bool)
    >>> fit = RegressionFit(np.ones((1, 1)), np.array([2.0]), 8.0, np.eye(1), np.ones(1), none)
    >>> charged(fit, 4).sigma2, charged(fit, 4).df_resid
    (array([4.]), 4.0)
    """
    if df == 0:
        return fit
    before = np.asarray(fit.df_resid, dtype=np.float64)
    left = np.maximum(before - df, 0.0)
    if not np.any(left > 0):
        raise DegreesOfFreedomError(
            f"The adjustment of the data took {df:g} degrees of freedom and the design leaves {np.max(before):g}: none "
            "are left. Use a smaller design or fewer factors, or test the data as they were before the adjustment."
        )
    growth = np.where(np.isinf(before), 1.0, np.nan)
    growth = np.divide(before, left, out=growth, where=(left > 0) & np.isfinite(before))
    return replace(fit, sigma2=fit.sigma2 * growth, df_resid=float(left) if left.ndim == 0 else left)


def naive_error_rate(design: Array, column: int, removed: Array, level: float = 0.05) -> float:
    """Share of null features that a test calls, when columns were removed first and are not in its design.

    Parameters
    ----------
    design : ndarray of shape (n_samples, d)
        Columns of the test, which were kept when the others were removed.
    column : int
        The tested one.
    removed : ndarray of shape (n_samples, c)
        Columns removed from the features by least squares beside the design.
    level : float, default=0.05

    Returns
    -------
    float
        At least `level`; NaN if the column cannot be told from the others.

    Notes
    -----
    Removal leaves the estimate that the design with the removed columns gives, whose variance is
    ``sigma^2 / (x' M x)`` with M the projection off all other columns. The test takes the projection off the columns of
    the design only, and divides the same residual sum of squares by too many degrees of freedom. Its statistic is the
    right one times ``sqrt(x' M_design x / x' M x * df / df_left)`` (the effect described by Nygaard, Roedland and
    Hovig 2016, Biostatistics 17:29).

    Examples
    --------
    Two batches, nine of ten samples of the one in one group and nine of ten of the other in the other, twice:

    >>> group = np.tile(np.repeat([0.0, 1.0, 0.0, 1.0], [9, 1, 1, 9]), 2)
    >>> batches = (np.repeat(np.arange(4), 10)[:, None] == [1, 2, 3]).astype(float)
    >>> round(naive_error_rate(np.column_stack([np.ones(40), group]), 1, batches), 3)
    0.252
    """
    others = np.delete(design, column, axis=1)
    small, large = design_basis(design), design_basis(np.hstack([design, removed]))
    df, df_left = design.shape[0] - small.rank, design.shape[0] - large.rank
    tested = design[:, [column]]
    seen = float(np.sum(design_basis(others).project_out(tested) ** 2))
    left = float(np.sum(design_basis(np.hstack([others, removed])).project_out(tested) ** 2))
    if df_left < 1 or left <= 1e-14 * max(seen, 1e-300):
        return float("nan")
    excess = np.sqrt(seen / left * df / df_left)
    return float(2.0 * student.sf(student.isf(level / 2.0, df) / excess, df_left))


def cost_of_spreads(codes: NDArray[np.intp], kept: Array, reference: int | None = None) -> float:
    """Degrees of freedom that bringing batches to a common spread takes from the residuals of kept effects.

    Parameters
    ----------
    codes : ndarray of int, shape (n_samples,)
        Batches, numbered from 0.
    kept : ndarray of shape (n_samples, q)
        Columns whose fitted effects stay as they are while the residuals are rescaled. Without any, or with one batch,
        everything is rescaled alike and the cost is nothing.
    reference : int, optional
        Batch whose spread the others get.

    Returns
    -------
    float

    Notes
    -----
    The location and scale adjustment of Johnson, Li and Rabinovic (2007), Biostatistics 8:118, divides the residuals'
    sum of squares by the number of samples for the pooled variance, and by one less than a batch's size for the
    variance of the batch. When batches do not differ, residuals come out too small, whereas kept effects have all
    their noise. Of the expected sum of squares ``df * sigma^2`` there remain ``(n_b - 1) / n * df * sigma^2`` in batch
    b; what is lost is the cost.

    Examples
    --------
    >>> codes = np.repeat(np.arange(4), 10)
    >>> round(cost_of_spreads(codes, np.tile([[0.0], [1.0]], (20, 1))), 3)
    3.5
    """
    if kept.shape[1] == 0 or codes.max() == 0:
        return 0.0
    indicators = (codes[:, None] == np.arange(codes.max() + 1)).astype(np.float64)
    basis = design_basis(np.hstack([indicators, kept]))
    size = indicators.sum(axis=0)
    free = indicators.T @ (1.0 - (basis.q**2).sum(axis=1))
    if reference is None:
        return float(free.sum() - np.sum(size - 1.0) * free.sum() / size.sum())
    others = np.arange(len(size)) != reference
    share = free[reference] / size[reference]
    return float(np.sum(free[others] - (size[others] - 1.0) * share))
