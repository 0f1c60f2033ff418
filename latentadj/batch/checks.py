"""Checks that batches and covariates can be told apart."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.design.estimability import find_aliases, orthonormal_basis
from latentadj.exceptions import ConfoundedDesignError, DegreesOfFreedomError, LatentAdjWarning

Array = NDArray[np.float64]

#: Residual degrees of freedom of a batch below which its spread cannot be seen.
NO_FREEDOM = 1e-6
#: Correlation with the target from which on a covariate is taken for the target itself.
SAME_AS_TARGET = 0.99
#: Whole numbers with more distinct values are no classes.
MOST_CLASSES = 50


class TargetLeakageWarning(LatentAdjWarning):
    """A covariate that new samples have to be told is, or nearly is, what is to be predicted."""


def check_not_confounded(codes: NDArray[np.intp], levels: Sequence[Any], columns: Array, names: Sequence[str]) -> None:
    """Refuse covariates that batches determine, or that determine each other.

    Parameters
    ----------
    codes : ndarray of int, shape (n_samples,)
    levels : sequence
        Names of the batches.
    columns : ndarray of shape (n_samples, q)
        Covariates that vary.
    names : sequence of str

    Raises
    ------
    ConfoundedDesignError
        With the relation and ways out.

    Examples
    --------
    >>> check_not_confounded(np.array([0, 0, 1, 1]), ["a", "b"], np.array([[0.0], [1], [0], [1]]), ["x"])
    """
    indicators = (codes[:, None] == np.arange(len(levels))).astype(np.float64)
    matrix = np.hstack([indicators, columns])
    labels = [*(f"batch[{level}]" for level in levels), *names]
    aliases = find_aliases(matrix, labels, range(matrix.shape[1]))
    if aliases:
        raise ConfoundedDesignError(
            f"Covariates cannot be told apart from batches or from each other: {'; '.join(map(str, aliases[:3]))}. "
            "What belongs to the batch and what to the covariate cannot be known from these samples. Ways out: (1) "
            "drop the covariate named first; (2) merge batches, or drop samples, so that every batch holds several "
            "of its values; (3) measure some samples again in another batch."
        )


def check_spread_is_seen(
    codes: NDArray[np.intp], levels: Sequence[Any], columns: Array, reference: int | None, mean_only: bool
) -> None:
    """Refuse designs that fit all samples of a batch exactly when its spread is needed.

    Parameters
    ----------
    codes : ndarray of int, shape (n_samples,)
    levels : sequence
    columns : ndarray of shape (n_samples, q)
        Covariates that vary.
    reference : int or None
        The reference batch.
    mean_only : bool
        Then only the reference's spread, or the pooled one, is needed.

    Raises
    ------
    DegreesOfFreedomError

    Examples
    --------
    >>> check_spread_is_seen(np.array([0, 0, 1, 1]), ["a", "b"], np.zeros((4, 0)), None, False)
    """
    indicators = (codes[:, None] == np.arange(len(levels))).astype(np.float64)
    basis = orthonormal_basis(np.hstack([indicators, columns]))
    free = indicators.T @ (1.0 - (basis**2).sum(axis=1))
    if reference is not None and free[reference] < NO_FREEDOM:
        raise DegreesOfFreedomError(
            f"The reference batch {levels[reference]!r} has {np.sum(codes == reference)} sample(s), which batch and "
            "covariates fit exactly, so its spread cannot be seen. Choose a larger reference= or fewer covariates."
        )
    if free.sum() < NO_FREEDOM:
        raise DegreesOfFreedomError(
            f"{len(levels)} batches and {columns.shape[1]} covariate columns fit all {len(codes)} samples exactly: no "
            "residual degrees of freedom are left. Ways out: fewer covariates, merged batches, more samples."
        )
    exact = [repr(level) for level, df in zip(levels, free, strict=True) if df < NO_FREEDOM]
    if exact and not mean_only:
        raise DegreesOfFreedomError(
            f"Batch and covariates fit the samples of batch(es) {', '.join(exact[:5])} exactly, so their spread cannot "
            "be seen. Ways out: (1) mean_only=True; (2) fewer covariates; (3) merged batches."
        )


def warn_of_leaking_target(y: Any, columns: Array, names: Sequence[str], *, stacklevel: int = 3) -> None:
    """Warn when a covariate is the target under another name.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, k), or None
        What a later step of a pipeline is to predict: numbers or classes.
    columns : ndarray of shape (n_samples, q)
        Coded covariates.
    names : sequence of str
    stacklevel : int, default=3

    Warns
    -----
    TargetLeakageWarning
        A covariate's correlation with y, or with membership in one of its classes, is above 0.99 in size.

    Examples
    --------
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warn_of_leaking_target(["ill", "well", "ill"], np.array([[0.0], [1.0], [0.0]]), ["outcome"])
    >>> caught[0].category.__name__
    'TargetLeakageWarning'
    """
    target = _target_columns(y, len(columns))
    if target is None or not columns.shape[1]:
        return
    size = np.abs(_standardised(columns).T @ _standardised(target)).max(axis=1)
    leaking = [f"{name!r} (|r| = {r:.3f})" for name, r in zip(names, size, strict=True) if r > SAME_AS_TARGET]
    if leaking:
        warnings.warn(
            f"Covariate(s) {', '.join(leaking[:3])} are what is to be predicted, y. New samples would have to be told "
            "the answer, and a score in cross-validation would say nothing. Ways out: (1) leave them out of "
            "covariates=; (2) if no prediction follows, call fit without y.",
            TargetLeakageWarning,
            stacklevel=stacklevel,
        )


def _target_columns(y: Any, n_samples: int) -> Array | None:
    """Numbers as they are, and an indicator of each class, ``(n_samples, k)``; None for what cannot be compared."""
    values = np.asarray(y, dtype=object)
    if y is None or values.ndim not in (1, 2) or len(values) != n_samples:
        return None
    table = pd.DataFrame(values).infer_objects()
    parts = []
    for _, column in table.items():
        numeric = pd.api.types.is_numeric_dtype(column)
        if numeric:
            parts.append(column.to_numpy(dtype=np.float64)[:, None])
        if not numeric or 2 < column.nunique() <= MOST_CLASSES:
            parts.append(pd.get_dummies(column).to_numpy(dtype=np.float64))
    found = np.hstack(parts) if parts else np.empty((n_samples, 0))
    return found if found.size and np.isfinite(found).all() else None


def _standardised(columns: Array) -> Array:
    """Columns of mean 0 and length 1; zeros where they do not vary."""
    centred = columns - columns.mean(axis=0)
    length = np.linalg.norm(centred, axis=0)
    out: Array = np.divide(centred, length, out=np.zeros_like(centred), where=length > 0)
    return out
