"""Quality weights of samples, from measurements to one number each."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from latentadj.core.array_weights import ArrayWeights, array_weights_one_pass
from latentadj.core.array_weights import array_weights as pooled_weights
from latentadj.core.matrix import Array, ArrayMatrix
from latentadj.data.adapters import Orientation
from latentadj.design import Design
from latentadj.exceptions import InputError, MethodError, NotConvergedWarning
from latentadj.samples.reading import SampleStudy, read_study

METHODS = ("reml", "genebygene")
COMPAT = (None, "limma")
#: Squared length of a step, in standard errors per feature, at which the iteration stops; and where limma's does.
TOLERANCE, LIMMA_TOLERANCE = 1e-8, 1e-5


def array_weights(
    X: Any,
    design: Any,
    sample_data: pd.DataFrame | None = None,
    *,
    method: str = "reml",
    variance_design: Any = None,
    observation_weights: ArrayLike | None = None,
    prior_features: float = 10.0,
    max_iter: int = 50,
    compat: str | None = None,
    orientation: Orientation = "samples",
    layer: str | None = None,
) -> pd.Series:
    """Estimate how much every sample is to be trusted: weights proportional to one over its noise variance.

    Parameters
    ----------
    X : array, DataFrame, AnnData or LabelledMatrix of shape (n_samples, n_features)
        Values on a scale where effects add up. NaN is missing.
    design : str, list, tuple, array-like, DataFrame, Design or None
        What the features are fitted to; None is the intercept only. Include estimated factors, if there are any: a
        factor that is left out passes for unequal samples.
    sample_data : DataFrame, optional
        Sample table, aligned by ID; by default that of an AnnData object.
    method : {"reml", "genebygene"}, default="reml"
        Restricted maximum likelihood of all features together, or the update of one feature after the other, whose
        answer depends on their order.
    variance_design : str, list, array-like, DataFrame or Design, optional
        What log variances depend on, written as a design, e.g. ``"~ group"`` for one weight per group. By default
        every sample has its own.
    observation_weights : array-like of shape (n_samples, n_features), optional
        Weights of single values, in the orientation of ``X``; values of weight 0 count as missing.
    prior_features : float, default=10
        Weight of the prior "all samples are alike", in features.
    max_iter : int, default=50
        Largest number of steps of "reml".
    compat : {None, "limma"}, default=None
        "limma" leaves features with missing values out of "reml" and stops its iteration at limma's tolerance.
    orientation : {"samples", "features"}
        What the rows of ``X`` are.
    layer : str, optional
        Layer of an AnnData object.

    Returns
    -------
    Series of length n_samples
        Above 0; the geometric mean is 1. ``adjust(..., sample_weights=)`` takes it.

    Raises
    ------
    InputError
        Infinite values, observation weights that do not fit or are negative, options out of range.
    DesignError, FormulaError, AlignmentError
        A design or sample table that does not fit.
    MethodError
        An unknown method or compat.

    Warns
    -----
    NotConvergedWarning
        The iteration stopped at `max_iter`.

    Notes
    -----
    Ritchie et al. (2006), BMC Bioinformatics 7:261. Both methods use every value that is there: with missing values or
    observation weights each feature has a projection of its own in the restricted likelihood. limma falls back on
    "genebygene" there.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(12, 3000)) * np.repeat([1.0, 2.0], [8, 4])[:, None]
    >>> weights = array_weights(X, np.tile([0, 1], 6))
    >>> bool(abs(weights[:8].mean() / weights[8:].mean() - 4) < 0.4)
    True
    """
    _check_choices(method, compat)
    study = read_study(X, design, sample_data, orientation=orientation, layer=layer)
    own = _observation_weights(observation_weights, study, orientation)
    variance = None if variance_design is None else _columns(variance_design, study)
    if method == "genebygene":
        weights = array_weights_one_pass(
            study.values,
            study.design.matrix,
            observation_weights=own,
            variance_design=variance,
            prior_features=prior_features,
        )
    else:
        found = pooled_weights(
            study.matrix,
            study.design.matrix,
            observation_weights=None if own is None else ArrayMatrix(own),
            variance_design=variance,
            prior_features=prior_features,
            max_iter=max_iter,
            tol=TOLERANCE if compat is None else LIMMA_TOLERANCE,
            complete_only=compat is not None,
        )
        weights = found.weights
        _warn(found, max_iter)
    return pd.Series(weights, index=study.sample_index, name="weight")


def _check_choices(method: str, compat: str | None) -> None:
    if method not in METHODS:
        raise MethodError(f"method={method!r} is unknown; choose one of {', '.join(METHODS)}.")
    if compat not in COMPAT:
        raise MethodError(f"compat={compat!r} is unknown; choose None or 'limma'.")


def _columns(variance_design: Any, study: SampleStudy) -> Array:
    """Columns that log variances are linear in."""
    return Design.resolve(variance_design, study.sample_data, n_samples=len(study.values)).matrix


def _observation_weights(weights: ArrayLike | None, study: SampleStudy, orientation: Orientation) -> Array | None:
    """Weights ``(n_samples, n_features)``; 0 for missing ones."""
    if weights is None:
        return None
    own = np.asarray(weights, dtype=np.float64)
    own = own.T if orientation == "features" else own
    if own.shape != study.values.shape or np.isinf(own).any() or np.any(own < 0):
        raise InputError(
            f"observation_weights has shape {np.shape(weights)}; it must have one finite weight, not negative, for "
            "every value of X."
        )
    return np.nan_to_num(own)


def _warn(found: ArrayWeights, max_iter: int) -> None:
    if not found.converged and found.n_iter >= max_iter:
        warnings.warn(
            f"The weights had not settled after max_iter={max_iter} steps. Raise max_iter, or prior_features.",
            NotConvergedWarning,
            stacklevel=3,
        )
