"""Stage 1, the primary model: what every feature is fitted by."""

from __future__ import annotations

from typing import Protocol

from latentadj.core.kernels import RegressionSums
from latentadj.core.matrix import FeatureMatrix
from latentadj.core.regression import DesignBasis, RegressionFit


class PrimaryModel(Protocol):
    """A model that is fitted to all features with one design."""

    def fit(self, Y: FeatureMatrix, basis: DesignBasis, *, sums: RegressionSums | None = None) -> RegressionFit:
        """Fit the design behind `basis` to every feature.

        Parameters
        ----------
        Y : FeatureMatrix of shape (n_samples, n_features)
        basis : DesignBasis
        sums : RegressionSums, optional
            Sums of an earlier pass over the same data with the same basis, so that it need not be read again.

        Returns
        -------
        RegressionFit
        """
        ...
