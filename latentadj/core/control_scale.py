"""Variance inflation of test statistics, from features that are known to be null."""

from __future__ import annotations

import numpy as np

from latentadj.core.matrix import Array


def mean_square(statistic: Array) -> Array:
    """Mean of squares over controls, ``(T,)``, of statistics ``(n_controls, T)``; NaN is left out."""
    present = np.isfinite(statistic)
    count = present.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        out: Array = np.sum(np.where(present, statistic, 0.0) ** 2, axis=0) / count
    return out


def student_scale2(statistic: Array, df: float | Array, *, tol: float = 1e-13, max_iter: int = 1000) -> Array:
    """Maximum-likelihood squared scale of Student variables.

    Parameters
    ----------
    statistic : ndarray of shape (n_controls, T)
        NaN is left out.
    df : float or ndarray of shape (n_controls,)
        Degrees of freedom; infinite ones make the answer the mean of squares.
    tol : float, default=1e-13
        Largest relative change at the end.
    max_iter : int, default=1000

    Returns
    -------
    ndarray of shape (T,)
        Lambda with ``statistic / sqrt(lambda)`` distributed as t; NaN where nothing is left.

    Notes
    -----
    The t-likelihood form of the variance inflation of Gerard and Stephens (2021): EM with weights
    ``(df + 1) / (df + t^2 / lambda)`` and ``lambda = mean(weight t^2)``.

    Examples
    --------
    >>> t = 1.5 * np.random.default_rng(0).standard_t(4, size=(20_000, 1))
    >>> student_scale2(t, 4.0).round(1)
    array([2.2])
    """
    inverse = 1.0 / np.asarray(df, dtype=np.float64)
    inverse = inverse[:, None] if inverse.ndim == 1 else inverse
    square = statistic**2
    scale2 = mean_square(statistic)
    for _ in range(max_iter):
        with np.errstate(invalid="ignore", divide="ignore"):
            weighted = square * (1.0 + inverse) / (1.0 + square * inverse / scale2)
        updated = mean_square(np.sqrt(weighted))
        change = np.abs(updated - scale2)
        scale2 = updated
        if not np.any(change > tol * scale2):
            break
    return scale2


def effective_controls(n_controls: float, df: float | Array, likelihood: str) -> float:
    """Return the degrees of freedom of a variance scale estimated from controls.

    Parameters
    ----------
    n_controls : float
    df : float or ndarray of shape (n_controls,)
    likelihood : {"t", "normal"}

    Returns
    -------
    float
        ``n`` for the mean of squares; ``n df / (df + 3)`` for the t-likelihood, whose information on log lambda is
        ``df / (2 (df + 3))`` a control.
    """
    if likelihood == "normal":
        return float(n_controls)
    return float(n_controls * np.mean(1.0 / (1.0 + 3.0 / np.asarray(df, dtype=np.float64))))


def combined_df(df: float | Array, scale_df: float) -> float | Array:
    """Degrees of freedom of a variance that is the product of two independent estimates.

    Notes
    -----
    Satterthwaite's match of the variance: ``(1 + 2 / a) (1 + 2 / b) - 1 = 2 / c``, so ``c = a b / (a + b + 2)``.

    Examples
    --------
    >>> round(float(combined_df(10.0, 38.0)), 6)
    7.6
    """
    inverse = 1.0 / df + 1.0 / scale_df + 2.0 / (df * scale_df)
    return 1.0 / inverse if isinstance(inverse, np.ndarray) else float(1.0 / inverse)
