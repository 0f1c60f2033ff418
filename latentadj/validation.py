"""The one gate through which arrays of the estimators pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import validate_data

from latentadj.data.finiteness import check_finite
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
    """
    options: dict[str, Any] = {"ensure_all_finite": not training}
    if training:
        options["ensure_min_samples"] = 2
    values: NDArray[Any] = validate_data(estimator, X, dtype=[np.float64, np.float32], reset=training, **options)
    return values


def require_finite(
    problem: AdjustmentProblem,
    values: NDArray[Any],
    sample_ids: Sequence[str] | None = None,
    feature_ids: Sequence[str] | None = None,
) -> None:
    """Raise `InputError` naming missing or infinite cells; costs nothing when there are none.

    Parameters
    ----------
    problem : AdjustmentProblem
        Its sums of squares are finite exactly when the data are (or overflow).
    values : ndarray of shape (n_samples, n_features)
    sample_ids, feature_ids : sequence of str, optional
    """
    if not np.isfinite(problem.sums.tss).all():
        check_finite(values, sample_ids, feature_ids)
