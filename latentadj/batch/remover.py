"""Linear removal of known batches as a transformer."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from latentadj.batch.base import KnownBatchTransformer
from latentadj.core.batch_removal import removal_coefficients, sum_to_zero
from latentadj.core.matrix import Array, ArrayMatrix


class BatchEffectRemover(KnownBatchTransformer):
    """Subtract the shift of each known batch, estimated by least squares beside the covariates.

    For prediction and for pictures; for tests put the batch into the design (``"~ x | batch"``). Frames
    that come out remember what was removed; arrays cannot.

    Parameters
    ----------
    batch : str or None, default=None
        Column of X (a DataFrame) with the batch labels. Without it labels are given to `fit` and `transform`.
    covariates : list of str or None, default=None
        Columns of X with effects to keep. They are needed in training only, though columns of X stay columns of X.

    Attributes
    ----------
    batches_ : list
        Labels of the training set, sorted.
    shift_ : ndarray of shape (n_batches, n_features)
        What is subtracted; every column adds up to zero.
    df_spent_ : int
        Degrees of freedom that the batches took.
    n_features_in_ : int

    Raises
    ------
    ConfoundedDesignError
        Batches and covariates cannot be told apart.
    DesignError
        Missing labels, a batch in `transform` that the training set does not have.

    Notes
    -----
    The training set comes out as from `remove_batch_effect` with the covariates as the design. A shift that a
    feature's missing values hide is zero.

    Examples
    --------
    >>> X = np.array([[1.0, 0.0], [2.0, 1.0], [5.0, 0.0], [6.0, 1.0]])
    >>> remover = BatchEffectRemover().fit(X, batch=["a", "a", "b", "b"])
    >>> remover.transform([[7.0, 1.0]], batch=["b"]).round(10)
    array([[5., 1.]])
    """

    covariates_in_transform: ClassVar[bool] = False

    def __init__(self, batch: Hashable | None = None, *, covariates: list[str] | None = None) -> None:
        self.batch = batch
        self.covariates = covariates

    def _fit(self, values: NDArray[Any], codes: NDArray[np.intp]) -> None:
        kept = np.hstack([np.ones((len(codes), 1)), self._training_covariates(codes)])
        n_batches = len(self.batches_)
        coef = removal_coefficients(ArrayMatrix(values), kept, sum_to_zero(codes, n_batches))
        self.shift_: Array = sum_to_zero(np.arange(n_batches), n_batches) @ coef

    def _transform(self, values: Array, codes: NDArray[np.intp], covariates: Array) -> Array:
        out: Array = values - self.shift_[codes]
        return out
