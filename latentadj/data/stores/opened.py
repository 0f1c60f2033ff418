"""What opening a matrix gives."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...core.matrix import FeatureMatrix


class OpenedMatrix(NamedTuple):
    """A matrix that is read by blocks, and what is known about its rows and columns.

    Attributes
    ----------
    matrix : FeatureMatrix of shape (n_samples, n_features)
    sample_ids : tuple of str, length n_samples, or None
    feature_ids : (n_features,) object array of str, or None
    sample_data : DataFrame, n_samples rows, or None
        Sample table that came with the matrix.
    """

    matrix: FeatureMatrix
    sample_ids: tuple[str, ...] | None = None
    feature_ids: NDArray[np.object_] | None = None
    sample_data: pd.DataFrame | None = None
