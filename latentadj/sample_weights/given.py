"""Sample weights that the user knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from latentadj.core.whitening import Whitening
from latentadj.data.annotations import resolve_annotation
from latentadj.exceptions import InputError
from latentadj.problem import AdjustmentProblem


class GivenWeights(BaseEstimator):  # type: ignore[misc]
    """Weights proportional to one over each sample's noise variance.

    Parameters
    ----------
    weights : array-like of shape (n_samples,) or Series indexed by sample ID
        Above 0.

    Notes
    -----
    Weighted least squares (Aitken 1935), for all features alike.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 200))
    >>> design = la.Design.from_arrays(np.repeat([0, 1], 6))
    >>> res = la.adjust(X, design, method="none", sample_weights=np.repeat([1.0, 0.5], 6))
    >>> res.sample_weights.iloc[[0, 6]].round(3).tolist()
    [1.333, 0.667]
    """

    def __init__(self, weights: Any) -> None:
        self.weights = weights

    def whitening(
        self, problem: AdjustmentProblem, rng: np.random.Generator, sample_ids: Sequence[str] | None = None
    ) -> Whitening:
        """Return the map; see `SampleWeights.whitening`.

        Raises
        ------
        InputError
            A wrong number of weights, or weights that are not above 0.
        """
        given = resolve_annotation("sample_weights", self.weights, problem.n_samples, None, sample_ids)
        try:
            weights = np.asarray(given, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InputError("sample_weights must be numbers, one per sample.") from error
        if weights.ndim != 1 or not (np.isfinite(weights) & (weights > 0)).all():
            raise InputError(
                "sample_weights must be one number above 0 per sample. To leave a sample out, drop its row."
            )
        return Whitening.from_weights(weights / weights.mean())
