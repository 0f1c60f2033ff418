"""From scikit-learn's ``y`` to a design: ``fit(X, y)`` means that ``y`` is the tested variable."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from latentadj.design.covariates import MAX_DISTINCT
from latentadj.design.design import Design
from latentadj.design.formula import quoted_sum
from latentadj.exceptions import DesignError


def design_from_target(y: Any, *, n_samples: int | None = None, name: str = "y") -> Design:
    """Build the design ``~ y`` for an estimator's ``fit(X, y)``.

    Parameters
    ----------
    y : array-like (n,) or (n, p), Series, DataFrame or None
        The tested variable. Text, booleans, categories and whole numbers with 3 to 12 distinct values are
        coded by treatment contrasts; other numbers give one numeric column each. None means nothing to test.
    n_samples : int, optional
        Number of samples; needed when ``y`` is None, compared with the length of ``y`` otherwise.
    name : str
        Name of the variable in column names.

    Returns
    -------
    Design

    Raises
    ------
    DesignError
        Values are missing, the length is wrong, or a categorical ``y`` has a single level.

    Examples
    --------
    >>> design_from_target(["a", "b", "c", "a"]).names
    ('Intercept', 'y[T.b]', 'y[T.c]')
    >>> design_from_target([0.0, 1.5, 2.0]).primary_names
    ('y',)
    >>> design_from_target(None, n_samples=3).primary.shape
    (3, 0)
    """
    if y is None:
        if n_samples is None:
            raise DesignError("Without y the number of samples is needed: design_from_target(None, n_samples=...).")
        return Design.from_formula("~ 1", pd.DataFrame(index=pd.RangeIndex(n_samples)))
    if isinstance(y, Design):
        return y
    if not isinstance(y, pd.DataFrame | pd.Series | pd.Categorical):
        y = np.asarray(y)
    ndim = np.ndim(y)
    _check_length(y, n_samples)
    if ndim == 2 and np.shape(y)[1] > 1:
        names = None if isinstance(y, pd.DataFrame) else [f"{name}{number + 1}" for number in range(np.shape(y)[1])]
        return Design.from_arrays(y, primary_names=names)
    values = _one_column(y, name)
    design = Design.from_formula(f"~ {quoted_sum([name])}", pd.DataFrame({name: values}))
    return design


def _check_length(y: Any, n_samples: int | None) -> None:
    if np.ndim(y) not in {1, 2}:
        raise DesignError(f"y has {np.ndim(y)} dimensions; give one value, or one row, per sample.")
    if n_samples is not None and len(y) != n_samples:
        raise DesignError(f"y has {len(y)} values and X has {n_samples} samples; give one value per sample.")


def _one_column(y: Any, name: str) -> pd.Series:
    """Return y as a Series whose type says numeric or categorical."""
    if isinstance(y, pd.DataFrame):
        y = y.iloc[:, 0]
    elif not isinstance(y, pd.Series | pd.Categorical):
        array = np.asarray(y)
        y = array.ravel() if array.ndim == 2 else array
    values = pd.Series(y) if not isinstance(y, pd.Series) else y
    if pd.api.types.is_integer_dtype(values.dtype) and not values.isna().any():
        distinct = values.nunique()
        return values.astype("category") if 2 < distinct <= MAX_DISTINCT else values.astype(np.float64)
    labels = not pd.api.types.is_numeric_dtype(values.dtype) or pd.api.types.is_bool_dtype(values.dtype)
    if labels and values.nunique() < 2:
        raise DesignError(
            f"{name} has a single class; at least two are needed to test a difference. Give y=None to "
            "estimate factors without a tested variable."
        )
    return values
