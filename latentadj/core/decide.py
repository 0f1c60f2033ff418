"""Classify every test as down, not significant or up, with multiplicity over features and over contrasts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentadj.core.matrix import Array
from latentadj.core.multiple import adjust_pvalues
from latentadj.core.tails import f_upper_p
from latentadj.exceptions import InputError, MethodError

__all__ = ["DECISION_METHODS", "decide_tests", "joint_p_values"]

#: How multiplicity over contrasts is dealt with.
DECISION_METHODS = ("separate", "global", "hierarchical", "nested_f")
_ADJUSTMENTS = ("bh", "by", "holm", "bonferroni", "none")
#: Eigenvalues of the correlation of contrasts below this share of the largest count as zero.
_RANK_TOLERANCE = 1e-8


def decide_tests(
    statistic: ArrayLike,
    p_value: ArrayLike,
    *,
    method: str = "separate",
    adjust: str = "bh",
    alpha: float = 0.05,
    joint_p_value: ArrayLike | None = None,
    correlation: ArrayLike | None = None,
    df: ArrayLike = np.inf,
) -> NDArray[np.int8]:
    """Classify tests of several contrasts for all features.

    Parameters
    ----------
    statistic, p_value : array_like, shape (n_features, T)
        t statistics, or estimates: only "nested_f" needs more than the sign.
    method : {"separate", "global", "hierarchical", "nested_f"}, default "separate"
        "separate" adjusts over features within each contrast, "global" over all tests together. "hierarchical" first
        selects features by their F test and then adjusts over the contrasts of each. "nested_f" also selects by F and
        calls a contrast when F stays significant with all larger statistics brought down to its own size.
    adjust : {"bh", "by", "holm", "bonferroni", "none"}, default "bh"
    alpha : float, default 0.05
        Adjusted p-values below are significant.
    joint_p_value : array_like, shape (n_features,), optional
        p-values of the F test of all contrasts; needed by "hierarchical" and "nested_f".
    correlation : array_like, shape (T, T) or (n_features, T, T), optional
        Correlation of the contrast estimates, for "nested_f"; the identity by default. It may be singular.
    df : float or array_like, shape (n_features,), default inf
        Degrees of freedom of the statistics, for "nested_f".

    Returns
    -------
    ndarray of int8, shape (n_features, T)
        -1, 0 or 1. Tests without a p-value are 0.

    Raises
    ------
    InputError
        If shapes do not fit, `alpha` is not between 0 and 1, or the joint p-values are missing.
    MethodError
        For an unknown `method` or `adjust`.

    Notes
    -----
    The two-stage rules test within selected features at the level ``alpha R / m``, R of m features selected, as
    the false discovery rate over selected families asks for (Benjamini and Bogomolov 2014, JRSS B 76: 297-318).
    The nested F classification is that of Smyth (2004, SAGMB 3: 3) and of the limma user's guide.

    Examples
    --------
    >>> p = [[0.001, 0.04], [0.6, 0.03], [0.02, 0.9]]
    >>> decide_tests([[4.0, -2.1], [0.5, 2.2], [-2.4, 0.1]], p, adjust="holm")
    array([[ 1,  0],
           [ 0,  0],
           [-1,  0]], dtype=int8)
    """
    t, p = _checked_tests(statistic, p_value, method, adjust, alpha)
    if method == "separate":
        adjusted = np.column_stack([adjust_pvalues(column, adjust) for column in p.T]) if p.shape[1] else p
        return _signed(t, adjusted < alpha)
    if method == "global":
        return _signed(t, adjust_pvalues(p.ravel(), adjust).reshape(p.shape) < alpha)
    selected, level = _selected_features(joint_p_value, len(p), adjust, alpha)
    decisions = np.zeros(p.shape, dtype=np.int8)
    if method == "hierarchical":
        decisions[selected] = _signed(t[selected], _adjust_rows(p[selected], adjust) < level)
    else:
        spread = np.broadcast_to(np.asarray(df, dtype=np.float64), len(p))[selected]
        decisions[selected] = _nested_f(t[selected], _root(correlation, p.shape).of(selected), spread, level)
    return decisions


def joint_p_values(statistic: ArrayLike, correlation: ArrayLike, df: ArrayLike = np.inf) -> Array:
    r"""P-values of the F tests that all contrasts of a feature are zero, from their t statistics.

    Parameters
    ----------
    statistic : array_like, shape (n_features, T)
    correlation : array_like, shape (T, T) or (n_features, T, T)
        Of the contrast estimates; it may be singular.
    df : float or array_like, shape (n_features,), default inf
        Degrees of freedom of the statistics.

    Returns
    -------
    ndarray of shape (n_features,)
        NaN for features without all statistics.

    Raises
    ------
    InputError
        If shapes do not fit.

    Notes
    -----
    :math:`F = t' R^- t / \operatorname{rank} R`, the F of the coefficients themselves written in their statistics.

    Examples
    --------
    >>> joint_p_values([[2.0, 2.0]], np.eye(2)).round(4)
    array([0.0183])
    """
    t = np.asarray(statistic, dtype=np.float64)
    if t.ndim != 2:
        raise InputError(f"statistic has shape {t.shape}; it must be (n_features, T).")
    return _root(correlation, t.shape).p_values(t, np.broadcast_to(np.asarray(df, dtype=np.float64), len(t)))


def _checked_tests(
    statistic: ArrayLike, p_value: ArrayLike, method: str, adjust: str, alpha: float
) -> tuple[Array, Array]:
    t, p = np.asarray(statistic, dtype=np.float64), np.asarray(p_value, dtype=np.float64)
    if p.ndim != 2 or t.shape != p.shape:
        raise InputError(f"statistic has shape {t.shape} and p_value {p.shape}; both must be (n_features, T).")
    if method not in DECISION_METHODS:
        raise MethodError(f"method={method!r} is unknown; choose one of {', '.join(DECISION_METHODS)}.")
    if adjust not in _ADJUSTMENTS:
        raise MethodError(f"adjust={adjust!r} is unknown; choose one of {', '.join(_ADJUSTMENTS)}.")
    if not 0.0 < alpha < 1.0:
        raise InputError(f"alpha is {alpha!r}; it must lie between 0 and 1, e.g. 0.05.")
    return t, p


def _signed(t: Array, significant: NDArray[np.bool_]) -> NDArray[np.int8]:
    with np.errstate(invalid="ignore"):
        return np.where(significant, np.nan_to_num(np.sign(t)), 0.0).astype(np.int8)


def _selected_features(
    joint_p_value: ArrayLike | None, n_features: int, adjust: str, alpha: float
) -> tuple[NDArray[np.intp], float]:
    """Features with a significant F test, and the level for the tests within them."""
    if joint_p_value is None:
        raise InputError("This method first selects features by their F test; give joint_p_value (n_features,).")
    joint = np.asarray(joint_p_value, dtype=np.float64)
    if joint.shape != (n_features,):
        raise InputError(f"joint_p_value has shape {joint.shape}; it must be ({n_features},), one per feature.")
    selected = np.flatnonzero(adjust_pvalues(joint, adjust) < alpha)
    n_tests, n_selected = max(int(np.isfinite(joint).sum()), 1), len(selected)
    share = {
        "none": 1.0,
        "bonferroni": 1.0 / n_tests,
        "holm": 1.0 / (n_tests - n_selected + 1),
        "bh": n_selected / n_tests,
        "by": n_selected / n_tests / float(np.sum(1.0 / np.arange(1, n_tests + 1))),
    }[adjust]
    return selected, alpha * share


def _adjust_rows(p: Array, adjust: str) -> Array:
    """Adjust over the tests of each row; NaN is not a test."""
    order = np.argsort(p, axis=1)  # NaN last
    ascending = np.take_along_axis(p, order, axis=1)
    count = np.isfinite(p).sum(axis=1, keepdims=True)
    rank = np.arange(1, p.shape[1] + 1)
    if adjust == "none":
        return p
    if adjust == "bonferroni":
        return np.asarray(np.minimum(p * count, 1.0))
    if adjust == "holm":
        scaled = np.maximum.accumulate(ascending * (count - rank + 1), axis=1)
    else:
        harmonic = np.concatenate([[0.0], np.cumsum(1.0 / rank)])[count] if adjust == "by" else 1.0
        steps = np.where(np.isnan(ascending), np.inf, ascending * harmonic * count / rank)
        scaled = np.minimum.accumulate(steps[:, ::-1], axis=1)[:, ::-1]
    adjusted = np.empty_like(p)
    np.put_along_axis(adjusted, order, np.where(np.isnan(ascending), np.nan, np.minimum(scaled, 1.0)), axis=1)
    return adjusted


@dataclass(frozen=True, slots=True)
class _Root:
    """Roots of the correlations of contrasts.

    Attributes
    ----------
    factor : ndarray of shape (T, T) or (n_features, T, T)
        ``F = |factor' t|^2`` for statistics t; columns beyond the rank are zero.
    rank : ndarray of shape () or (n_features,)
    """

    factor: Array
    rank: Array

    def of(self, rows: NDArray[np.intp]) -> _Root:
        return self if self.rank.ndim == 0 else _Root(self.factor[rows], self.rank[rows])

    def p_values(self, t: Array, df: Array) -> Array:
        along = t @ self.factor if self.rank.ndim == 0 else np.einsum("mt,mtr->mr", t, self.factor)
        f, rank = np.square(along).sum(axis=1), np.broadcast_to(self.rank, len(t))
        p = np.full(len(t), np.nan)
        for value in np.unique(rank[rank > 0]):
            here = rank == value
            p[here] = f_upper_p(f[here], float(value), df[here])
        return p


def _root(correlation: ArrayLike | None, shape: tuple[int, int]) -> _Root:
    """Factor the correlation of T contrasts; features without one have rank 0."""
    m, n_tests = shape
    matrix = np.eye(n_tests) if correlation is None else np.asarray(correlation, dtype=np.float64)
    if matrix.shape not in ((n_tests, n_tests), (m, n_tests, n_tests)):
        raise InputError(
            f"correlation has shape {matrix.shape}; it must be ({n_tests}, {n_tests}), or one per feature."
        )
    known = np.asarray(np.isfinite(matrix).all(axis=(-2, -1)))
    if matrix.ndim == 2 and not known:
        raise InputError("correlation is missing or infinite; contrasts that cannot be estimated have none.")
    values, vectors = np.linalg.eigh(np.where(known[..., None, None], matrix, 0.0))
    used = known[..., None] & (values > _RANK_TOLERANCE * values[..., -1:]) if n_tests else values > 0
    rank = used.sum(axis=-1)
    scale = np.sqrt(np.where(used, values, 1.0) * np.maximum(rank, 1)[..., None])
    return _Root(np.where(used[..., None, :], vectors / scale[..., None, :], 0.0), np.asarray(rank))


def _nested_f(t: Array, root: _Root, df: Array, level: float) -> NDArray[np.int8]:
    """Call contrasts in the order of their statistics for as long as the truncated F stays significant."""
    order = np.argsort(-np.abs(t), axis=1, kind="stable")
    decisions = np.zeros(t.shape, dtype=np.int8)
    active = np.isfinite(t).all(axis=1)
    for step in range(t.shape[1]):
        here = order[:, [step]]
        value = np.take_along_axis(t, here, axis=1)
        truncated = np.sign(t) * np.minimum(np.abs(t), np.abs(value))
        active &= root.p_values(truncated, df) < level
        np.put_along_axis(
            decisions, here, np.where(active[:, None], np.sign(np.nan_to_num(value)), 0).astype(np.int8), 1
        )
    return decisions
