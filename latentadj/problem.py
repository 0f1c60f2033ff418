"""The frozen input that every later stage works on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import inv

from latentadj.core.kernels import ProjectionKernel, RegressionSums
from latentadj.core.matrix import Array, FeatureMatrix, PrecisionScaledResiduals
from latentadj.core.passes import run_pass
from latentadj.core.regression import DesignBasis, RegressionFit, design_basis, design_pass, is_constant
from latentadj.core.spectrum import ResidualSpectrum, residual_spectrum, safe_to_project_last
from latentadj.core.whitening import WhitenedMatrix, Whitening
from latentadj.design import Design
from latentadj.exceptions import MethodError
from latentadj.models import LinearModel, PrimaryModel, WeighableModel, WeighingModel


@dataclass(frozen=True)
class AdjustmentProblem:
    """Data, design and controls of one study; decompositions are made once and kept.

    Parameters
    ----------
    matrix : FeatureMatrix of shape (n_samples, n_features)
    design : Design
        Nuisance columns first, then primary columns.
    controls : ndarray of bool, shape (n_features,), optional
        Negative controls.
    model : PrimaryModel, default=LinearModel()
    annotations : mapping of str to object
        What else the method was told about the samples, by the name of its parameter: replicate labels, say.
    whitening : Whitening, optional
        How the samples of `raw` were mapped to make this problem; see `whitened`.
    raw : AdjustmentProblem, optional
        The problem before its samples were mapped.
    target : AdjustmentProblem, optional
        The problem that features are fitted in, where that is not this one: counts, say, or values some of which
        are missing, when factors are estimated from log counts or from completed values.

    Notes
    -----
    In the notation of the method papers, ``Y = B X + G W + A Z + E``; `basis` is the orthonormal basis
    ``[Q_W Q_X]`` of the design and its complement ``Q_perp`` holds what factors are estimated from.
    """

    matrix: FeatureMatrix
    design: Design
    controls: NDArray[np.bool_] | None = None
    model: PrimaryModel = field(default_factory=LinearModel)
    annotations: Mapping[str, Any] = field(default_factory=dict)
    whitening: Whitening | None = None
    raw: AdjustmentProblem | None = None
    target: AdjustmentProblem | None = None

    def whitened(self, whitening: Whitening) -> AdjustmentProblem:
        """Return the same problem after a linear map of the samples, of the data and the design alike."""
        return AdjustmentProblem(
            WhitenedMatrix(self.matrix, whitening),
            replace(self.design, matrix=whitening.apply(self.design.matrix)),
            self.controls,
            self.model,
            self.annotations,
            whitening.after(self.whitening),
            self.raw or self,
            self.target,
        )

    def weighed(self, whitening: Whitening | None) -> AdjustmentProblem:
        """Return the same problem with the map of the samples left to the model.

        Raises
        ------
        MethodError
            For models whose variances follow from their means.
        """
        if whitening is None:
            return self
        if not isinstance(self.model, WeighableModel):
            raise MethodError(
                f"Weights or a covariance of the samples are for least squares, and features are fitted by "
                f"{type(self.model).__name__} here. Leave them out, or use model='voom' for counts."
            )
        return replace(self, model=self.model.whitened(whitening))

    @property
    def fitted(self) -> AdjustmentProblem:
        """The problem that features are fitted in: the target under this problem's map, or this problem."""
        return self if self.target is None else self._fitted_target

    @cached_property
    def _fitted_target(self) -> AdjustmentProblem:
        """The target under this problem's map; a problem that kept itself would stay in memory."""
        return self if self.target is None else self.target.weighed(self.whitening)

    def with_precision(self) -> AdjustmentProblem:
        """Return the problem whose noise is to be looked at: residuals, scaled where observations have weights."""
        if self.target is None or not isinstance(self.target.model, WeighingModel):
            return self
        weights = self.target.model.precision(self.target.matrix, design_basis(self.target.design.matrix))
        if weights is None:
            return self
        return replace(self, matrix=PrecisionScaledResiduals(self.matrix, self.basis.q, weights))

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return self.matrix.shape[0]

    @property
    def n_features(self) -> int:
        """Number of features."""
        return self.matrix.shape[1]

    @property
    def df_resid(self) -> int:
        """Residual degrees of freedom of the design without factors."""
        return self.n_samples - self.basis.rank

    @cached_property
    def basis(self) -> DesignBasis:
        """Orthonormal basis of the whole design."""
        return design_basis(self.design.matrix)

    @cached_property
    def nuisance_basis(self) -> DesignBasis:
        """Orthonormal basis of the nuisance columns."""
        return design_basis(self.design.nuisance)

    @cached_property
    def sums(self) -> RegressionSums:
        """Coordinates of every feature in `basis`, with residual and total sums of squares; one pass."""
        return design_pass(self.matrix, self.basis)

    @cached_property
    def fit(self) -> RegressionFit:
        """The primary model without factors."""
        return self.fit_design(self.basis, self.sums)

    def fit_design(self, basis: DesignBasis, sums: RegressionSums | None = None) -> RegressionFit:
        """Fit the primary model to every feature for another design; one pass unless `sums` are given."""
        fit = self.model.fit(self.matrix, basis, sums=sums)
        return fit if self.raw is None else replace(fit, mean=self.raw.sums.mean, constant=self.constant)

    @cached_property
    def spectrum(self) -> ResidualSpectrum:
        """Spectrum of the residuals from the whole design; one pass."""
        return residual_spectrum(self.matrix, self.basis, project_last=safe_to_project_last(self.sums))

    @property
    def basis_to_remove(self) -> Array | None:
        """Design basis to take out of features before their products; None where the finished Gram matrix will do."""
        return None if safe_to_project_last(self.sums) else self.basis.q

    @cached_property
    def unit_weights(self) -> Array:
        """One over each feature's residual standard deviation, 0 where it does not vary; (n_features,)."""
        variance = self.sums.rss / max(self.df_resid, 1)
        usable = ~self.constant & (self.sums.rss > 1e-24 * self.sums.tss) & (variance > 0)
        return np.divide(1.0, np.sqrt(variance), out=np.zeros_like(variance), where=usable)

    @cached_property
    def unit_spectrum(self) -> ResidualSpectrum:
        """Spectrum of the residuals scaled to unit variance; one pass."""
        last = safe_to_project_last(self.sums)
        return residual_spectrum(self.matrix, self.basis, weights=self.unit_weights, project_last=last)

    @cached_property
    def constant(self) -> NDArray[np.bool_]:
        """Features that do not vary, shape (n_features,)."""
        if self.raw is not None:
            return self.raw.constant
        return np.asarray(is_constant(self.sums, self.n_samples))

    @property
    def level(self) -> Array | None:
        """What a map of the samples made of the constant, of unit length; None where it stayed one."""
        if self.whitening is None:
            return None
        constant = self.whitening.constant
        return None if np.ptp(constant) < 1e-10 else constant

    @property
    def n_nuisance(self) -> int:
        """Rank of the nuisance part: leading columns of ``basis.q``."""
        return self.nuisance_basis.rank

    @cached_property
    def primary_residual(self) -> Array:
        """Primary columns with the nuisance part removed, ``(n_samples, n_primary)``."""
        return self.nuisance_basis.project_out(self.design.primary)

    @property
    def naive_effects(self) -> Array:
        """Primary coefficients without factors, ``(n_features, n_primary)``."""
        return self.fit.coef[:, self.primary_columns]

    @property
    def primary_columns(self) -> list[int]:
        """Positions of the primary columns in the design."""
        return [i for i, role in enumerate(self.design.roles) if role == "primary"]

    @cached_property
    def primary_unscaled(self) -> Array:
        """``(X' X)^-1`` of the primary columns after the nuisance part, ``(n_primary, n_primary)``."""
        return np.asarray(inv(self.primary_residual.T @ self.primary_residual))

    def project(self, directions: Array) -> Array:
        """Return ``Y' V`` for directions ``(n_samples, k)`` orthogonal to the constant or not; one pass."""
        kernel = ProjectionKernel(directions, self.n_features)
        (coordinates,) = run_pass(self.matrix, kernel)
        out: Array = coordinates
        return out
