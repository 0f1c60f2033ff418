"""Stage 1, the primary model: what every feature is fitted by."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from latentadj.core.kernels import RegressionSums
from latentadj.core.matrix import FeatureMatrix
from latentadj.core.regression import DesignBasis, RegressionFit
from latentadj.core.whitening import Whitening


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


class LinearScale(Protocol):
    """A scale where effects add up."""

    def linear_scale(self, Y: FeatureMatrix) -> FeatureMatrix:
        """Return the data, as a lazy view, on this scale."""
        ...


@runtime_checkable
class ScaledModel(PrimaryModel, Protocol):
    """A model of values on a scale of their own: factors are estimated on another, where effects add up."""

    def linear_scale(self, Y: FeatureMatrix) -> FeatureMatrix:
        """Return the data, as a lazy view, on the scale that factors are estimated on."""
        ...

    def frozen(self, Y: FeatureMatrix) -> LinearScale:
        """Return the scale, settled by training data `Y`, that takes each new sample alone."""
        ...


@runtime_checkable
class WeighableModel(PrimaryModel, Protocol):
    """A model that takes a map of the samples to equal and independent noise itself."""

    def whitened(self, whitening: Whitening) -> PrimaryModel:
        """Return the model for samples whose noise `whitening` makes equal and independent."""
        ...


@runtime_checkable
class WeighingModel(PrimaryModel, Protocol):
    """A model in which some observations count for more than others."""

    def precision(self, Y: FeatureMatrix, basis: DesignBasis) -> FeatureMatrix | None:
        """Return the weights of all observations, as a lazy view; None where all count the same."""
        ...
