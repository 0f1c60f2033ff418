"""Least squares with standard errors that allow for unequal variances, or for clusters of samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.core.kernels import RegressionSums
from latentadj.core.matrix import FeatureMatrix
from latentadj.core.regression import DesignBasis, RegressionFit, design_pass, fit_from_sums
from latentadj.core.sandwich import sandwich_covariance, sandwich_scores
from latentadj.core.whitening import Whitening
from latentadj.exceptions import DegreesOfFreedomError, InputError, MethodError

SAMPLE_KINDS = ("hc0", "hc1", "hc2", "hc3")
CLUSTER_KINDS = ("cr0", "cr1", "cr2", "cr3")
DEGREES = ("satterthwaite", "residual")


@dataclass(frozen=True)
class RobustLinearModel:
    """Least squares with sandwich errors."""

    kind: str = "auto"
    clusters: Sequence[Any] | NDArray[Any] | None = None
    df: str = "satterthwaite"

    def fit(self, Y: FeatureMatrix, basis: DesignBasis, *, sums: RegressionSums | None = None) -> RegressionFit:
        """Fit every feature; see `PrimaryModel.fit`."""
        kind, labels = self._resolved(basis.n_samples)
        fit = fit_from_sums(basis, sums if sums is not None else design_pass(Y, basis))
        scores = sandwich_scores(basis, kind, labels)
        cov = sandwich_covariance(Y, scores)
        with np.errstate(invalid="ignore", divide="ignore"):
            cov /= fit.sigma2[:, None, None]
        aliased = list(basis.aliased)
        cov[:, aliased], cov[:, :, aliased] = np.nan, np.nan
        return replace(fit, cov_unscaled=cov, degrees=scores if self.df == "satterthwaite" else None)

    def whitened(self, whitening: Whitening) -> "RobustLinearModel":
        return self

    def _resolved(self, n):
        kind = self.kind
        if kind == "auto":
            kind = "hc2" if self.clusters is None else "cr2"
        labels = None if self.clusters is None else pd.factorize(np.asarray(self.clusters))[0]
        return kind, labels
