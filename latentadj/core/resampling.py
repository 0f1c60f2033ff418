"""t and F statistics of rearranged residuals, for all features and many draws by matrix products.

A draw shares one linear map V of the residuals among all features. The statistic of ``V r`` needs its coordinates along
the directions of the design, ``(V' q)' r``: the directions of many draws form one matrix, and each block of features
is multiplied by it once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latentadj.core.matrix import Array
from latentadj.core.pass_kernel import PassKernel
from latentadj.core.regression import design_basis
from latentadj.core.resampling_draws import Draws

__all__ = ["NullGeometry", "ResamplingKernel", "VarianceRule", "inflation", "null_geometry"]

#: Coordinates that are formed at a time in one block, so that they stay in the processor's cache.
COORDINATES = 1 << 17


@dataclass(frozen=True, slots=True)
class NullGeometry:
    """A design split into what stays under a null hypothesis and what is tested.

    Attributes
    ----------
    reduced : ndarray of shape (n_samples, r)
        Orthonormal basis of the design where the contrasts are zero.
    tested : ndarray of shape (n_samples, q)
        Orthonormal rest of the design.
    length : float
        For a single contrast, its estimate per unit of the coordinate along `tested`.
    df_resid : float
    """

    reduced: Array
    tested: Array
    length: float
    df_resid: float

    @property
    def full(self) -> Array:
        """Orthonormal basis of the whole design, ``(n_samples, r + q)``."""
        return np.concatenate([self.tested, self.reduced], axis=1)

    def left(self) -> Array:
        """Orthonormal basis ``(n_samples, n_samples - r)`` of what the null model leaves."""
        whole: Array = np.linalg.qr(self.reduced, mode="complete")[0]
        return whole[:, self.reduced.shape[1] :]


def null_geometry(design: Array, contrasts: Array) -> NullGeometry:
    """Split a design by the hypothesis that contrasts of its coefficients are zero.

    Parameters
    ----------
    design : ndarray of shape (n_samples, d)
    contrasts : ndarray of shape (d, q)
        Estimable and linearly independent.

    Returns
    -------
    NullGeometry

    Examples
    --------
    >>> parts = null_geometry(np.column_stack([np.ones(4), [0.0, 0, 1, 1]]), np.array([[0.0], [1.0]]))
    >>> parts.tested.ravel(), parts.length
    (array([-0.5, -0.5,  0.5,  0.5]), 1.0)
    """
    basis = design_basis(design)
    weights = basis.r_inverse.T @ contrasts[list(basis.kept)]
    rotation, triangle = np.linalg.qr(weights, mode="complete")
    q = contrasts.shape[1]
    turn = np.where(np.diag(triangle[:q]) < 0, -1.0, 1.0)
    tested = basis.q @ rotation[:, :q] * turn
    length = float(abs(triangle[0, 0])) if q == 1 else float("nan")
    return NullGeometry(basis.q @ rotation[:, q:], tested, length, float(basis.n_samples - basis.rank))


@dataclass(frozen=True, slots=True)
class VarianceRule:
    """Residual variances moderated by a prior that is held.

    Attributes
    ----------
    df_prior, s2_prior : float or ndarray of shape (n_features,)
        0 degrees of freedom for variances as they are.
    """

    df_prior: float | Array = 0.0
    s2_prior: float | Array = 1.0

    def moderated(self, rss: Array, df: float, columns: slice) -> Array:
        """Return variances ``(..., width)`` for residual sums of squares of the features of a block."""
        df_prior = self.df_prior[columns] if isinstance(self.df_prior, np.ndarray) else self.df_prior
        s2_prior = self.s2_prior[columns] if isinstance(self.s2_prior, np.ndarray) else self.s2_prior
        with np.errstate(invalid="ignore"):
            share = np.where(np.isinf(df_prior), 1.0, df_prior / (df_prior + df))
        prior_part = np.where(share > 0, share * s2_prior, 0.0)
        out: Array = prior_part + (1.0 - share) * rss / df
        return out


def inflation(removed: Array) -> float:
    """Factor that gives residuals the variance of the noise, for an orthonormal basis ``(n, r)`` of what they lost.

    Examples
    --------
    >>> inflation(np.full((4, 1), 0.5)) ** 2
    1.3333333333333333
    """
    n, r = removed.shape
    return float(np.sqrt(n / max(n - r, 1)))


class ResamplingKernel(PassKernel):
    """Statistics of every draw for all features, for `run_pass`.

    Parameters
    ----------
    geometry : NullGeometry
    draws : Draws
    n_features : int
    variances : VarianceRule
    null_imposed : bool, default=True
        Rearrange what the null model leaves; otherwise what the whole design leaves, for the distribution of the
        estimate about the truth.
    inflated : bool, default=True
        Make up for the variance that residuals lost to the fit. Needed where they leave the space that the fit left
        them, which rotations do not; it matters beside a prior variance.
    level : float, optional
        Keep only this quantile of the statistics' absolute values over the draws, for each feature.

    Notes
    -----
    Freedman and Lane (1983), J Business and Economic Statistics 1:292, for permutations: residuals of the null model
    are rearranged, added to its fit, and the whole design is fitted again; the fit of the null model drops out. With z
    the rearranged residuals, the statistic is ``|u'z|^2 / q`` over ``(|z|^2 - |q0'z|^2 - |u'z|^2) / df``.
    """

    reads = {"variances.df_prior": 0, "variances.s2_prior": 0}
    rows = {"kept": 1}

    def __init__(
        self,
        geometry: NullGeometry,
        draws: Draws,
        n_features: int,
        variances: VarianceRule,
        *,
        null_imposed: bool = True,
        inflated: bool = True,
        level: float | None = None,
    ) -> None:
        self.geometry = geometry
        self.draws = draws
        self.variances = variances
        self.removed = geometry.reduced if null_imposed else geometry.full
        self.scale = inflation(self.removed) if inflated else 1.0
        self.level = level
        self.kept = np.empty((draws.n_draws if level is None else 1, n_features))

    def update(self, block: Array, columns: slice) -> None:
        """Write the statistics of one block's features."""
        residual = self.scale * (block - self.removed @ (self.removed.T @ block))
        out = self.kept[:, columns] if self.level is None else np.empty((self.draws.n_draws, block.shape[1]))
        squares, total = np.square(residual), np.einsum("ij,ij->j", residual, residual)
        k = self.geometry.full.shape[1]
        step = max(COORDINATES // (k * max(block.shape[1], 1)), 1)
        for first in range(0, self.draws.n_draws, step):
            span = slice(first, min(first + step, self.draws.n_draws))
            out[span] = self._statistics(residual, squares, total, span, columns)
        if self.level is not None:
            self.kept[0, columns] = np.quantile(np.abs(out), self.level, axis=0, method="higher")

    def _statistics(self, residual: Array, squares: Array, total: Array, span: slice, columns: slice) -> Array:
        """Statistics ``(c, width)`` of some draws, signed for a single contrast, roots of F for several."""
        directions, counted = self.draws.directions(span, self.geometry.tested, self.geometry.reduced)
        c, k, n = directions.shape
        q = self.geometry.tested.shape[1]
        coordinates = (directions.reshape(c * k, n) @ residual).reshape(c, k, -1)
        length2 = total if counted is None else counted @ squares
        rss = length2 - np.einsum("ckm,ckm->cm", coordinates, coordinates)
        variance = self.variances.moderated(np.maximum(rss, 0.0), self.geometry.df_resid, columns)
        with np.errstate(invalid="ignore", divide="ignore"):
            if q == 1:
                signed: Array = coordinates[:, 0] / np.sqrt(variance)
                return signed
            joint: Array = np.sqrt(np.einsum("ckm,ckm->cm", coordinates[:, :q], coordinates[:, :q]) / (q * variance))
            return joint

    def result(self) -> Array:
        """Return the statistics ``(n_draws, n_features)``, or their quantile ``(1, n_features)``."""
        return self.kept
