"""Principal components of the samples before and after adjustment, as a table."""

from __future__ import annotations

import pandas as pd

from latentadj.results import AdjustmentResult


def component_table(result: AdjustmentResult, n_components: int = 2) -> pd.DataFrame:
    """Scores of the samples on the leading principal components, before and after the factors are subtracted.

    Parameters
    ----------
    result : AdjustmentResult
        With the data at hand.
    n_components : int, default=2

    Returns
    -------
    pandas.DataFrame
        ``sample, when, component, score, share``: `when` is "before" or "after", `share` the component's share
        of the total variance.

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
    >>> component_table(res).shape
    (48, 5)
    """
    parts = []
    for when in ("before", "after"):
        found = result.principal_components(when, n_components)
        parts += [
            pd.DataFrame(
                {
                    "sample": list(result.sample_ids),
                    "when": when,
                    "component": i + 1,
                    "score": found.scores[:, i],
                    "share": float(found.shares[i]),
                }
            )
            for i in range(found.scores.shape[1])
        ]
    return pd.concat(parts, ignore_index=True)
