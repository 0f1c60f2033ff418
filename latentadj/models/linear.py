"""Ordinary least squares with one design for all features."""

from __future__ import annotations

from dataclasses import dataclass

from latentadj.core.kernels import RegressionSums
from latentadj.core.matrix import FeatureMatrix
from latentadj.core.regression import DesignBasis, RegressionFit, design_pass, fit_from_sums


@dataclass(frozen=True)
class LinearModel:
    """Least squares, equal variances across the samples of a feature.

    Examples
    --------
    >>> import numpy as np
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> from latentadj.core.regression import design_basis
    >>> Y = ArrayMatrix(np.array([[1.0], [2.0], [3.0]]))
    >>> float(LinearModel().fit(Y, design_basis(np.ones((3, 1)))).coef[0, 0])
    2.0
    """

    def fit(self, Y: FeatureMatrix, basis: DesignBasis, *, sums: RegressionSums | None = None) -> RegressionFit:
        """Fit every feature; see `PrimaryModel.fit`."""
        return fit_from_sums(basis, sums if sums is not None else design_pass(Y, basis))
