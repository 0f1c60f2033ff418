"""Long tables of resampling tests."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.core.matrix import Array
from latentadj.exceptions import InputError


def long_table(
    feature_ids: NDArray[Any], names: tuple[str, ...], columns: dict[str, Array], term: str | None
) -> pd.DataFrame:
    """A table with the features of the first test first."""
    if term is not None and term not in names:
        raise InputError(f"term={term!r} was not tested; tested are {', '.join(names)}.")
    keep = [i for i, name in enumerate(names) if term in (None, name)]
    table: dict[str, Any] = {
        "feature": np.tile(feature_ids, len(keep)),
        "term": np.repeat(np.array([names[i] for i in keep], dtype=object), len(feature_ids)),
    }
    table.update({name: values[:, keep].T.ravel() for name, values in columns.items()})
    return pd.DataFrame(table)
