"""Principal components of the samples before and after adjustment, as a table."""

from __future__ import annotations

from typing import Any

import pandas as pd

from latentadj.diagnostics.explored import explored_study
from latentadj.results import AdjustmentResult
from latentadj.results.components import Components, sample_components


def component_table(data: Any, n_components: int = 2) -> pd.DataFrame:
    """Scores of the samples on the leading principal components, before and after the factors are subtracted.

    Parameters
    ----------
    data : AdjustmentResult, or matrix of samples x features
        A result with the data at hand.
    n_components : int, default=2

    Returns
    -------
    pandas.DataFrame
        ``sample, when, component, score, share``: `when` is "before" or, for a result, "after"; `share` the
        component's share of the total variance.

    Raises
    ------
    InputError
        For a result read from disk, which does not hold the data.

    Notes
    -----
    For display only: adjusted data must not be tested again.

    Examples
    --------
    >>> import latentadj as la
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(12, 30))
    >>> res = la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=1)
    >>> component_table(res).shape, component_table(X).shape
    ((48, 5), (24, 5))
    """
    if isinstance(data, AdjustmentResult):
        ids = data.sample_ids
        panels = {when: data.principal_components(when, n_components) for when in ("before", "after")}
    else:
        study = explored_study(data, what="Principal components")
        ids, panels = study.sample_ids, {"before": components_of(study, n_components)}
    parts = [
        pd.DataFrame(
            {
                "sample": list(ids),
                "when": when,
                "component": i + 1,
                "score": found.scores[:, i],
                "share": float(found.shares[i]),
            }
        )
        for when, found in panels.items()
        for i in range(found.scores.shape[1])
    ]
    return pd.concat(parts, ignore_index=True)


def components_of(study: Any, n_components: int = 2) -> Components:
    """Principal components of the data of an `ExploredStudy` as they are, from the features without gaps.

    Examples
    --------
    >>> import numpy as np
    >>> components_of(explored_study(np.eye(3)), 2).scores.shape
    (3, 2)
    """
    before = study.complete_panels()["before"]
    return sample_components(before, before.read(slice(0, 0)), None, n_components)
