"""Data sets made from a result by rearranging its residuals: what a whole analysis is run on again."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from latentadj.core.matrix import Array, collect
from latentadj.core.regression import design_basis
from latentadj.core.resampling import inflation
from latentadj.core.resampling_draws import multipliers, permutations, resamples, rotations, signs
from latentadj.design import Design
from latentadj.exceptions import MethodError
from latentadj.resampling.subject import Subject, is_linear_scale, subject_of
from latentadj.results import AdjustmentResult

Labels = NDArray[np.intp]


@dataclass(frozen=True)
class Replicates:
    """Rearranged residuals on top of what a model fits.

    Attributes
    ----------
    fitted, residual : ndarray of shape (n_samples, n_features)
        Of the model, with the factors in it; residuals have the variance of the noise.
    left : ndarray of shape (n_samples, f)
        Orthonormal basis of what that model leaves.
    scheme : str
    groups : ndarray of int, shape (n_samples,), or None
        Samples that are exchanged, or multiplied, together.
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
        values = self.fitted + self._rearranged(rng)
        whitening = self.result.estimate.whitening
        return values if whitening is None else whitening.undo(values)

    def _rearranged(self, rng: np.random.Generator) -> Array:
        """Residuals in other places, or multiplied, ``(n_samples, n_features)``."""
        n, f = self.left.shape
        together = np.arange(n) if self.groups is None else self.groups
        if self.scheme == "rotation":
            turned: Array = rotations(1, f, self.left, rng)[0].T @ (self.left.T @ self.residual)
            return turned
        if self.scheme in ("sign_flip", "wild"):
            draw = signs if self.scheme == "sign_flip" else multipliers
            multiplied: Array = draw(1, together, rng)[0][:, None] * self.residual
            return multiplied
        order = resamples(1, n, rng) if self.scheme == "residual" else permutations(1, n, rng, self.groups)
        moved: Array = self.residual[order[0]]
        return moved


def null_replicates(result: AdjustmentResult, scheme: str, groups: Labels | None) -> Replicates:
    """Split the data of a result into what the null model of all primary columns fits, and what it leaves.

    Parameters
    ----------
    result : AdjustmentResult
    scheme : {"freedman_lane", "sign_flip", "rotation"}
    groups : ndarray of int, shape (n_samples,), optional

    Returns
    -------
    Replicates
        Of the model with the nuisance columns and the factors and without the primary ones.

    Raises
    ------
    MethodError
        The method works on another scale than that of its input.
    """
    subject = subject_of(result)
    primary = {i for i, role in enumerate(result.design.roles) if role == "primary"}
    null = design_basis(subject.design[:, [i for i in range(subject.design.shape[1]) if i not in primary]])
    return replicates(result, subject, null.q, scheme, groups)


def replicates(
    result: AdjustmentResult, subject: Subject, kept: Array, scheme: str, groups: Labels | None
) -> Replicates:
    """Split the data of a result into what a model fits, and what it leaves.

    Parameters
    ----------
    result : AdjustmentResult
    subject : Subject
        Of the result.
    kept : ndarray of shape (n_samples, r)
        Orthonormal basis of the model, within the design with the factors.
    scheme : {"freedman_lane", "sign_flip", "rotation", "wild", "residual"}
    groups : ndarray of int, shape (n_samples,), optional

    Returns
    -------
    Replicates

    Raises
    ------
    MethodError
        The method works on another scale than that of its input.
    """
    if not is_linear_scale(result):
        raise MethodError(
            "The method turns its input to another scale, on which residuals are rearranged; the result could not be "
            "analysed again. Use permutation_test with scheme='labels', or give log counts to a method for the linear "
            "scale."
        )
    values = collect(subject.matrix)
    # a constant feature must not become one of round-off, which looks like any other once it is scaled
    fitted = np.where(subject.usable, kept @ (kept.T @ values), values)
    scale = 1.0 if scheme == "rotation" else inflation(kept)
    left = np.linalg.qr(kept, mode="complete")[0][:, kept.shape[1] :]
    return Replicates(fitted, scale * (values - fitted), left, scheme, groups, result)


def with_permuted_primary(design: Design, order: Labels) -> Design:
    """Return a design whose primary columns belong to other samples; the nuisance columns stay."""
    primary = [i for i, role in enumerate(design.roles) if role == "primary"]
    matrix = design.matrix.copy()
    matrix[:, primary] = matrix[order][:, primary]
    return replace(design, matrix=matrix)
