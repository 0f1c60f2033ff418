"""Shared shell of the transformers for known batches: which columns are which, checks, names of the output."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Callable, Hashable
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import _check_feature_names_in, check_array, check_is_fitted, validate_data

from latentadj.batch.checks import check_not_confounded
from latentadj.batch.notes import OneBatchWarning
from latentadj.batch.samples import (
    aligned_table,
    batch_codes,
    batch_levels,
    coded_columns,
    covariate_design,
    split_columns,
)
from latentadj.design import Design
from latentadj.exceptions import InputError

Array = NDArray[np.float64]

#: NaN is a missing value, infinity an error.
_OPTIONS: dict[str, Any] = {"dtype": [np.float64, np.float32], "ensure_all_finite": "allow-nan"}


class KnownBatchTransformer(TransformerMixin, BaseEstimator):
    """Base of transformers that take known batches out of features.

    Subclasses have the parameters ``batch`` (name of a column of X, or None) and ``covariates`` (names of columns, or
    None), and implement `_fit` and `_transform`.
    """

    #: Whether covariates have to be known for new samples.
    covariates_in_transform: ClassVar[bool] = True
    batch: Hashable | None
    covariates: list[str] | None

    def fit(self, X: Any, y: Any = None, *, batch: Any = None, covariates: Any = None) -> Self:
        """Learn the batches from a training set.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            A DataFrame that holds batch and covariates among its columns if they are given by name.
        y : None
            Not used.
        batch : Series or array-like of shape (n_samples,), optional
            Labels, instead of a column of X. A Series is matched to X by its index.
        covariates : DataFrame, Series or array-like of shape (n_samples, q), optional
            Values, instead of columns of X.

        Returns
        -------
        self

        Raises
        ------
        InputError
            Columns that X does not have, infinite values, labels that do not fit X (`AlignmentError`).
        DesignError
            Missing labels or covariates, batches and covariates that cannot be told apart.
        """
        features, table = split_columns(X, self._columns())
        values = self._training_values(X, features)
        labels = self._given_labels(features, table, batch)
        if labels is None:
            labels = pd.Series(["all"] * len(values))
        self.batches_: list[Any] = batch_levels(labels)
        self._is_labelled = self.batch is not None or batch is not None
        known = self._covariate_table(features, table, covariates)
        self._known: Design | None = None if known is None else covariate_design(known)
        self._fit(values, batch_codes(labels, self.batches_))
        return self

    def transform(self, X: Any, *, batch: Any = None, covariates: Any = None) -> Array:
        """Return samples without the batches' part, each on its own.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_columns)
            The columns of the training set.
        batch : Series or array-like of shape (n_samples,), optional
            Labels, if they are no column of X.
        covariates : DataFrame, Series or array-like of shape (n_samples, q), optional
            Values, if they are no columns of X.

        Returns
        -------
        ndarray of shape (n_samples, n_features)

        Raises
        ------
        InputError
            Other columns than in training, no labels.
        DesignError
            A batch or a covariate's level that the training set does not have.
        """
        check_is_fitted(self)
        features, table = split_columns(X, self._columns())
        values = self._new_values(features)
        labels = self._given_labels(features, table, batch)
        codes = self._codes(labels, len(values))
        known = self._known_matrix(features, table, covariates, len(values))
        return self._transform(values, codes, known)

    def fit_transform(self, X: Any, y: Any = None, *, batch: Any = None, covariates: Any = None) -> Array:
        """Fit to samples and return them without the batches' part.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_columns)
        y : None
            Not used.
        batch, covariates : array-like, optional
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
        """
        fitted = self.fit(X, y, batch=batch, covariates=covariates)
        beside = covariates if self.covariates_in_transform else None
        out: Array = fitted.transform(X, batch=batch, covariates=beside)
        return out

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Names of the output columns: those of the input without batch and covariates."""
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        dropped = set(self._columns())
        return np.array([name for name in names if name not in dropped], dtype=object)

    @abstractmethod
    def _fit(self, values: NDArray[Any], codes: NDArray[np.intp]) -> None:
        """Learn from features ``(n_samples, n_features)`` and batch codes; the covariates are in `_known`."""

    @abstractmethod
    def _transform(self, values: Array, codes: NDArray[np.intp], covariates: Array) -> Array:
        """Adjust new samples; covariates ``(n_samples, q)``."""

    @property
    def df_spent_(self) -> int:
        """Degrees of freedom that the batches took."""
        return len(self.batches_) - 1

    def _columns(self) -> list[Hashable]:
        """Columns of X that are no features."""
        return [*([] if self.batch is None else [self.batch]), *(self.covariates or ())]

    def _given_labels(self, features: Any, table: pd.DataFrame | None, batch: Any) -> pd.Series | None:
        if batch is not None:
            given = aligned_table(batch, features, "batch")
            if given.shape[1] != 1:
                raise InputError(f"batch= has {given.shape[1]} columns; one label per sample is needed.")
            return given.iloc[:, 0]
        return None if table is None or self.batch is None else table[self.batch]

    def _codes(self, labels: pd.Series | None, n_samples: int) -> NDArray[np.intp]:
        """Batch codes of new samples; without any labels in training they are all of the one batch."""
        if labels is not None:
            return batch_codes(labels, self.batches_)
        if self._is_labelled:
            raise InputError(
                "The batch of these samples is not known: labels were given to fit, and X has no column for them. Give "
                "transform(X, batch=labels), or name a column of X when the transformer is made: batch='name'."
            )
        return np.zeros(n_samples, dtype=np.intp)

    def _covariate_table(self, features: Any, table: pd.DataFrame | None, covariates: Any) -> pd.DataFrame | None:
        if covariates is not None:
            return aligned_table(covariates, features, "covariates")
        return table[list(self.covariates)] if self.covariates and table is not None else None

    def _known_matrix(self, features: Any, table: pd.DataFrame | None, covariates: Any, n_samples: int) -> Array:
        """Coded covariates of new samples, ``(n_samples, q)``, without the intercept."""
        if self._known is None or not self.covariates_in_transform:
            return np.zeros((n_samples, 0))
        known = self._covariate_table(features, table, covariates)
        if known is None:
            raise InputError("The covariates of these samples are not known. Give transform(X, covariates=values).")
        return coded_columns(self._known.replay(known.rename(columns=str)))[:, self._varying]

    def _training_covariates(self, codes: NDArray[np.intp]) -> Array:
        """Covariate columns that vary, (n_samples, q); those that do not say nothing that the batches do not."""
        if self._known is None:
            self._varying = np.zeros(0, dtype=bool)
            return np.zeros((len(codes), 0))
        columns = coded_columns(self._known)
        self._varying = np.ptp(columns, axis=0) > 0
        names = [name for name in self._known.names if name != "Intercept"]
        varying = columns[:, self._varying]
        check_not_confounded(codes, self.batches_, varying, [names[i] for i in np.flatnonzero(self._varying)])
        return varying

    def _warn_of_one_batch(self) -> None:
        which = f"it is {self.batches_[0]!r}" if self._is_labelled else "no labels were given (batch=)"
        warnings.warn(OneBatchWarning(f"There is one batch only: {which}. X is returned as it is."), stacklevel=4)

    def _training_values(self, X: Any, features: Any) -> NDArray[Any]:
        values = _checked(lambda: validate_data(self, features, ensure_min_samples=2, **_OPTIONS))
        if features is not X:
            self.n_features_in_: int = X.shape[1]
            self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        return values

    def _new_values(self, features: Any) -> Array:
        if not self._columns():
            return _checked(lambda: validate_data(self, features, reset=False, **_OPTIONS)).astype(np.float64)
        expected = list(self.get_feature_names_out())
        if list(features.columns) != expected:
            raise InputError(
                "The feature names should match those that were passed during fit, in the same order; got "
                f"{features.shape[1]} features, {len(expected)} were seen in fit."
            )
        return _checked(lambda: check_array(features, **_OPTIONS)).astype(np.float64)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def _checked(validate: Callable[[], Any]) -> NDArray[Any]:
    """Run scikit-learn's validation and raise what it finds under the package's own class."""
    try:
        values: NDArray[Any] = validate()
    except ValueError as error:
        raise InputError(str(error)) from error
    return values
