"""Supervised normalisation as first published: random intensity-dependent curves, fitted to averages over bins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentadj.core.curve_mixed_model import BinAverages, CurveModel, fit_curves
from latentadj.core.kernels import ScoreKernel
from latentadj.core.matrix import Array, FeatureMatrix, FeatureView
from latentadj.core.passes import run_pass
from latentadj.core.regression import DesignBasis, design_basis, design_pass
from latentadj.core.smoothing import natural_spline_basis
from latentadj.core.tails import f_upper_p
from latentadj.exceptions import InputError

#: Bins of features, the shares of features outside them, and features in a bin of full weight.
N_BINS = 20
OUTSIDE = 0.001
FULL_BIN = 50
#: Bins that a curve with four degrees of freedom needs.
MIN_BINS = 5
#: Units of intensity beyond the bins at which curves become straight.
MARGIN = 1.0
#: Cut-offs at which the share of null features is estimated; the smallest estimate counts.
CUTOFFS: Array = np.linspace(0.0, 0.9, 19)


@dataclass(frozen=True, slots=True)
class IntensityBins:
    """Bins of null features and the curves' knots.

    Attributes
    ----------
    averaging : ndarray of shape (n_features, n_bins)
        Columns sum to one.
    weights : ndarray of shape (n_bins,)
    """

    averaging: Array
    weights: Array


@dataclass(frozen=True)
class CurveAdjusted(FeatureView):
    """A matrix minus a curve of each sample, taken at each feature's fitted value in that sample.

    Parameters
    ----------
    base : FeatureMatrix of shape (n_samples, n_features)
    design : ndarray of shape (n_samples, d)
    coef : ndarray of shape (n_features, d)
        ``design coef'`` are the fitted values.
    knots : ndarray of shape (4,)
    curves : ndarray of shape (n_samples, 4)
    """

    base: FeatureMatrix
    design: Array
    coef: Array
    knots: Array
    curves: Array
    reads = {"base": 1, "coef": 0}

    def read(self, columns: slice) -> Array:
        """Return the block without the curves."""
        intensity = self.design @ self.coef[columns].T
        basis = natural_spline_basis(intensity, self.knots)
        out: Array = self.base.read(columns) - np.einsum("nqm,nq->nm", basis, self.curves)
        return out


@dataclass(frozen=True)
class SnmFit:
    """A normalised training set, and what a rule for new samples needs.

    Attributes
    ----------
    adjusted : CurveAdjusted
        The training set.
    null : ndarray of bool, shape (n_features,)
    p_value : ndarray of shape (n_features,)
        F tests of the biology in the normalised training set.
    null_share : float
        Estimate of the last round.
    model : CurveModel
    bins : IntensityBins
    nuisance_coef : ndarray of shape (n_features, r)
        Effects of the adjustment covariates, with the intercept.
    """

    adjusted: CurveAdjusted
    null: NDArray[np.bool_]
    p_value: Array
    null_share: float
    model: CurveModel
    bins: IntensityBins
    nuisance_coef: Array

    def normalised(self, Y: FeatureMatrix, nuisance: Array) -> CurveAdjusted:
        """Normalise samples of unknown biology, each by the best linear unbiased prediction of its own curve."""
        averages = _averages(Y, self.bins, nuisance, self.nuisance_coef, nuisance, self.adjusted.knots)
        curves = self.model.predict(averages)
        return CurveAdjusted(Y, nuisance, self.nuisance_coef, self.adjusted.knots, curves)


def fit_snm(Y: FeatureMatrix, nuisance: Array, biology: Array, n_iter: int = 10) -> SnmFit:
    """Normalise by random curves of the samples in the features' fitted values.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
    nuisance : ndarray of shape (n_samples, r)
        Adjustment covariates with the intercept, independent.
    biology : ndarray of shape (n_samples, p)
        At least one column, independent of those.
    n_iter : int, default=10

    Returns
    -------
    SnmFit

    Raises
    ------
    InputError
        The null features fill too few bins.

    Notes
    -----
    Mecham, Nelson and Storey (2010), Bioinformatics 26:1308, with the settings of the R package: every round tests the
    biology in the normalised data, takes ``rank(p) > (1 - pi0) m`` for null with pi0 the smallest of Storey's
    estimates at 0, 0.05, ..., 0.9, bins the null features by their mean fitted value in 20 bins of equal width, and
    fits random natural splines with four degrees of freedom to the raw averages of the bins, beside effects of the
    covariates in each bin.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix, collect
    >>> rng = np.random.default_rng(0)
    >>> level, x = rng.uniform(4, 12, size=300), np.repeat([0.0, 1.0], 5)[:, None]
    >>> Y = level + rng.normal(size=(10, 1)) * (level - 8) + 0.1 * rng.normal(size=(10, 300))
    >>> fit = fit_snm(ArrayMatrix(Y), np.ones((10, 1)), x, n_iter=2)
    >>> bool(collect(fit.adjusted).std(axis=0).mean() < 0.15)
    True
    """
    full = design_basis(np.hstack([nuisance, biology]))
    first = design_basis(nuisance)
    state: FeatureMatrix = Y
    for _ in range(n_iter):
        effects, p = _tests(state, full, first.rank)
        share = smallest_null_share(p)
        null = _ranks(p) > (1.0 - share) * len(p)
        coef = np.where(null[:, None] & (np.arange(full.rank) >= first.rank), 0.0, effects)
        bins = intensity_bins((full.q @ coef.T).mean(axis=0), null)
        knots = _knots(bins, full.q, coef)
        averages = _averages(Y, bins, full.q, coef, nuisance, knots)
        model = fit_curves(averages)
        state = adjusted = CurveAdjusted(Y, full.q, coef, knots, model.predict(averages))
    effects, p = _tests(adjusted, full, first.rank)
    own = effects[:, : first.rank] @ first.r_inverse.T
    return SnmFit(adjusted, null, p, share, model, bins, own)


def _tests(Y: FeatureMatrix, full: DesignBasis, n_nuisance: int) -> tuple[Array, Array]:
    """Coordinates ``(n_features, d)`` in the design and p-values of its last columns."""
    sums = design_pass(Y, full)
    effects = sums.effects[:, n_nuisance:]
    df, n_tested = full.n_samples - full.rank, effects.shape[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        statistic = np.einsum("mp,mp->m", effects, effects) / n_tested / (sums.rss / df)
    return sums.effects, np.nan_to_num(f_upper_p(statistic, n_tested, df), nan=1.0)


def smallest_null_share(p_values: Array) -> float:
    """Return the smallest of Storey's estimates over the cut-offs 0, 0.05, ..., 0.9.

    Examples
    --------
    >>> round(smallest_null_share(np.concatenate([np.linspace(0, 1, 801), np.zeros(199)])), 2)
    0.8
    """
    above = np.mean(p_values[:, None] >= CUTOFFS, axis=0) / (1.0 - CUTOFFS)
    return float(min(above.min(), 1.0))


def _ranks(values: Array) -> Array:
    """Ranks from 1, ties averaged, ``(n,)``."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    out: Array = ((last - counts + 1 + last) / 2.0)[inverse]
    return out


def intensity_bins(level: Array, null: NDArray[np.bool_]) -> IntensityBins:
    """Put null features into bins of equal width by their level.

    Parameters
    ----------
    level : ndarray of shape (n_features,)
    null : ndarray of bool, shape (n_features,)

    Returns
    -------
    IntensityBins
        Without empty bins.

    Raises
    ------
    InputError
        Fewer than five bins hold features.
    """
    low, high = np.quantile(level[null], [OUTSIDE, 1.0 - OUTSIDE]) if null.any() else (0.0, 0.0)
    inside = null & (level >= low) & (level <= high)
    position = np.floor((level - low) / max(high - low, np.finfo(float).tiny) * N_BINS)
    codes = np.clip(position, 0, N_BINS - 1).astype(np.intp)
    sizes = np.bincount(codes[inside], minlength=N_BINS)
    if np.sum(sizes > 0) < MIN_BINS:
        raise InputError(
            f"The {null.sum()} features taken for null fill {np.sum(sizes > 0)} of {N_BINS} bins of intensity, and "
            f"compat='snm' needs {MIN_BINS}. Use the default (compat=None), or more features."
        )
    members = ((codes[:, None] == np.flatnonzero(sizes)) & inside[:, None]).astype(np.float64)
    sizes = sizes[sizes > 0]
    return IntensityBins(members / sizes, np.minimum(sizes / FULL_BIN, 1.0))


def _knots(bins: IntensityBins, design: Array, coef: Array) -> Array:
    """Four knots: beyond the ends of the bins' fitted values, and at their thirds."""
    fitted = design @ (coef.T @ bins.averaging)
    inner = np.quantile(fitted, [1 / 3, 2 / 3])
    return np.array([fitted.min() - MARGIN, *inner, fitted.max() + MARGIN])


def _averages(
    Y: FeatureMatrix, bins: IntensityBins, design: Array, coef: Array, nuisance: Array, knots: Array
) -> BinAverages:
    (values,) = run_pass(Y, ScoreKernel(Y.shape[0], bins.averaging))
    fitted = design @ (coef.T @ bins.averaging)
    curves = np.moveaxis(natural_spline_basis(fitted, knots), 1, 2)
    return BinAverages(np.asarray(values), nuisance, curves, bins.weights)
