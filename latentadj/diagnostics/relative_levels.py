"""Relative log expression: how far every sample's values are from the typical ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.core.matrix import FeatureMatrix
from latentadj.core.pass_kernel import PassKernel
from latentadj.core.passes import run_pass
from latentadj.diagnostics.explored import explored_study

Array = NDArray[np.float64]

#: Bytes of the deviations that are held at a time.
CHUNK_BYTES = 1 << 27
#: What is told of every sample's deviations.
LEVELS = {"low": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "high": 0.95}


class MedianKernel(PassKernel):
    """Median of every feature over samples, missing values left out.

    Parameters
    ----------
    n_features : int
    """

    rows = {"medians": 0}

    def __init__(self, n_features: int) -> None:
        self.medians = np.empty(n_features)

    def update(self, block: Array, columns: slice) -> None:
        """Write the medians of one block's features."""
        medians = np.median(np.ascontiguousarray(block.T), axis=1)
        gaps = np.isnan(medians)
        if gaps.any():
            kept = ~np.isnan(block[:, gaps]).all(axis=0)
            medians[np.flatnonzero(gaps)[kept]] = np.nanmedian(block[:, gaps][:, kept], axis=0)
        self.medians[columns] = medians

    def result(self) -> Array:
        """Return the medians ``(n_features,)``."""
        return self.medians


class DeviationKernel(PassKernel):
    """Values of some samples minus a centre of every feature.

    Parameters
    ----------
    samples : slice
    n_rows : int
    centre : ndarray of shape (n_features,)
    """

    reads = {"centre": 0}
    rows = {"deviations": 1}

    def __init__(self, samples: slice, n_rows: int, centre: Array) -> None:
        self.samples = samples
        self.centre = centre
        self.deviations = np.empty((n_rows, len(centre)))

    def update(self, block: Array, columns: slice) -> None:
        """Write the deviations of one block's features."""
        np.subtract(block[self.samples], self.centre[columns], out=self.deviations[:, columns])

    def result(self) -> Array:
        """Return the deviations ``(n_rows, n_features)``."""
        return self.deviations


def relative_log_expression(data: Any, sample_data: pd.DataFrame | None = None) -> pd.DataFrame:
    """Sum up every sample's deviations from the features' medians, before and after adjustment.

    Parameters
    ----------
    data : AdjustmentResult, or matrix of samples x features
        On a scale where effects add up (logarithms).
    sample_data : pandas.DataFrame, optional
        As in `explored_study`; only its IDs are used.

    Returns
    -------
    pandas.DataFrame
        ``sample, when, low, q25, median, q75, high``: quantiles 0.05, 0.25, 0.5, 0.75 and 0.95 over features of
        ``y_ij - median_i(y_ij)``; `when` is "before" or, for a result with factors, also "after".

    Raises
    ------
    InputError
        For a result read from disk, which does not hold the data.

    Notes
    -----
    Gandolfo and Speed (2018), PLoS ONE 13:e0191629. Where most features are alike in all samples, medians are near 0
    and spreads alike; samples of a batch that differ together show unwanted variation. Missing values are left out.

    Examples
    --------
    >>> X = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [3.0, 4.0, 5.0]])
    >>> relative_log_expression(X)["median"].tolist()
    [0.0, 0.0, 2.0]
    """
    study = explored_study(data, sample_data, what="Relative log expression")
    parts = []
    for when, panel in study.panels.items():
        quantiles = dict(zip(LEVELS, deviation_quantiles(panel, tuple(LEVELS.values())).T, strict=True))
        parts.append(pd.DataFrame({"sample": list(study.sample_ids), "when": when, **quantiles}))
    return pd.concat(parts, ignore_index=True)


def deviation_quantiles(matrix: FeatureMatrix, levels: tuple[float, ...]) -> Array:
    """Quantiles over features of every sample's deviations from the features' medians.

    Parameters
    ----------
    matrix : FeatureMatrix of shape (n_samples, n_features)
    levels : tuple of float

    Returns
    -------
    ndarray of shape (n_samples, len(levels))

    Notes
    -----
    Samples are taken in groups whose deviations fill 128 MB, so that the data are read a few times over when they
    are large, and are never copied as a whole.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> deviation_quantiles(ArrayMatrix(np.array([[0.0, 0.0], [1.0, 3.0], [1.0, 4.0]])), (0.5,)).ravel()
    array([-2. ,  0. ,  0.5])
    """
    n_samples, n_features = matrix.shape
    (centre,) = run_pass(matrix, MedianKernel(n_features))
    step = max(CHUNK_BYTES // (8 * n_features), 1)
    out = np.empty((n_samples, len(levels)))
    for start in range(0, n_samples, step):
        rows = slice(start, min(start + step, n_samples))
        (deviations,) = run_pass(matrix, DeviationKernel(rows, rows.stop - rows.start, centre))
        out[rows] = _row_quantiles(deviations, levels)
    return out


def _row_quantiles(rows: Array, levels: tuple[float, ...]) -> Array:
    """Quantiles of every row; may reorder the rows' values."""
    found: Array = np.quantile(rows, levels, axis=1, overwrite_input=True).T
    gaps = np.flatnonzero(np.isnan(found).any(axis=1))
    for row in gaps:
        present = rows[row][~np.isnan(rows[row])]
        found[row] = np.quantile(present, levels) if present.size else np.nan
    return found
