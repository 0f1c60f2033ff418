"""Least squares with standard errors that allow for unequal variances, or for clusters of samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.core.kernels import RegressionSums
from latentadj.core.matrix import FeatureMatrix
from latentadj.core.regression import DesignBasis, RegressionFit, design_pass, fit_from_sums
from latentadj.core.sandwich import sandwich_covariance, sandwich_scores
from latentadj.exceptions import DegreesOfFreedomError, InputError, MethodError
from latentadj.models.robust_weighted import RobustWeightedModel

SAMPLE_KINDS = ("hc0", "hc1", "hc2", "hc3")
CLUSTER_KINDS = ("cr0", "cr1", "cr2", "cr3")
DEGREES = ("satterthwaite", "residual")


@dataclass(frozen=True)
class RobustLinearModel:
    """Least squares whose errors do not assume equal variances, or independent samples.

    Parameters
    ----------
    kind : {"auto", "hc0", "hc1", "hc2", "hc3", "cr0", "cr1", "cr2", "cr3"}, default="auto"
        Sandwich covariance; "auto" is "hc2", with clusters "cr2". "hc3" and "cr3" keep the level of nearly every
        single feature, however unequal its variances, at the price of power; "hc0", "hc1" and "cr1" are too small in
        small studies and are there for comparison.
    clusters : array-like of shape (n_samples,), optional
        Cluster of each sample: donors, families, litters. Samples of one cluster may be correlated in any way.
    df : {"satterthwaite", "residual"}, default="satterthwaite"
        Degrees of freedom of each contrast: those of its variance, or n - d for all.

    Notes
    -----
    Coefficients are those of least squares, and `RegressionFit.cov_unscaled` is each feature's sandwich divided by its
    residual variance. Moderation of variances then scales the sandwich up or down and leaves its form alone; how this
    adds to the degrees of freedom is said in `latentadj.results.statistics.error_df`. MacKinnon and White (1985);
    Bell and McCaffrey (2002); Pustejovsky and Tipton (2018).

    The default is calibrated over all features, moderated or not: with the smaller group three times as noisy in 30 %
    of the features, type-I errors at 0.05 were 0.048 to 0.055 for n from 12 to 40, where least squares had 0.11 and
    "hc1" with residual degrees of freedom 0.07 to 0.12; among the noisy features alone up to 0.09 (n 12), which "hc3"
    brings to 0.05 at the price of 0.03 over all features.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> from latentadj.core.regression import design_basis
    >>> Y = ArrayMatrix(np.array([[1.0], [3.0], [4.0], [8.0]]))
    >>> fit = RobustLinearModel().fit(Y, design_basis(np.column_stack([np.ones(4), [0.0, 0.0, 1.0, 1.0]])))
    >>> (fit.sigma2[:, None, None] * fit.cov_unscaled)[0]
    array([[ 1., -1.],
           [-1.,  5.]])
    >>> fit.degrees.contrast_df(np.eye(2)).round(6)
    array([1., 2.])
    """

    kind: str = "auto"
    clusters: Sequence[Any] | NDArray[Any] | None = field(default=None, repr=False)
    df: str = "satterthwaite"

    def fit(self, Y: FeatureMatrix, basis: DesignBasis, *, sums: RegressionSums | None = None) -> RegressionFit:
        """Fit every feature; see `PrimaryModel.fit`.

        Raises
        ------
        MethodError
            For an unknown option, or a kind that does not go with clusters or with none.
        InputError
            If there is not one cluster label per sample.
        DegreesOfFreedomError
            If there are fewer than two clusters.
        """
        kind, labels = self.checked_kind(), self.labels(basis.n_samples)
        fit = fit_from_sums(basis, sums if sums is not None else design_pass(Y, basis))
        scores = sandwich_scores(basis, kind, labels)
        covariance, aliased = sandwich_covariance(Y, scores), list(basis.aliased)
        with np.errstate(invalid="ignore", divide="ignore"):
            covariance /= fit.sigma2[:, None, None]
        covariance[:, aliased], covariance[:, :, aliased] = np.nan, np.nan
        held = None if self.df == "satterthwaite" else float(basis.n_samples - basis.rank)
        return replace(fit, cov_unscaled=covariance, degrees=replace(scores, held_df=held))

    def of_observed(self, weights: FeatureMatrix | None = None) -> RobustWeightedModel:
        """Return the model for values some of which are missing, or that have a weight each.

        Parameters
        ----------
        weights : FeatureMatrix of shape (n_samples, n_features), optional
            Of the observations; 0 or NaN leaves one out.

        Returns
        -------
        RobustWeightedModel
        """
        return RobustWeightedModel(self, weights)

    def checked_kind(self) -> str:
        """Return the sandwich by name.

        Raises
        ------
        MethodError
            For an unknown option, or a kind that does not go with clusters or with none.
        """
        if self.df not in DEGREES:
            raise MethodError(f"df={self.df!r} is unknown; choose one of {', '.join(DEGREES)}.")
        if self.kind == "auto":
            return "hc2" if self.clusters is None else "cr2"
        allowed = SAMPLE_KINDS if self.clusters is None else CLUSTER_KINDS
        if self.kind not in allowed:
            where = "without clusters" if self.clusters is None else "with clusters"
            raise MethodError(f"kind={self.kind!r} is unknown {where}; choose 'auto' or one of {', '.join(allowed)}.")
        return self.kind

    def labels(self, n_samples: int) -> NDArray[np.intp] | None:
        """Return clusters as numbers from 0 in the order of their first samples.

        Raises
        ------
        InputError
            If there is not one cluster label per sample.
        DegreesOfFreedomError
            If there are fewer than two clusters.
        """
        if self.clusters is None:
            return None
        given = pd.Series(np.asarray(self.clusters).ravel())
        if len(given) != n_samples or given.isna().any():
            raise InputError(
                f"clusters= has {len(given)} values, {int(given.isna().sum())} of them missing, for {n_samples} "
                "samples; give one label per sample, and samples that belong to no cluster a label of their own."
            )
        labels = pd.factorize(given)[0].astype(np.intp)
        if labels.max(initial=-1) < 1:
            raise DegreesOfFreedomError(
                "All samples are in one cluster, which leaves nothing to estimate the errors from. Give at least two "
                "clusters (a dozen or more to be sure of their errors), or leave clusters= out."
            )
        return labels
