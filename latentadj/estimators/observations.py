"""Values that are missing, or count for less than others: what factors are estimated from, what is fitted."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.core.completion import complete
from latentadj.core.matrix import ArrayMatrix, LeftOut
from latentadj.data.finiteness import check_finite
from latentadj.exceptions import AlignmentError, InputError, MethodError, NotConvergedWarning
from latentadj.models import (
    GLMModel,
    LinearModel,
    PrimaryModel,
    RobustLinearModel,
    RobustWeightedModel,
    WeightedLinearModel,
)
from latentadj.problem import AdjustmentProblem

if TYPE_CHECKING:
    from latentadj.estimators.pipeline import Study


def allows_missing(missing: str) -> bool:
    """Return whether NaN is a missing value.

    Raises
    ------
    MethodError
        For anything but "error" and "allow".
    """
    if missing not in ("error", "allow"):
        raise MethodError(f"missing={missing!r} is unknown; choose 'error' or 'allow'.")
    return missing == "allow"


def aligned_weights(
    weights: Any,
    shape: tuple[int, int],
    sample_ids: Sequence[str],
    feature_ids: Sequence[str] | None,
    orientation: str = "samples",
) -> NDArray[np.float64] | None:
    """Bring weights of observations into the order of the data.

    Parameters
    ----------
    weights : None, DataFrame or array-like of shape (n_samples, n_features)
        Features x samples if `orientation` says so, as the data.
    shape : tuple of int
    sample_ids : sequence of str
    feature_ids : sequence of str or None
    orientation : {"samples", "features"}

    Returns
    -------
    ndarray of shape (n_samples, n_features) or None

    Raises
    ------
    AlignmentError
        A frame that lacks samples or features.
    InputError
        Another shape, or weights that are negative or infinite.
    """
    if weights is None:
        return None
    if orientation == "features":
        weights = weights.T if hasattr(weights, "T") else np.asarray(weights).T
    if isinstance(weights, pd.DataFrame):
        weights = _in_order(weights, sample_ids, feature_ids)
    try:
        values = np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError("observation_weights must be numbers.") from error
    if values.shape != shape:
        raise InputError(f"observation_weights have shape {values.shape}; {shape}, samples by features, is needed.")
    if np.isinf(values).any() or (values < 0).any():
        raise InputError("observation_weights must be finite and not negative; use 0 to leave an observation out.")
    return values


def _in_order(weights: pd.DataFrame, sample_ids: Sequence[str], feature_ids: Sequence[str] | None) -> pd.DataFrame:
    frame = weights.rename(index=str, columns=str)
    sides: tuple[tuple[Sequence[str] | None, Literal["index", "columns"], str], ...] = (
        (sample_ids, "index", "samples"),
        (feature_ids, "columns", "features"),
    )
    for ids, axis, what in sides:
        labels = getattr(weights, axis)
        if ids is None or isinstance(labels, pd.RangeIndex):
            continue
        missing = pd.Index([str(i) for i in ids]).difference(getattr(frame, axis))
        if len(missing):
            raise AlignmentError(
                f"observation_weights= lacks {len(missing)} of {len(ids)} {what} (first: {list(missing[:3])}). Label "
                "it as the data, or give a plain array in the same order."
            )
        frame = frame.reindex([str(i) for i in ids], axis=axis)
    return frame


def with_observation_weights(problem: AdjustmentProblem, weights: NDArray[np.float64]) -> AdjustmentProblem:
    """Fit every feature with weights of its observations; factors are estimated from the observations left in.

    Parameters
    ----------
    problem : AdjustmentProblem
    weights : ndarray of shape (n_samples, n_features)
        0 or NaN leaves an observation out.

    Returns
    -------
    AdjustmentProblem

    Raises
    ------
    MethodError
        For models other than least squares.
    """
    model = problem.fitted.model
    if not isinstance(model, LinearModel | RobustLinearModel):
        raise MethodError(
            f"observation_weights= are for least squares, and features are fitted by "
            f"{type(model).__name__} here. Leave model= out."
        )
    given = ArrayMatrix(weights)
    of_observed = model.of_observed(given) if isinstance(model, RobustLinearModel) else WeightedLinearModel(given)
    whole, target = replace(problem, model=LinearModel()), replace(problem, model=of_observed)
    if (weights > 0).all():
        return replace(whole, target=target)
    return replace(whole, matrix=LeftOut(problem.matrix, weights), target=target)


def with_missing_values(problem: AdjustmentProblem, study: Study, *, left_out: bool) -> AdjustmentProblem:
    """Complete the values that factors are estimated from; features are fitted to what was observed.

    Parameters
    ----------
    problem : AdjustmentProblem
    study : Study
    left_out : bool
        Whether values are missing because their weights are 0.

    Returns
    -------
    AdjustmentProblem
        The same when nothing is missing.

    Raises
    ------
    InputError
        Infinite values, or missing ones where they are not allowed.
    MethodError
        For models that need every value.
    """
    if np.isfinite(problem.sums.tss).all():
        return problem
    check_finite(study.matrix, study.sample_ids, list(study.feature_ids), allow_missing=study.allow_missing)
    if problem.target is None and isinstance(problem.model, GLMModel):
        raise MethodError(
            "missing='allow' needs factors that can be estimated from completed values, and this method estimates them "
            "from counts. Use CATE or SVA with model='negative_binomial', or leave out what has missing values."
        )
    completion = complete(problem.matrix, problem.basis)
    if not completion.converged:
        warnings.warn(
            f"The completion of missing values did not settle within {completion.n_rounds} rounds; factors may depend "
            "on where it stopped. Leave out features or samples with few values.",
            NotConvergedWarning,
            stacklevel=3,
        )
    target = problem.target or problem
    return replace(
        problem,
        matrix=completion.matrix,
        model=LinearModel(),
        target=replace(target, model=_model_of_observed(target.model)),
    )


def _model_of_observed(model: PrimaryModel) -> PrimaryModel:
    if isinstance(model, LinearModel):
        return WeightedLinearModel()
    if isinstance(model, RobustLinearModel):
        return model.of_observed()
    if isinstance(model, WeightedLinearModel | RobustWeightedModel | GLMModel):
        return model
    raise MethodError(
        f"missing='allow' is for least squares, and features are fitted by {type(model).__name__} here. Leave out the "
        "features or samples with missing values, or leave model= out."
    )
