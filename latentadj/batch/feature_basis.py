"""Functions of the features that sample effects depend on: splines in numbers, indicators of labels."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.core.regression import design_basis
from latentadj.core.smoothing import natural_spline_basis, natural_spline_knots
from latentadj.exceptions import AlignmentError, InputError, LatentAdjWarning, MethodError

Array = NDArray[np.float64]

#: Features that a column of a spline needs at least.
FEATURES_PER_COLUMN = 10


class FewFeaturesWarning(LatentAdjWarning):
    """There are too few features for the splines that were asked for; simpler ones are used."""


@dataclass(frozen=True)
class FeatureBasis:
    """Columns with a value per feature.

    Attributes
    ----------
    matrix : ndarray of shape (n_features, q)
        The constant first; independent columns.
    names : list of str
        Covariate that each column belongs to.
    """

    matrix: Array
    names: list[str]


def feature_table(covariates: Any, feature_names: Sequence[Any] | None, n_features: int) -> pd.DataFrame:
    """Bring covariates of features into the order of the features.

    Parameters
    ----------
    covariates : DataFrame, Series or array-like of shape (n_features,) or (n_features, c)
        With an index of feature names they are matched by it if the features have names, otherwise taken in order.
    feature_names : sequence or None
    n_features : int

    Returns
    -------
    DataFrame of shape (n_features, c)

    Raises
    ------
    AlignmentError
        Features are missing or repeated, or the number of rows differs.
    InputError
        Missing values.

    Examples
    --------
    >>> gc = pd.Series([0.6, 0.4], index=["g2", "g1"], name="gc")
    >>> feature_table(gc, ["g1", "g2"], 2)["gc"].tolist()
    [0.4, 0.6]
    """
    table = _as_table(covariates)
    if feature_names is not None and isinstance(covariates, pd.Series | pd.DataFrame):
        table = _by_name(table, feature_names)
    if len(table) != n_features:
        raise AlignmentError(
            f"feature_covariates= has {len(table)} rows and X has {n_features} features. Give one row per feature, or "
            "a DataFrame indexed by the names of the features."
        )
    missing = table.isna().any(axis=1)
    if missing.any():
        raise InputError(
            f"feature_covariates= lacks values for {missing.sum()} of {n_features} features, first "
            f"{table.index[missing.to_numpy()][0]!r}. Ways out: (1) fill them in, by the median say; (2) leave these "
            "features out of X; (3) for labels, give 'unknown' a level of its own."
        )
    return table


def _as_table(covariates: Any) -> pd.DataFrame:
    if isinstance(covariates, pd.DataFrame):
        return covariates
    if isinstance(covariates, pd.Series):
        return covariates.to_frame("covariate" if covariates.name is None else covariates.name)
    array = np.asarray(covariates)
    if array.ndim not in (1, 2):
        raise InputError(f"feature_covariates= has {array.ndim} dimensions; give one row of values per feature.")
    array = array[:, None] if array.ndim == 1 else array
    return pd.DataFrame(array, columns=[f"covariate{i + 1}" for i in range(array.shape[1])]).infer_objects()


def _by_name(table: pd.DataFrame, names: Sequence[Any]) -> pd.DataFrame:
    wanted = pd.Index(names)
    if isinstance(table.index, pd.RangeIndex) and not wanted.isin(table.index).all():
        return table
    lost = wanted.difference(table.index)
    if len(lost) or not table.index.is_unique:
        raise AlignmentError(
            f"feature_covariates= has no row for {len(lost)} of the {len(wanted)} features of X (first: "
            f"{list(lost[:3])}), or has several. Index it by the names of the features, or give a plain array in "
            "their order."
        )
    return table.loc[wanted]


def feature_basis(
    level: Array | None, table: pd.DataFrame | None, used: NDArray[np.bool_], spline_df: int
) -> FeatureBasis:
    """Make the columns that sample effects depend on.

    Parameters
    ----------
    level : ndarray of shape (n_features,) or None
        Intensity of the features, if effects depend on it.
    table : DataFrame of shape (n_features, c) or None
        Numbers enter by natural cubic splines, labels by indicators.
    used : ndarray of bool, shape (n_features,)
        Features that knots are placed by.
    spline_df : int
        Degrees of freedom of each spline, the constant included.

    Returns
    -------
    FeatureBasis

    Raises
    ------
    MethodError
        `spline_df` is not a whole number from 2 up.

    Warns
    -----
    FewFeaturesWarning
        There are fewer than ten features for each degree of freedom, and splines are cut back.

    Examples
    --------
    >>> table = pd.DataFrame({"gc": np.linspace(0, 1, 60), "dye": ["cy3", "cy5"] * 30})
    >>> feature_basis(None, table, np.ones(60, dtype=bool), 3).names
    ['constant', 'gc', 'gc', 'dye']
    """
    if isinstance(spline_df, bool) or not isinstance(spline_df, int | np.integer) or spline_df < 2:
        raise MethodError(f"spline_df={spline_df!r}; give a whole number from 2 (a straight line) up.")
    df = min(int(spline_df), int(used.sum()) // FEATURES_PER_COLUMN)
    if df < spline_df:
        warnings.warn(
            FewFeaturesWarning(
                f"{used.sum()} features carry splines with {max(df, 1)} instead of spline_df={spline_df} degrees of "
                f"freedom, with {FEATURES_PER_COLUMN} features for each."
            ),
            stacklevel=4,
        )
    terms = {} if level is None else {"intensity": pd.Series(level)}
    terms |= {} if table is None else {str(name): table[name] for name in table.columns}
    parts = [np.ones((len(used), 1)), *(_term(column, used, df) for column in terms.values())]
    names = ["constant", *(name for name, part in zip(terms, parts[1:], strict=True) for _ in range(part.shape[1]))]
    matrix = np.hstack(parts)
    kept = list(design_basis(matrix[used]).kept)
    return FeatureBasis(matrix[:, kept], [names[i] for i in kept])


def _term(column: pd.Series[Any], used: NDArray[np.bool_], df: int) -> Array:
    """Columns of one covariate, without the constant."""
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return np.asarray(pd.get_dummies(column.astype(str), drop_first=True), dtype=np.float64)
    values = column.to_numpy(dtype=np.float64)
    if not np.isfinite(values).all():
        raise InputError("feature_covariates= holds infinite values. Replace them, or leave these features out.")
    if df < 2 or np.ptp(values[used]) == 0:
        return np.zeros((len(values), 0))
    return natural_spline_basis(values, natural_spline_knots(values[used], df))[:, 1:]
