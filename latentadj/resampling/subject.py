"""The regression behind a result, ready to be rearranged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.core.matrix import Array, ArrayMatrix, FeatureMatrix
from latentadj.core.resampling import NullGeometry, VarianceRule, null_geometry
from latentadj.core.sandwich import SandwichScores
from latentadj.core.whitening import WhitenedMatrix
from latentadj.exceptions import InputError, MethodError
from latentadj.results import AdjustmentResult


@dataclass(frozen=True)
class Subject:
    """Data and design of a result's last regression, on the scale where its noise is equal in all samples.

    Attributes
    ----------
    matrix : FeatureMatrix of shape (n_samples, n_features)
    design : ndarray of shape (n_samples, d)
        With the factors, which are held.
    names : tuple of str, length T
    contrasts : tuple of ndarray, each of shape (d, q)
        What is tested, alone or jointly.
    variances : VarianceRule
        The prior of the result's tests, which is held.
    sandwich : SandwichScores or None
        Errors of the result, where they do not follow from residual variances.
    usable : ndarray of bool, shape (n_features,)
    """

    matrix: FeatureMatrix
    design: Array
    names: tuple[str, ...]
    contrasts: tuple[Array, ...]
    variances: VarianceRule
    sandwich: SandwichScores | None
    usable: NDArray[np.bool_]

    def geometry(self, test: int) -> NullGeometry:
        """Return the design split by one of the tests."""
        return null_geometry(self.design, self.contrasts[test])


def subject_of(result: AdjustmentResult, *, joint: bool = False) -> Subject:
    """Take the regression of a result apart.

    Parameters
    ----------
    result : AdjustmentResult
        With its data.
    joint : bool, default=False
        Test formula terms instead of columns.

    Returns
    -------
    Subject

    Raises
    ------
    InputError
        The result has lost its data (it was loaded from a file).
    MethodError
        Features were not fitted by least squares with one design for all of them.
    """
    if result.matrix is None:
        raise InputError(
            "The result does not hold its data any more, which is so for results read from a file. Give the data and "
            "the formula instead."
        )
    fit = result.fit
    sandwich = fit.degrees if isinstance(fit.degrees, SandwichScores) else None
    own_weights = fit.cov_unscaled.ndim == 3 and sandwich is None
    if own_weights or fit.n_obs is not None or result.estimate.subtraction is not None or np.ndim(fit.df_resid):
        raise MethodError(
            "Residuals can be rearranged where every feature is fitted to all samples by least squares with the same "
            "design. For counts, weights of observations, missing values, or a method that does not refit, use "
            "permutation_test with scheme='labels' and rerun=True."
        )
    matrix, design, whitening = result.matrix, result.full_design.matrix, result.estimate.whitening
    if whitening is not None:
        matrix, design = WhitenedMatrix(matrix, whitening), whitening.apply(design)
    names, contrasts = _tested(result, joint=joint)
    prior = result.uncalibrated_tests.prior
    unmoderated = np.ndim(prior.df_prior) == 0 and prior.df_prior == 0
    variances = VarianceRule() if unmoderated else VarianceRule(prior.df_prior, prior.s2_prior)
    return Subject(matrix, design, names, contrasts, variances, sandwich, ~fit.constant)


def _tested(result: AdjustmentResult, *, joint: bool) -> tuple[tuple[str, ...], tuple[Array, ...]]:
    """Names and contrasts of the tests: columns, or formula terms with all of their columns."""
    tests = result.uncalibrated_tests
    columns = [tests.contrasts[:, [i]] for i in range(len(tests.names))]
    if not joint:
        return tests.names, tuple(columns)
    groups: dict[str, list[Array]] = {}
    terms = [result.design.terms[i] for i, role in enumerate(result.design.roles) if role == "primary"]
    for term, column in zip(terms, columns, strict=True):
        groups.setdefault(term, []).append(column)
    return tuple(groups), tuple(np.concatenate(parts, axis=1) for parts in groups.values())


def sample_labels(labels: Any, name: str, result: AdjustmentResult) -> NDArray[np.intp] | None:
    """Bring labels of the samples into the order of the data, as numbers from 0.

    Parameters
    ----------
    labels : None, str, Series or array-like of shape (n_samples,)
        A column of the sample table, or one label per sample; a Series is aligned by sample ID.
    name : str
        Of the argument, for messages.
    result : AdjustmentResult

    Returns
    -------
    ndarray of int, shape (n_samples,), or None

    Raises
    ------
    InputError
        Unknown column, wrong length, missing labels.
    """
    if labels is None:
        return None
    if isinstance(labels, str):
        if result.sample_data is None or labels not in result.sample_data:
            raise InputError(f"{name}={labels!r} is no column of the sample table. Name one, or give the labels.")
        labels = result.sample_data[labels].to_numpy()
    if isinstance(labels, pd.Series):
        labels = labels.reindex(_as_index(result.sample_ids, labels)).to_numpy()
    given = pd.Series(np.asarray(labels).ravel())
    if len(given) != result.n_samples or given.isna().any():
        raise InputError(
            f"{name}= must have a label for each of the {result.n_samples} samples; {len(given)} were given, "
            f"{int(given.isna().sum())} of them missing."
        )
    return np.asarray(pd.factorize(given)[0], dtype=np.intp)


def _as_index(sample_ids: Sequence[str], labels: pd.Series[Any]) -> list[Any]:
    """Sample IDs in the type of a Series' index."""
    known = {str(label): label for label in labels.index}
    return [known.get(sample, sample) for sample in sample_ids]


def is_linear_scale(result: AdjustmentResult) -> bool:
    """Tell whether the method worked on the data as they were given."""
    return isinstance(result.matrix, ArrayMatrix)
