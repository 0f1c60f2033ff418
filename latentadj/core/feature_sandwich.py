"""Sandwich covariances where every feature has weights or gaps of its own, and their degrees of freedom.

On rows scaled by root weights a feature's regression is one of equal weights, and its sandwich that of
`latentadj.core.sandwich`, with the leverages of its own design.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from latentadj.core.feature_fits import checked_weights, observed, only
from latentadj.core.matrix import Array, FeatureMatrix
from latentadj.core.pass_kernel import PassKernel
from latentadj.core.passes import run_pass
from latentadj.core.regression import design_basis
from latentadj.core.sandwich import UNSEEN
from latentadj.core.stacked_bases import Rows
from latentadj.core.stacked_scores import StackedScores, stacked_scores

__all__ = ["FeatureSandwich", "FeatureSandwichKernel", "feature_sandwich", "feature_sandwich_covariance"]

#: Bytes of the largest temporary.
_CHUNK_BYTES = 1 << 24


@dataclass(frozen=True, slots=True)
class FeatureSandwich:
    """What the sandwich covariances of features with weights or gaps need, and their degrees of freedom.

    Attributes
    ----------
    design : ndarray of shape (n_samples, d)
        Rows scaled by the root weights of the samples, where these have any.
    columns : ndarray of int, shape (r,)
        Columns that are independent with all rows.
    weights : ndarray of bool or float, shape (u, n_samples)
        The different weightings of the observations, 0 for those that are left out.
    member : ndarray of int, shape (n_features,)
        Which of them is each feature's.
    kind : str
        As in `sandwich_scores`.
    clusters : ndarray of int, shape (n_samples,)
        Cluster of each sample, 0 to G - 1.
    held_df : ndarray of shape (n_features,) or None
        Degrees of freedom to use in place of those of the quadratic form.

    Notes
    -----
    Degrees of freedom are those of `SandwichScores`, feature by feature: of a quadratic form in noise whose variances
    are one over the weights.
    """

    design: Array
    columns: Rows
    weights: NDArray[Any]
    member: Rows
    kind: str
    clusters: Rows
    held_df: Array | None = None

    def scores(self, chosen: Rows) -> Iterator[tuple[Rows, StackedScores]]:
        """Prepare some of the weightings; every one is in one of the stacks, whose ``rows`` are places in `chosen`."""
        n, r = self.design.shape[0], max(len(self.columns), 1)
        width = max(int(_CHUNK_BYTES // (8 * n * r)), 1)
        for start in range(0, len(chosen), width):
            places = np.arange(start, min(start + width, len(chosen)))
            roots = np.sqrt(self.weights[chosen[places]].astype(np.float64))
            for stack in stacked_scores(self.design, roots, tuple(self.columns.tolist()), self.kind, self.clusters):
                yield places[stack.bases.rows], stack

    def contrast_df(self, contrasts: Array) -> Array:
        """Satterthwaite degrees of freedom ``(n_features, c)`` of the variances of contrasts ``(d, c)``.

        NaN where a contrast cannot be estimated, or one observation or cluster alone decides it.
        """
        out = np.full((len(self.weights), contrasts.shape[1]), np.nan)
        for places, stack in self.scores(np.arange(len(self.weights))):
            for i in range(contrasts.shape[1]):
                seen = stack.share_unseen(contrasts[:, [i]]) <= UNSEEN
                out[places, i] = np.where(seen, 1.0 if self.held_df is not None else np.nan, np.nan)
                if self.held_df is None and seen.any():
                    moments = stack.moments(contrasts[:, [i]])
                    df = 2.0 * moments.mean[:, 0, 0] ** 2 / moments.variance[:, 0, 0]
                    out[places, i] = np.where(seen, df, np.nan)
        return out[self.member] if self.held_df is None else out[self.member] * self.held_df[:, None]

    def joint_df(self, contrasts: Array) -> Array:
        """Degrees of freedom ``(n_features,)`` of the covariance matrices of contrasts, as those of Wishart matrices.

        See `SandwichScores.joint_df`; NaN where the covariance cannot be inverted.
        """
        c = contrasts.shape[1]
        out = np.full(len(self.weights), np.nan)
        for places, stack in self.scores(np.arange(len(self.weights)) if c else np.empty(0, dtype=np.intp)):
            regular = (stack.n_clusters > c) & (stack.share_unseen(contrasts) <= UNSEEN)
            if self.held_df is not None:
                out[places] = np.where(regular, 1.0, np.nan)
            elif regular.any():
                out[places] = np.where(regular, stack.wishart_df(contrasts, regular), np.nan)
        return out[self.member] if self.held_df is None else out[self.member] * self.held_df

    def flipped(self, flips: Array) -> Self:
        """Return the same for design columns multiplied by ``flips`` (d,), each 1 or -1."""
        return replace(self, design=self.design * flips)


class _WeightingKernel(PassKernel):
    """Collect which observations of every feature count, and how much, for `run_pass`."""

    reads = {"weights": 1}
    rows = {"kept": 1}

    def __init__(self, shape: tuple[int, int], weights: FeatureMatrix | None, factors: Array) -> None:
        self.weights, self.in_use = weights, factors[:, None] > 0
        self.kept = np.empty(shape, dtype=bool if weights is None else np.float64)

    def update(self, block: Array, columns: slice) -> None:
        """Write the weights of one block's features."""
        given = None if self.weights is None else checked_weights(self.weights.read(columns))
        seen = observed(block, given) & self.in_use
        self.kept[:, columns] = seen if given is None else only(given, seen)

    def result(self) -> NDArray[Any]:
        """Return the weights ``(n_samples, n_features)``."""
        return self.kept


def feature_sandwich(
    Y: FeatureMatrix,
    design: Array,
    kind: str,
    clusters: Rows | None = None,
    weights: FeatureMatrix | None = None,
    factors: Array | None = None,
) -> FeatureSandwich:
    """Prepare sandwich covariances for features with weights or gaps, in one pass.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
        NaN marks missing values.
    design : ndarray of shape (n_samples, d)
    kind : {"hc0", "hc1", "hc2", "hc3", "cr0", "cr1", "cr2", "cr3"}
        As in `sandwich_scores`.
    clusters : ndarray of int, shape (n_samples,), optional
    weights : FeatureMatrix of shape (n_samples, n_features), optional
        Of the observations; 0 or NaN leaves one out.
    factors : ndarray of shape (n_samples,), optional
        Root weights of the samples.

    Returns
    -------
    FeatureSandwich

    Raises
    ------
    InputError
        If a weight is negative or infinite.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> Y = np.array([[1.0, 1.0], [2.0, np.nan], [3.0, 4.0], [6.0, 5.0], [4.0, 8.0], [9.0, 6.0]])
    >>> X = np.column_stack([np.ones(6), [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]])
    >>> feature_sandwich(ArrayMatrix(Y), X, "hc2").contrast_df(np.eye(2)[:, 1:]).round(3)
    array([[4.   ],
           [2.273]])
    """
    n = len(design)
    in_use = np.ones(n) if factors is None else factors
    scaled = design * in_use[:, None]
    kept = np.array(design_basis(scaled).kept, dtype=np.intp)
    found = run_pass(Y, _WeightingKernel(Y.shape, weights, in_use))[0].T
    member = np.arange(len(found))
    if weights is None:
        packed, member = np.unique(np.packbits(found, axis=1), axis=0, return_inverse=True)
        found = np.unpackbits(packed, axis=1, count=n).astype(bool)
    labels = np.arange(n) if clusters is None else clusters
    return FeatureSandwich(scaled, kept, np.ascontiguousarray(found), member.reshape(-1), kind, labels)


class FeatureSandwichKernel(PassKernel):
    """Sandwich covariances of every feature's coefficients, for `run_pass`.

    Parameters
    ----------
    sandwich : FeatureSandwich
    factors : ndarray of shape (n_samples,)
        Root weights of the samples.
    """

    reads = {"sandwich.member": 0}
    rows = {"covariance": 0}

    def __init__(self, sandwich: FeatureSandwich, factors: Array) -> None:
        d = sandwich.design.shape[1]
        self.sandwich, self.factors = sandwich, factors
        self.covariance = np.full((len(sandwich.member), d, d), np.nan)

    def carved(self, columns: slice) -> Self:
        """Return a kernel of its own for the features of a slice, with the weightings that they have."""
        twin = super().carved(columns)
        chosen, member = np.unique(self.sandwich.member[columns], return_inverse=True)
        twin.sandwich = replace(self.sandwich, weights=self.sandwich.weights[chosen], member=member, held_df=None)
        return twin

    def update(self, block: Array, columns: slice) -> None:
        """Write the covariances of one block's features."""
        member = self.sandwich.member[columns]
        chosen, own = np.unique(member, return_inverse=True)
        mapped = np.where(np.isnan(block), 0.0, block) * self.factors[:, None]
        values = mapped.T * np.sqrt(self.sandwich.weights[member].astype(np.float64))
        features = np.arange(len(self.covariance))[columns]
        for places, stack in self.sandwich.scores(chosen):
            order = np.full(len(chosen), -1)
            order[places] = np.arange(len(places))
            here = np.flatnonzero(order[own] >= 0)
            kept = np.array(stack.bases.kept, dtype=np.intp)
            found = stack.covariances(values[here], order[own[here]])
            self.covariance[features[here][:, None, None], kept[:, None], kept] = found

    def result(self) -> Array:
        """Return the covariances ``(n_features, d, d)``."""
        return self.covariance


def feature_sandwich_covariance(Y: FeatureMatrix, sandwich: FeatureSandwich, factors: Array | None = None) -> Array:
    """Covariance matrices of all features' coefficients, in one pass.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
    sandwich : FeatureSandwich
        Of the same data.
    factors : ndarray of shape (n_samples,), optional
        Root weights of the samples.

    Returns
    -------
    ndarray of shape (n_features, d, d)
        NaN for columns that a feature's observations cannot tell.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> Y = ArrayMatrix(np.array([[1.0], [3.0], [4.0], [8.0], [np.nan]]))
    >>> X = np.column_stack([np.ones(5), [0.0, 0.0, 1.0, 1.0, 1.0]])
    >>> feature_sandwich_covariance(Y, feature_sandwich(Y, X, "hc2"))[0]
    array([[ 1., -1.],
           [-1.,  5.]])
    """
    scale = np.ones(Y.shape[0]) if factors is None else factors
    covariance: Array = run_pass(Y, FeatureSandwichKernel(sandwich, scale))[0]
    return covariance
