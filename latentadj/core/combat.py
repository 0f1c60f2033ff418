"""ComBat: location and scale of known batches, by empirical Bayes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentadj.core.batch_shrinkage import (
    BatchEvidence,
    BatchPosterior,
    mean_only_posterior,
    nonparametric_posterior,
    parametric_posterior,
    signed_posterior,
)
from latentadj.core.batch_statistics import BatchStatistics, batch_statistics
from latentadj.core.matrix import Array, FeatureMatrix, default_width, iterate_slices

#: A feature whose residuals are this small a share of its sum of squares is fitted exactly.
EXACT_FIT = 1e-24


@dataclass(frozen=True, slots=True)
class ComBatSetting:
    """Which ComBat.

    Attributes
    ----------
    parametric : bool
        Normal and inverse gamma priors, or the other features themselves.
    mean_only : bool
        Adjust means only.
    reference : int or None
        Batch that the others are brought to; by default all go to their average.
    literal : bool
        Follow the R package where it departs from the paper.
    max_iter : int
    """

    parametric: bool = True
    mean_only: bool = False
    reference: int | None = None
    literal: bool = False
    max_iter: int = 1000


@dataclass(frozen=True, slots=True)
class ComBatFit:
    """What is subtracted and divided by. Features that are not adjusted have zeros and ones.

    Attributes
    ----------
    mean : ndarray of shape (n_features,)
        Mean of the reference, or over batches.
    centre : ndarray of shape (q,)
        Average of the covariates.
    coef : ndarray of shape (q, n_features)
        Effects of the covariates.
    scale : ndarray of shape (n_features,)
        Pooled standard deviations.
    shift : ndarray of shape (n_batches, n_features)
        Batch shifts in pooled standard deviations.
    spread : ndarray of shape (n_batches, n_features)
        Batch variances relative to the pooled variance.
    adjusted : ndarray of bool, shape (n_features,)
    reference : int or None
    n_unsettled : int
        Shifts and spreads whose iteration stopped at its limit.
    n_iter : int
        Steps of the longest iteration.
    """

    mean: Array
    centre: Array
    coef: Array
    scale: Array
    shift: Array
    spread: Array
    adjusted: NDArray[np.bool_]
    reference: int | None
    n_unsettled: int
    n_iter: int


def fit_combat(Y: FeatureMatrix, codes: NDArray[np.intp], covariates: Array, setting: ComBatSetting) -> ComBatFit:
    """Estimate the location and scale of every batch.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
        NaN is missing.
    codes : ndarray of int, shape (n_samples,)
    covariates : ndarray of shape (n_samples, q)
        Effects to keep; together with the batches of full column rank.
    setting : ComBatSetting

    Returns
    -------
    ComBatFit

    Notes
    -----
    Johnson, Li and Rabinovic (2007). The data are read once: means and sums of squares by batch are enough.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> values, codes = np.array([[0.0, 2.0], [1.0, 0.0], [5.0, 8.0], [7.0, 7.0]]), np.array([0, 0, 1, 1])
    >>> none = np.zeros((4, 0))
    >>> after = apply_combat(fit_combat(ArrayMatrix(values), codes, none, ComBatSetting()), values, codes, none)
    >>> bool(np.abs(after[:2].mean() - after[2:].mean()) < 1)
    True
    """
    centre = covariates.mean(axis=0)
    found = batch_statistics(Y, codes, covariates - centre)
    sizes = np.bincount(codes)
    mean = sizes / len(codes) @ found.mean if setting.reference is None else found.mean[setting.reference]
    variance = _pooled_variance(found, sizes, setting)
    adjusted = _adjustable(found, variance, setting)
    scale = np.sqrt(np.where(adjusted, variance, 1.0))
    evidence = (_evidence(found, b, mean, scale, adjusted, setting) for b in range(len(sizes)))
    posteriors = [_posterior(batch, setting) for batch in evidence]
    return ComBatFit(
        mean=np.where(adjusted, mean, 0.0),
        centre=centre,
        coef=np.where(adjusted, found.coef, 0.0),
        scale=scale,
        shift=_spread_out([p.shift for p in posteriors], adjusted, 0.0, setting.reference),
        spread=_spread_out([p.spread for p in posteriors], adjusted, 1.0, setting.reference),
        adjusted=adjusted,
        reference=setting.reference,
        n_unsettled=sum(p.n_unsettled for b, p in enumerate(posteriors) if b != setting.reference),
        n_iter=max(p.n_iter for p in posteriors),
    )


def apply_combat(fit: ComBatFit, values: Array, codes: NDArray[np.intp], covariates: Array) -> Array:
    r"""Take the batches' location and scale out of samples, each on its own.

    Parameters
    ----------
    fit : ComBatFit
    values : ndarray of shape (n_new, n_features)
        NaN stay NaN.
    codes : ndarray of int, shape (n_new,)
    covariates : ndarray of shape (n_new, q)

    Returns
    -------
    ndarray of shape (n_new, n_features)
        Samples of the reference batch and features that are not adjusted come back bit for bit.

    Notes
    -----
    With :math:`e` what mean and covariates predict, :math:`(y - e - s \gamma) / \sqrt\delta + e` is linear in y and in
    the covariates, so that every batch takes one product and one sum, on blocks that stay in the cache.
    """
    narrowed = 1.0 / np.sqrt(fit.spread)
    level = fit.mean * (1.0 - narrowed) - fit.scale * fit.shift * narrowed
    out = np.empty(values.shape)
    for batch in np.unique(codes):
        rows = np.flatnonzero(codes == batch)
        if batch == fit.reference:
            out[rows] = values[rows]
            continue
        regressors = np.column_stack([np.ones(len(rows)), covariates[rows] - fit.centre])
        weights = np.vstack([level[batch], fit.coef * (1.0 - narrowed[batch])])
        for columns in iterate_slices(values.shape[1], default_width(len(rows))):
            part = values[rows, columns]
            part *= narrowed[batch, columns]
            part += regressors @ weights[:, columns]
            out[rows, columns] = part
    return out


def _pooled_variance(found: BatchStatistics, sizes: NDArray[np.intp], setting: ComBatSetting) -> Array:
    """Residual variance over all samples, or those of the reference, with the number of values as divisor."""
    rows = slice(None) if setting.reference is None else slice(setting.reference, setting.reference + 1)
    squares, count = found.within[rows].sum(axis=0), found.count[rows].sum(axis=0)
    if setting.literal and (found.count < sizes[:, None])[:, ~found.constant].any():
        count = count - 1  # the reference takes the sample variance as soon as any value is missing
    out: Array = squares / np.maximum(count, 1)
    return out


def _adjustable(found: BatchStatistics, variance: Array, setting: ComBatSetting) -> NDArray[np.bool_]:
    """Features with enough values in every batch, which vary."""
    fewest = 1 if setting.mean_only else 2
    enough = (found.count >= fewest).all(axis=0)
    varying = ~found.constant & (variance > EXACT_FIT * found.total)
    out: NDArray[np.bool_] = enough & varying & found.estimable
    return out


def _evidence(
    found: BatchStatistics, b: int, mean: Array, scale: Array, adjusted: NDArray[np.bool_], setting: ComBatSetting
) -> BatchEvidence:
    shift = ((found.mean[b] - mean) / scale)[adjusted]
    squares = (found.within[b] / scale**2)[adjusted]
    count = found.count[b][adjusted]
    spread = np.ones_like(squares) if setting.mean_only else squares / (count - 1.0)
    return BatchEvidence(shift, squares, spread, count)


def _posterior(evidence: BatchEvidence, setting: ComBatSetting) -> BatchPosterior:
    if len(evidence.shift) < 2:  # nothing to learn a prior from
        return BatchPosterior(evidence.shift, evidence.spread)
    if not setting.parametric:
        return nonparametric_posterior(evidence)
    if setting.mean_only:
        return mean_only_posterior(evidence, 1.0 if setting.literal else evidence.count)
    if setting.literal:
        return signed_posterior(evidence, max_iter=setting.max_iter)
    return parametric_posterior(evidence, max_iter=setting.max_iter)


def _spread_out(rows: list[Array], adjusted: NDArray[np.bool_], neutral: float, reference: int | None) -> Array:
    """Put the adjusted features' values among all features; the others, and the reference, are neutral."""
    out = np.full((len(rows), len(adjusted)), neutral)
    out[:, adjusted] = rows
    if reference is not None:
        out[reference] = neutral
    return out
