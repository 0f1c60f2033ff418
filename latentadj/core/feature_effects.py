"""Effects of samples that depend on what is known of the features: intensity, GC content, probe length, dye.

``Y = W A + X B + Gamma S' + E`` with a known basis S of functions of the features, and coefficients Gamma of every
sample. S takes the place that estimated loadings have in factor models, so that a sample's coefficients are a
regression over features, of its own values from what its covariates let expect.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lstsq, svd

from latentadj.core.kernels import ProjectionKernel, RegressionSums, ScoreKernel
from latentadj.core.matrix import AdjustedMatrix, Array, FeatureMatrix
from latentadj.core.null_features import BiologyEffects, NullFeatures, find_null_features, precision
from latentadj.core.passes import run_pass
from latentadj.core.regression import DesignBasis, design_basis, design_pass, is_constant
from latentadj.core.variance import VariancePrior, squeeze_variances

#: Singular values of indicators without the covariates below which levels are determined by these.
RANK_TOLERANCE = 1e-7


@dataclass(frozen=True, slots=True)
class SampleDesign:
    """What is known of the training samples.

    Attributes
    ----------
    nuisance : ndarray of shape (n_samples, r)
        Adjustment covariates with the intercept.
    biology : ndarray of shape (n_samples, p)
        Protected covariates; no columns if there are none.
    levels : ndarray of int, shape (n_samples,), or None
        Samples with the same code share their coefficients; None gives every sample its own.
    """

    nuisance: Array
    biology: Array
    levels: NDArray[np.intp] | None = None

    @property
    def nuisance_basis(self) -> DesignBasis:
        """Orthonormal basis of the adjustment covariates."""
        return design_basis(self.nuisance)

    @property
    def basis(self) -> DesignBasis:
        """Orthonormal basis of all covariates, the biology last."""
        return design_basis(np.hstack([self.nuisance, self.biology]))

    @property
    def memberships(self) -> Array:
        """Indicators ``(n_samples, n_levels)`` of the samples that share coefficients."""
        if self.levels is None:
            return np.eye(len(self.nuisance))
        return np.asarray(self.levels[:, None] == np.arange(self.levels.max() + 1), dtype=np.float64)

    def level_coefficients(self, scores: Array) -> Array:
        """Coefficients ``(n_levels, q)`` from regressions over features ``(n_samples, q)``.

        What the adjustment covariates explain of them is not the samples'. Of levels that the covariates do not
        tell apart, the smallest coefficients are taken.
        """
        left = self.nuisance_basis.project_out(scores)
        if self.levels is None:
            return left
        directions, sizes, weights = self._visible_levels()
        out: Array = weights @ ((directions.T @ left) / sizes[:, None])
        return out

    def sample_coefficients(self, scores: Array) -> Array:
        """The same for every sample, ``(n_samples, q)``."""
        found = self.level_coefficients(scores)
        return found if self.levels is None else found[self.levels]

    def reachable(self, directions: Array) -> Array:
        """The part of sample-space directions that effects of the samples can have, ``(n_samples, p)``."""
        if self.levels is None:
            return directions
        visible = self._visible_levels()[0]
        out: Array = visible @ (visible.T @ directions)
        return out

    def _visible_levels(self) -> tuple[Array, Array, Array]:
        """Singular vectors and values of the levels' indicators, without the covariates and what they determine."""
        left, sizes, right = svd(self.nuisance_basis.project_out(self.memberships), full_matrices=False)
        kept = sizes > RANK_TOLERANCE
        return left[:, kept], sizes[kept], right[kept].T


@dataclass(frozen=True, slots=True)
class SampleRule:
    """How the coefficients of any sample are read from its own values.

    Attributes
    ----------
    mean : ndarray of shape (n_features,)
        Training means.
    coefficients : ndarray of shape (n_features, q)
        Weights of the features, zero for those that are not null.
    expected : ndarray of shape (r, q)
        What the adjustment covariates let expect.
    """

    mean: Array
    coefficients: Array
    expected: Array

    def scores(self, Y: FeatureMatrix, nuisance: Array) -> Array:
        """Coefficients ``(n_samples, q)`` of samples with adjustment covariates ``(n_samples, r)``."""
        out: Array = _sums(Y, self.mean, self.coefficients) - nuisance @ self.expected
        return out


@dataclass(frozen=True)
class FeatureEffects:
    """Sample effects of a training set along a feature basis.

    Attributes
    ----------
    basis : ndarray of shape (n_features, q)
        Rows of features that do not vary are zero.
    rule : SampleRule
    level_coefficients : ndarray of shape (n_levels, q)
        Of the training samples, or of the levels that they share.
    nulls : NullFeatures
    df_cost : ndarray of shape (n_features,)
        Residual degrees of freedom that each feature loses.
    """

    basis: Array
    rule: SampleRule
    level_coefficients: Array
    nulls: NullFeatures
    df_cost: Array


def fit_feature_effects(
    Y: FeatureMatrix, basis: Array, design: SampleDesign, controls: NDArray[np.bool_] | None = None, max_iter: int = 100
) -> FeatureEffects:
    """Estimate the effects of samples along a feature basis, from features without an effect of the biology.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
    basis : ndarray of shape (n_features, q)
        Functions of the features, independent.
    design : SampleDesign
    controls : ndarray of bool, shape (n_features,), optional
        Features known to be null; estimated without them.
    max_iter : int, default=100
        Rounds of the search for null features.

    Returns
    -------
    FeatureEffects

    Notes
    -----
    Outside the span of the covariates no effect of the biology can interfere, and the coefficients are weighted
    regressions over all features. Once these are taken out the residual variances are right, and null features are
    found in the coordinates along the biology alone (`find_null_features`). Then every coefficient is estimated
    again from the null features, because that is what can be done for one new sample of unknown biology. The
    regression of feature j's part costs ``h_j (n - r)`` of its n - r degrees of freedom, with h_j its leverage in
    the regression over features: ``q (n - r)`` in total for all features together.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> rng = np.random.default_rng(0)
    >>> basis = np.column_stack([np.ones(300), np.linspace(-1, 1, 300)])
    >>> slopes = rng.normal(size=(10, 2))
    >>> Y = ArrayMatrix(slopes @ basis.T + 0.1 * rng.normal(size=(10, 300)))
    >>> found = fit_feature_effects(Y, basis, SampleDesign(np.ones((10, 1)), np.zeros((10, 0))))
    >>> bool(np.abs(found.level_coefficients - (slopes - slopes.mean(axis=0))).max() < 0.05)
    True
    """
    full = design.basis
    raw = design_pass(Y, full)
    constant = is_constant(raw, full.n_samples)
    basis = np.where(constant[:, None], 0.0, basis)
    first = _weighted(basis, precision(_moderated(raw, full)))
    scores = design.sample_coefficients(_sums(Y, raw.mean, first))
    left = AdjustedMatrix(Y, scores, basis)
    found = _biology_effects(left, full, design)
    nulls = _nulls(found, basis, controls, max_iter)
    weights = found.precision * nulls.mask
    coefficients = _weighted(basis, weights)
    sums = _sums(Y, raw.mean, coefficients)
    expected = lstsq(design.nuisance, sums)[0]
    cost = _leverage(basis, weights, found.precision) * (full.n_samples - design.nuisance_basis.rank)
    rule = SampleRule(raw.mean, coefficients, expected)
    return FeatureEffects(basis, rule, design.level_coefficients(sums), nulls, cost)


def _sums(Y: FeatureMatrix, mean: Array, coefficients: Array) -> Array:
    (out,) = run_pass(Y, ScoreKernel(Y.shape[0], coefficients, offset=mean))
    return np.asarray(out)


def _moderated(sums: RegressionSums, basis: DesignBasis) -> VariancePrior:
    df = basis.n_samples - basis.rank
    return squeeze_variances(np.where(is_constant(sums, basis.n_samples), 0.0, sums.rss / df), df)


def _inverse_root(basis: Array, weights: Array) -> Array:
    """Return M with ``M M'`` the inverse of the basis' weighted moments, ``(q, rank)``."""
    factored = design_basis(basis * np.sqrt(weights)[:, None])
    out = np.zeros((basis.shape[1], factored.rank))
    out[list(factored.kept)] = factored.r_inverse
    return out


def _weighted(basis: Array, weights: Array) -> Array:
    """Coefficients ``(n_features, q)`` of weighted least squares over features."""
    inverse = _inverse_root(basis, weights)
    out: Array = (basis * weights[:, None]) @ inverse @ inverse.T
    return out


def _leverage(basis: Array, weights: Array, precisions: Array) -> Array:
    """Variance of each feature's fitted part in units of its own, ``(n_features,)``."""
    half = basis @ _inverse_root(basis, weights)
    out: Array = np.einsum("mq,mq->m", half, half) * precisions
    return out


def _biology_effects(Y: FeatureMatrix, full: DesignBasis, design: SampleDesign) -> BiologyEffects:
    directions = full.q[:, design.nuisance_basis.rank :]
    sums = design_pass(Y, full)
    effects = sums.effects[:, design.nuisance_basis.rank :]
    reachable = effects
    if design.levels is not None:
        (reachable,) = run_pass(Y, ProjectionKernel(design.reachable(directions), Y.shape[1]))
    return BiologyEffects(effects, reachable, _moderated(sums, full))


def _nulls(found: BiologyEffects, basis: Array, controls: NDArray[np.bool_] | None, max_iter: int) -> NullFeatures:
    usable = found.precision > 0
    untested = np.full(len(usable), np.nan)
    if controls is not None:
        mask = usable & controls
        return NullFeatures(mask, untested, float(np.mean(mask)), 0, True)
    if found.effects.shape[1] == 0:
        return NullFeatures(usable, untested, 1.0, 0, True)
    return find_null_features(found, basis, max_iter)
