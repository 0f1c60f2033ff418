"""The values of single features, before and after adjustment, beside batch and group."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from latentadj.diagnostics.explored import ExploredStudy, explored_study
from latentadj.exceptions import InputError


def feature_values(
    data: Any, feature: Any, group: Any = None, batch: Any = None, sample_data: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Lay out one feature's values, before and after adjustment.

    Parameters
    ----------
    data : AdjustmentResult, or matrix of samples x features
    feature : str or int
        ID of the feature, or its position where features have no IDs.
    group, batch : str or array-like of shape (n_samples,), optional
        Columns of the sample table, or values.
    sample_data : pandas.DataFrame, optional
        Sample table; by default the one that came with `data`.

    Returns
    -------
    pandas.DataFrame
        ``sample, when, value, group, batch``; missing where nothing was named.

    Raises
    ------
    InputError
        For an unknown feature or column, or a result read from disk.

    Notes
    -----
    For display only: adjusted values must not be tested again.

    Examples
    --------
    >>> feature_values(np.array([[1.0, 5.0], [2.0, 6.0]]), 1, group=["a", "b"])[["value", "group"]].values.tolist()
    [[5.0, 'a'], [6.0, 'b']]
    """
    study = explored_study(data, sample_data, what="The values of a feature")
    position = feature_position(study, feature)
    missing = pd.Series([None] * study.n_samples, dtype=object)
    labels = {
        name: (missing if column is None else study.values_of(column, name)).to_numpy()
        for name, column in (("group", group), ("batch", batch))
    }
    parts = []
    for when, panel in study.panels.items():
        value = panel.read(slice(position, position + 1))[:, 0]
        parts.append(pd.DataFrame({"sample": list(study.sample_ids), "when": when, "value": value, **labels}))
    return pd.concat(parts, ignore_index=True)


def feature_position(study: ExploredStudy, feature: Any) -> int:
    """Find a feature by its ID, or by position where features have no IDs.

    Raises
    ------
    InputError
        For an unknown feature.

    Examples
    --------
    >>> feature_position(explored_study(np.ones((2, 3))), 2)
    2
    """
    found = np.flatnonzero(study.feature_ids == feature)
    if not found.size:
        found = np.flatnonzero(study.feature_ids.astype(str) == str(feature))
    if not found.size:
        few = ", ".join(map(str, study.feature_ids[:5]))
        raise InputError(f"There is no feature {feature!r}; there are {len(study.feature_ids)}: {few}, ...")
    return int(found[0])
