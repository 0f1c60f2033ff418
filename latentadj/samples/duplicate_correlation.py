"""Correlation of samples of the same block, from measurements to one number."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.core.matrix import FeatureMatrix, FeatureSubset
from latentadj.core.sample_correlation import BlockCorrelation, block_correlation, block_covariance
from latentadj.data.adapters import Orientation
from latentadj.exceptions import BlockCorrelationWarning, InputError
from latentadj.samples.reading import SampleStudy, read_study

#: A consensus below is worth a word: chance brings it to a few hundredths below zero only.
NEGATIVE = -0.1


@dataclass(frozen=True, eq=False)
class DuplicateCorrelation:
    """Correlation within blocks, of every feature and in common.

    Attributes
    ----------
    consensus : float
        One correlation for all features; 0 when none can be estimated.
    correlation : Series of length n_features
        Restricted maximum likelihood estimate of each feature; NaN for features that were not looked at, do not vary
        or have too few values.
    blocks : Series of length n_samples
        Label of every sample.
    estimable : bool
        False when no two samples share a block, or the design holds the blocks already.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(8, 100))
    >>> found = duplicate_correlation(X, None, [1, 1, 2, 2, 3, 3, 4, 4])
    >>> found.covariance.shape, found.estimable
    ((8, 8), True)
    """

    consensus: float
    correlation: pd.Series
    blocks: pd.Series
    estimable: bool

    @property
    def covariance(self) -> pd.DataFrame:
        """Covariance of the samples with unit variance, for ``adjust(..., sample_covariance=)``."""
        values = block_covariance(pd.factorize(self.blocks)[0], self.consensus)
        return pd.DataFrame(values, index=self.blocks.index, columns=self.blocks.index)


def duplicate_correlation(
    X: Any,
    design: Any,
    block: Any,
    sample_data: pd.DataFrame | None = None,
    *,
    n_features: int | None = None,
    trim: float = 0.15,
    random_state: int | np.random.Generator | None = 0,
    orientation: Orientation = "samples",
    layer: str | None = None,
) -> DuplicateCorrelation:
    r"""Estimate the correlation of samples that belong together: of one subject, one plate, one litter.

    Parameters
    ----------
    X : array, DataFrame, AnnData or LabelledMatrix of shape (n_samples, n_features)
        Values on a scale where effects add up. NaN is missing.
    design : str, list, tuple, array-like, DataFrame, Design or None
        What the features are fitted to; None is the intercept only. Include estimated factors, if there are any.
    block : str, Series or array-like of shape (n_samples,)
        Column of the sample table, or the blocks' labels.
    sample_data : DataFrame, optional
        Sample table, aligned by ID; by default that of an AnnData object.
    n_features : int, optional
        Use so many features, drawn at random; all by default.
    trim : float, default=0.15
        Share of the features left out at either end before the consensus is taken.
    random_state : int, Generator or None, default=0
        For the draw.
    orientation : {"samples", "features"}
        What the rows of ``X`` are.
    layer : str, optional
        Layer of an AnnData object.

    Returns
    -------
    DuplicateCorrelation

    Raises
    ------
    InputError
        Infinite values, a wrong number of labels, `n_features` or `trim` out of range.
    DesignError, FormulaError, AlignmentError
        Missing labels, a design or sample table that does not fit, fewer than three residual degrees of freedom.

    Warns
    -----
    BlockCorrelationWarning
        No correlation can be estimated (the consensus is then 0), or the consensus is below -0.1.

    Notes
    -----
    Smyth, Michaud and Scott (2005), Bioinformatics 21:2067, for blocks of samples. The restricted likelihood of every
    feature is maximised over :math:`\rho_j` between ``-1 / (largest block - 1)`` and 1; the consensus is the hyperbolic
    tangent of the trimmed mean of :math:`\mathrm{atanh}\,\rho_j`. One pass over the data serves all features.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> subject = np.repeat(np.arange(15), 2)
    >>> X = rng.normal(size=(15, 2000))[subject] + rng.normal(size=(30, 2000))
    >>> found = duplicate_correlation(X, np.tile([0, 1], 15), subject)
    >>> bool(abs(found.consensus - 0.5) < 0.03)
    True
    """
    study = read_study(X, design, sample_data, orientation=orientation, layer=layer)
    blocks = study.labels("block", block)
    chosen = _chosen_features(study.values.shape[1], n_features, random_state)
    matrix: FeatureMatrix = study.matrix if chosen is None else FeatureSubset(study.matrix, chosen)
    found = block_correlation(matrix, study.basis, pd.factorize(blocks)[0], trim=trim)
    _warn(found, blocks)
    return _result(found, study, blocks, chosen)


def _chosen_features(
    n_features: int, n_wanted: int | None, random_state: int | np.random.Generator | None
) -> NDArray[np.intp] | None:
    if n_wanted is None:
        return None
    if not 1 <= n_wanted <= n_features:
        raise InputError(f"n_features={n_wanted!r}; choose between 1 and {n_features}, or None for all features.")
    return np.sort(np.random.default_rng(random_state).choice(n_features, int(n_wanted), replace=False))


def _result(
    found: BlockCorrelation, study: SampleStudy, blocks: pd.Series, chosen: NDArray[np.intp] | None
) -> DuplicateCorrelation:
    values = np.full(study.values.shape[1], np.nan)
    values[slice(None) if chosen is None else chosen] = found.correlation
    correlation = pd.Series(values, index=study.feature_index, name="correlation")
    return DuplicateCorrelation(found.consensus, correlation, blocks, found.estimable)


def _warn(found: BlockCorrelation, blocks: pd.Series) -> None:
    if not found.estimable:
        problem = (
            f"The {blocks.nunique()} blocks of {len(blocks)} samples say nothing of a correlation: hardly two samples "
            "share one, or the design holds the blocks already. It is taken as 0."
        )
    elif found.consensus < NEGATIVE:
        problem = (
            f"Samples of one block are less alike than others: the consensus correlation is {found.consensus:.3f}. "
            "Check the labels, and whether the design misses something that differs within blocks."
        )
    else:
        return
    warnings.warn(problem, BlockCorrelationWarning, stacklevel=3)
