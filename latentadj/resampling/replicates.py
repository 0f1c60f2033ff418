"""Data sets in which nothing is true, made from a result: what a whole analysis is run on again."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from latentadj.core.matrix import Array, collect
from latentadj.core.regression import design_basis
from latentadj.core.resampling import inflation
from latentadj.core.resampling_draws import permutations, rotations, signs
from latentadj.design import Design
from latentadj.exceptions import MethodError
from latentadj.resampling.subject import is_linear_scale, subject_of
from latentadj.results import AdjustmentResult

Labels = NDArray[np.intp]


@dataclass(frozen=True)
class NullReplicates:
    """Rearranged residuals on top of what the null model fits.

    Attributes
    ----------
    fitted, residual : ndarray of shape (n_samples, n_features)
        Of the model with the nuisance columns and the factors and without the primary ones, which is the null;
        residuals have the variance of the noise.
    left : ndarray of shape (n_samples, f)
        Orthonormal basis of what that model leaves.
    scheme : str
    groups : ndarray of int, shape (n_samples,), or None
        Samples that are exchanged, or change sign, together.
    result : AdjustmentResult
        Which all of this was made from.
    """

    fitted: Array
    residual: Array
    left: Array
    scheme: str
    groups: Labels | None
    result: AdjustmentResult

    def draw(self, rng: np.random.Generator) -> Array:
        """Return one data set ``(n_samples, n_features)``."""
        n, f = self.left.shape
        if self.scheme == "rotation":
            turned = rotations(1, f, self.left, rng)[0].T
            values = self.fitted + turned @ (self.left.T @ self.residual)
        elif self.scheme == "sign_flip":
            groups = np.arange(n) if self.groups is None else self.groups
            values = self.fitted + signs(1, groups, rng)[0][:, None] * self.residual
        else:
            order = permutations(1, n, rng, self.groups)[0]
            values = self.fitted + self.residual[order]
        whitening = self.result.estimate.whitening
        return values if whitening is None else whitening.undo(values)


def null_replicates(result: AdjustmentResult, scheme: str, groups: Labels | None) -> NullReplicates:
    """Split the data of a result into what the null model fits and what it leaves.

    Parameters
    ----------
    result : AdjustmentResult
    scheme : {"freedman_lane", "sign_flip", "rotation"}
    groups : ndarray of int, shape (n_samples,), optional

    Returns
    -------
    NullReplicates

    Raises
    ------
    MethodError
        The method works on another scale than that of its input.
    """
    subject = subject_of(result)
    if not is_linear_scale(result):
        raise MethodError(
            "The method turns its input to another scale, on which residuals are rearranged; the result could not be "
            "analysed again. Use scheme='labels', or give log counts to a method for the linear scale."
        )
    primary = {i for i, role in enumerate(result.design.roles) if role == "primary"}
    null = design_basis(subject.design[:, [i for i in range(subject.design.shape[1]) if i not in primary]])
    values = collect(subject.matrix)
    fitted = null.q @ (null.q.T @ values)
    scale = 1.0 if scheme == "rotation" else inflation(null.q)
    return NullReplicates(fitted, scale * (values - fitted), null.complement(), scheme, groups, result)


def with_permuted_primary(design: Design, order: Labels) -> Design:
    """Return a design whose primary columns belong to other samples; the nuisance columns stay."""
    primary = [i for i, role in enumerate(design.roles) if role == "primary"]
    matrix = design.matrix.copy()
    matrix[:, primary] = matrix[order][:, primary]
    return replace(design, matrix=matrix)
