"""What methods for counts share: the log scale they work on, and counts without the factors."""

from __future__ import annotations

from typing import Any

import numpy as np

from latentadj.core.count_normalization import NormalizedCounts, plain_loadings
from latentadj.core.counts import LogCounts, log_counts
from latentadj.core.matrix import Array, ArrayMatrix, FeatureMatrix, collect
from latentadj.exceptions import MethodError
from latentadj.validation import validated_array

#: What is added to every count on each scale unless the user says otherwise.
CONSTANTS = {"log_cpm": 0.5, "log1p": 1.0}


class OnLogCounts:
    """Mixin of methods with the constructor parameters `scale`, `constant` and `compat`, for counts."""

    scale: str
    constant: float | None
    compat: str | None
    factors_: Array
    loadings_: Array

    def working_matrix(self, matrix: FeatureMatrix) -> LogCounts:
        """Return the logarithms of the counts, as a lazy view."""
        name = type(self).__name__
        if self.scale not in CONSTANTS:
            raise MethodError(f"scale={self.scale!r} is unknown; {name} knows {', '.join(map(repr, CONSTANTS))}.")
        constant = CONSTANTS[self.scale] if self.constant is None else self.constant
        if not constant > 0:
            raise MethodError(f"constant={self.constant!r}; {name} needs a number above 0, or logarithms of 0 arise.")
        return log_counts(matrix, per_million=self.scale == "log_cpm", prior=float(constant))

    @property
    def _literal(self) -> bool:
        if self.compat not in (None, "RUVSeq"):
            raise MethodError(f"compat={self.compat!r} is unknown; {type(self).__name__} knows None and 'RUVSeq'.")
        return self.compat == "RUVSeq"

    def normalized_counts(self, X: Any) -> Array:
        """Training counts without the factors, for display; give the factors to a model instead of testing these.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The counts that the method was fitted to.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Whole numbers, at least 0. Loadings are those of the refitted model and factors are centred; with
            ``compat="RUVSeq"`` loadings are the package's: a regression on the factors alone, or for RUVs the
            differences between replicates.
        """
        logs = self.working_matrix(ArrayMatrix(validated_array(self, X, training=False)))
        if self._literal:
            scores, loadings = self.factors_, self._literal_loadings(logs)
        else:
            scores, loadings = self.factors_ - self.factors_.mean(axis=0), self.loadings_
        return collect(NormalizedCounts(logs, scores, np.nan_to_num(loadings)))

    def _literal_loadings(self, logs: LogCounts) -> Array:
        """Loadings ``(n_features, n_factors)`` that the reference subtracts with."""
        return plain_loadings(logs, self.factors_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.positive_only = True
        return tags
