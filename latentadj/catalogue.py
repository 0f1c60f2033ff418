"""The catalogue of methods, generated from their cards."""

from __future__ import annotations

import pandas as pd

from latentadj.factors import METHODS


def methods() -> pd.DataFrame:
    """List every method: class, reference, what it needs, whether it is valid for testing, whether it streams.

    Returns
    -------
    pandas.DataFrame
        Indexed by the name that ``adjust(method=...)`` takes. Source: each class's ``method_info``.

    Examples
    --------
    >>> bool(methods().loc["residual_pca", "valid_for_testing"])
    False
    """
    rows = [
        {
            "name": info.name,
            "class": cls.__name__,
            "title": info.title,
            "reference": info.reference,
            "needs": ", ".join(info.needs),
            "valid_for_testing": info.valid_for_testing,
            "streams": info.streams,
            "identified_by": info.identified_by,
            "summary": info.summary,
        }
        for cls in METHODS
        for info in [cls.method_info]
    ]
    return pd.DataFrame(rows).set_index("name")
