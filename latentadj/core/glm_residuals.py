"""Residuals of generalised linear models as a matrix that is made block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from latentadj.core.glm import GLMSetting
from latentadj.core.matrix import Array, FeatureMatrix


@dataclass(frozen=True)
class DevianceResiduals:
    """Deviance residuals of every feature, about normal with equal variances for all samples of a feature.

    Parameters
    ----------
    base : FeatureMatrix of shape (n_samples, n_features)
    columns : ndarray of shape (n_samples, d)
    coef : ndarray of shape (n_features, d)
        Features with NaN have residuals 0.
    setting : GLMSetting

    Examples
    --------
    >>> from latentadj.core.glm_families import GLM_FAMILIES
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> setting = GLMSetting(GLM_FAMILIES["gaussian"], np.zeros(2), np.zeros(1))
    >>> Y = ArrayMatrix(np.array([[3.0], [4.0]]))
    >>> DevianceResiduals(Y, np.ones((2, 1)), np.ones((1, 1)), setting).read(slice(0, 1))
    array([[2.],
           [3.]])
    """

    base: FeatureMatrix
    columns: Array
    coef: Array
    setting: GLMSetting
    reads = {"base": 1, "coef": 0, "setting.dispersion": 0, "setting.trials": 1}

    @property
    def shape(self) -> tuple[int, int]:
        """``(n_samples, n_features)``."""
        return self.base.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Always float64."""
        return np.dtype(np.float64)

    def column_blocks(self, width: int | None = None) -> Iterator[slice]:
        """Yield the blocks of the data."""
        return self.base.column_blocks(width)

    def read(self, columns: slice) -> Array:
        """Return the residuals of a block."""
        setting = self.setting
        y, weights = setting.outcomes(self.base.read(columns), columns)
        mu = setting.family.mean(self.columns @ self.coef[columns].T + setting.offset[:, None])
        with np.errstate(invalid="ignore"):
            deviance = setting.family.unit_deviance(y, mu, setting.dispersion[columns])
            deviance *= 1.0 if weights is None else weights
        out: Array = np.nan_to_num(np.sign(y - mu) * np.sqrt(np.maximum(deviance, 0.0)), nan=0.0)
        return out
