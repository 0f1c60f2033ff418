"""Least squares with a weight for every observation, or with missing values."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from latentadj.core.kernels import RegressionSums
from latentadj.core.matrix import FeatureMatrix
from latentadj.core.regression import DesignBasis, RegressionFit
from latentadj.core.weighted_regression import fit_weighted_regression
from latentadj.core.whitening import Whitening


@dataclass(frozen=True)
class WeightedLinearModel:
    """Least squares of every feature on the observations it has, each with a weight.

    Parameters
    ----------
    weights : FeatureMatrix of shape (n_samples, n_features) or None, default=None
        Proportional to one over the noise variance of each observation; 0 or NaN leaves it out. By default all
        observations count the same.
    whitening : Whitening or None, default=None
        Noise variances of the samples, or their covariance, beside the weights.

    Notes
    -----
    Generalised least squares (Aitken 1935), feature by feature. NaN in the data marks a missing value; the degrees of
    freedom and the covariance of the coefficients are each feature's own.

    Examples
    --------
    >>> import numpy as np
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> from latentadj.core.regression import design_basis
    >>> Y = ArrayMatrix(np.array([[1.0], [2.0], [np.nan], [3.0]]))
    >>> fit = WeightedLinearModel().fit(Y, design_basis(np.ones((4, 1))))
    >>> fit.coef.round(12), fit.df_resid, fit.n_obs
    (array([[2.]]), array([2.]), array([3]))
    """

    weights: FeatureMatrix | None = field(default=None, repr=False)
    whitening: Whitening | None = field(default=None, repr=False)

    def fit(self, Y: FeatureMatrix, basis: DesignBasis, *, sums: RegressionSums | None = None) -> RegressionFit:
        """Fit every feature; see `PrimaryModel.fit`."""
        return fit_weighted_regression(Y, basis.design, self.weights, self.whitening)

    def whitened(self, whitening: Whitening) -> WeightedLinearModel:
        """Return the model for samples of unequal or correlated noise."""
        return replace(self, whitening=whitening.after(self.whitening))

    def precision(self, Y: FeatureMatrix, basis: DesignBasis) -> FeatureMatrix | None:
        """Return the weights of the observations."""
        return self.weights
