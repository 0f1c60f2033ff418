"""The one gate through which arrays of the estimators pass."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_array, validate_data

from latentadj.core.matrix import FeatureMatrix
from latentadj.data.finiteness import check_finite
from latentadj.exceptions import InputError
from latentadj.problem import AdjustmentProblem


def validated_array(estimator: Any, X: Any, *, training: bool) -> NDArray[Any]:
    """Check shape and type as scikit-learn does and return the values, float32 or float64, not copied.

    Parameters
    ----------
    estimator : BaseEstimator
        Gets ``n_features_in_`` and ``feature_names_in_`` when `training`, is held against them otherwise.
    X : array-like of shape (n_samples, n_features)
    training : bool
        Whether this is the training set. Its finiteness is then left to `require_finite`, which looks at sums
        that the first pass over the data makes anyway.

    Returns
    -------
    ndarray of shape (n_samples, n_features)

    Raises
    ------
    InputError
        Too few samples, not two-dimensional, not numeric; features that are not those of the training set.
    """
    options: dict[str, Any] = {"ensure_all_finite": not training}
    if training:
        options["ensure_min_samples"] = 2
    try:
        values: NDArray[Any] = validate_data(estimator, X, dtype=[np.float64, np.float32], reset=training, **options)
    except ValueError as error:  # scikit-learn's words, under the package's own class
        raise InputError(str(error)) from error
    return values


def finite_array(X: Any) -> NDArray[Any]:
    """Check new samples whose columns are known to be right: numbers, none missing or infinite.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        One sample is enough.

    Returns
    -------
    ndarray of shape (n_samples, n_features)
        float32 or float64.

    Raises
    ------
    InputError
        With scikit-learn's message.

    Examples
    --------
    >>> finite_array([[1, 2]])
    array([[1., 2.]])
    """
    try:
        values: NDArray[Any] = check_array(X, dtype=[np.float64, np.float32])
    except ValueError as error:
        raise InputError(str(error)) from error
    return values


def plain_array(X: Any) -> Any:
    """Turn lists into arrays, and refuse in scikit-learn's words what it refuses in an array.

    Parameters
    ----------
    X : object
        Anything but a list or an array is returned as it is.

    Returns
    -------
    object

    Raises
    ------
    InputError
        Complex values, no samples or no features.
    TypeError
        Cells that are neither numbers nor text, such as dictionaries.

    Examples
    --------
    >>> plain_array([[1.0, 2.0]]).shape
    (1, 2)
    """
    values = np.asarray(X) if isinstance(X, list) else X
    if not isinstance(values, np.ndarray):
        return values
    if values.dtype == object:
        with suppress(ValueError):  # text; the reader names the cell
            values.astype(np.float64)
    if values.dtype.kind == "c" or (values.ndim == 2 and values.size == 0):
        try:
            check_array(values)
        except ValueError as error:
            raise InputError(str(error)) from error
    return values


def require_finite(
    problem: AdjustmentProblem,
    values: NDArray[Any] | FeatureMatrix,
    sample_ids: Sequence[str] | None = None,
    feature_ids: Sequence[str] | NDArray[Any] | None = None,
) -> None:
    """Raise `InputError` naming missing or infinite cells, or overflow; costs nothing when there are none.

    Parameters
    ----------
    problem : AdjustmentProblem
        Its sums of squares are finite exactly when the data are (or overflow).
    values : ndarray or FeatureMatrix of shape (n_samples, n_features)
    sample_ids, feature_ids : sequence of str, optional
    """
    finite = np.isfinite(problem.sums.tss)
    if not finite.all():
        check_finite(values, sample_ids, feature_ids)
        first = int(np.flatnonzero(~finite)[0])
        name = first if feature_ids is None else repr(str(feature_ids[first]))
        raise InputError(
            f"The values of {np.sum(~finite)} feature(s) are so large that their sums of squares overflow, first of "
            f"feature {name}. Divide the matrix by a constant, or take logarithms."
        )
