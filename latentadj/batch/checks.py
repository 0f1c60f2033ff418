"""Checks that batches and covariates can be told apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentadj.design.estimability import find_aliases, orthonormal_basis
from latentadj.exceptions import ConfoundedDesignError, DegreesOfFreedomError

Array = NDArray[np.float64]

#: Residual degrees of freedom of a batch below which its spread cannot be seen.
NO_FREEDOM = 1e-6


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
