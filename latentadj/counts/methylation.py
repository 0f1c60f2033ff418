"""Methylation: proportions (beta values) to a scale with about equal variances (M-values), and back."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from latentadj.core.methylation import inverse_logit2, logit2
from latentadj.data.adapters import LabelledMatrix, Orientation, as_labelled_matrix
from latentadj.exceptions import DataScaleWarning, InputError


def m_values(
    beta: Any, *, smallest: float = 1e-6, orientation: Orientation = "samples", layer: str | None = None
) -> pd.DataFrame:
    """Binary log-odds of methylation proportions.

    Parameters
    ----------
    beta : array, DataFrame or AnnData of shape (n_samples, n_features)
        Proportions of methylated signal, between 0 and 1; NaN stays NaN.
    smallest : float, default=1e-6
        Smaller methylated or unmethylated parts count as this much, so that 0 and 1 become about -20 and 20; a
        warning says how many there were.
    orientation : {"samples", "features"}
        What the rows of ``beta`` are.
    layer : str, optional
        Layer of an AnnData object.

    Returns
    -------
    DataFrame of shape (n_samples, n_features)
        ``log2(beta / (1 - beta))``, samples x features.

    Raises
    ------
    InputError
        Values below 0 or above 1, or `smallest` not between 0 and 0.5.

    Warns
    -----
    DataScaleWarning
        If values were moved by `smallest`.

    References
    ----------
    .. [1] Du, Zhang, Huang, Jafari, Kibbe, Hou and Lin (2010). Comparison of Beta-value and M-value methods for
       quantifying methylation levels by microarray analysis. BMC Bioinformatics 11:587, equation 3.

    Examples
    --------
    >>> m_values(pd.DataFrame({"cg1": [0.2, 0.5], "cg2": [0.8, 0.9]})).round(3)
       cg1   cg2
    0 -2.0  2.00
    1  0.0  3.17
    """
    if not 0 < smallest < 0.5:
        raise InputError(f"smallest={smallest} was given; it must be above 0 and below 0.5.")
    table = as_labelled_matrix(beta, orientation=orientation, layer=layer)
    values = table.values
    if (values < 0).any() or (values > 1).any():
        raise InputError(
            "Proportions must lie between 0 and 1. Divide percentages by 100; values on another scale may already be "
            "M-values."
        )
    moved = int(((values < smallest) | (1 - values < smallest)).sum())
    if moved:
        warnings.warn(
            f"{moved} of {values.size} proportions are nearer to 0 or 1 than {smallest:g} and were moved there. They "
            "may weigh much in a regression; raise smallest=, or leave such features out.",
            DataScaleWarning,
            stacklevel=2,
        )
    return _frame(table, logit2(values, smallest))


def beta_values(m: Any, *, orientation: Orientation = "samples", layer: str | None = None) -> pd.DataFrame:
    """Methylation proportions of M-values: the inverse of :func:`m_values`.

    Parameters
    ----------
    m : array, DataFrame or AnnData of shape (n_samples, n_features)
        Binary log-odds; NaN stays NaN.
    orientation : {"samples", "features"}
        What the rows of ``m`` are.
    layer : str, optional
        Layer of an AnnData object.

    Returns
    -------
    DataFrame of shape (n_samples, n_features)
        Between 0 and 1, samples x features.

    Raises
    ------
    InputError
        If the values are not a matrix of numbers.

    Examples
    --------
    >>> beta_values(pd.DataFrame({"cg1": [-2.0, 0.0]}))["cg1"].tolist()
    [0.2, 0.5]
    """
    table = as_labelled_matrix(m, orientation=orientation, layer=layer)
    return _frame(table, inverse_logit2(table.values))


def _frame(table: LabelledMatrix, values: np.ndarray) -> pd.DataFrame:
    index = None if table.sample_ids is None else list(table.sample_ids)
    return pd.DataFrame(values, index=index, columns=table.feature_ids)
