"""Counts by least squares on a log scale, weighted by the trend of their spread over their level."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from latentadj.core.counts import LogCounts
from latentadj.core.depth import sample_depths
from latentadj.core.kernels import RegressionSums
from latentadj.core.matrix import FeatureMatrix
from latentadj.core.regression import DesignBasis, RegressionFit
from latentadj.core.voom import PRIOR, VoomWeights, voom_fit
from latentadj.core.weighted_regression import fit_weighted_regression
from latentadj.core.whitening import Whitening
from latentadj.models.own_depths import OwnDepths


@dataclass(frozen=True)
class VoomModel:
    """Log2 counts per million with a precision weight for every value (voom).

    Parameters
    ----------
    size_factors : str or array-like of shape (n_samples,) or None, default="tmm"
        What library sizes are multiplied by: "tmm", "rle", "upper_quartile", "median_ratio", "library_size", numbers,
        or None for library sizes as they are.
    span : float, default=0.5
        Share of the features in each neighbourhood of the smoother of the trend.
    whitening : Whitening or None, default=None
        Noise variances of the samples, or their covariance, beside the weights.

    Notes
    -----
    Law, Chen, Shi and Smyth (2014), Genome Biology 15:R29. The trend is estimated again for every design, so that what
    hidden factors explain is not taken for spread. Factors are estimated from the log counts per million.

    Examples
    --------
    >>> import latentadj as la
    >>> counts = np.random.default_rng(0).poisson(np.geomspace(5, 500, 300), size=(12, 300))
    >>> res = la.adjust(counts, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=1, model="voom")
    >>> res.tidy().shape
    (300, 15)
    """

    size_factors: str | ArrayLike | None = "tmm"
    span: float = 0.5
    whitening: Whitening | None = field(default=None, repr=False)

    def fit(self, Y: FeatureMatrix, basis: DesignBasis, *, sums: RegressionSums | None = None) -> RegressionFit:
        """Fit every feature; see `PrimaryModel.fit`.

        Raises
        ------
        InputError
            Negative counts, or a trend that reaches zero.
        DegreesOfFreedomError
            When the design leaves no residual degrees of freedom.
        """
        found = voom_fit(Y, basis, self._depths(Y), span=self.span, whitening=self.whitening)
        fit = fit_weighted_regression(found.logs, basis.design, found.weights, self.whitening)
        return replace(fit, constant=fit.constant | ~found.present)

    def linear_scale(self, Y: FeatureMatrix) -> LogCounts:
        """Return log2 counts per million, as a lazy view."""
        return LogCounts(Y, self._depths(Y), PRIOR)

    def frozen(self, Y: FeatureMatrix) -> OwnDepths:
        """Return the scale that new samples are scored on, each by its own total."""
        return OwnDepths()

    def whitened(self, whitening: Whitening) -> VoomModel:
        """Return the model for samples of unequal or correlated noise."""
        return replace(self, whitening=whitening.after(self.whitening))

    def precision(self, Y: FeatureMatrix, basis: DesignBasis) -> VoomWeights:
        """Return the weights of the log counts under the trend that the design leaves."""
        return voom_fit(Y, basis, self._depths(Y), span=self.span, whitening=self.whitening).weights

    def _depths(self, Y: FeatureMatrix) -> np.ndarray:
        return sample_depths(Y, self.size_factors)
