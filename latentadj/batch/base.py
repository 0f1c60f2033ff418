"""Shared shell of the transformers for known batches: which columns are which, checks, names of the output."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Hashable
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from latentadj.batch.checks import check_not_confounded, warn_of_leaking_target
from latentadj.batch.covariates import CovariateCoding
from latentadj.batch.notes import OneBatchWarning
from latentadj.batch.samples import batch_codes, batch_levels, split_columns
from latentadj.batch.shell import AnnotatedTransformer, one_column
from latentadj.core.batch_removal import sum_to_zero
from latentadj.exceptions import InputError

Array = NDArray[np.float64]


class KnownBatchTransformer(AnnotatedTransformer):
    """Base of transformers that take known batches out of features.

    Subclasses have the parameters ``batch`` (name of a column of X, or None) and ``covariates`` (names of columns, or
    None), and implement `_fit` and `_transform`.

    Attributes
    ----------
    batches_ : list
        Labels of the training set, sorted.
    removed_columns_ : ndarray of shape (n_samples, n_batches - 1)
        Contrasts of the training set's batches: the sample-space columns that were taken out of the means.
    df_spent_ : float
        Degrees of freedom that they took.
    """

    sample_parameters: ClassVar[tuple[str, ...]] = ("batch", "covariates")
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
        y : array-like of shape (n_samples,), optional
            Not used, but for a warning (`TargetLeakageWarning`) when covariates that `transform` needs are y itself.
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
        labels = self._labels(features, table, batch)
        if labels is None:
            labels = pd.Series(["all"] * len(values))
        self.batches_: list[Any] = batch_levels(labels)
        self._is_labelled = self.batch is not None or batch is not None
        self._coding = CovariateCoding.of(self._told("covariates", covariates, features, table), len(values))
        if self.covariates_in_transform and self._coding.names:
            warn_of_leaking_target(y, self._coding.training, self._coding.names)
        codes = batch_codes(labels, self.batches_)
        self._fit(values, codes)
        self.removed_columns_: Array = sum_to_zero(codes, len(self.batches_))
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
        labels = self._labels(features, table, batch)
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

    @abstractmethod
    def _fit(self, values: NDArray[Any], codes: NDArray[np.intp]) -> None:
        """Learn from features ``(n_samples, n_features)`` and batch codes; the covariates are in `_coding`."""

    @abstractmethod
    def _transform(self, values: Array, codes: NDArray[np.intp], covariates: Array) -> Array:
        """Adjust new samples; covariates ``(n_samples, q)``."""

    @property
    def df_spent_(self) -> float:
        """Degrees of freedom that the batches took."""
        return len(self.batches_) - 1

    def _removed_from(self, X: Any, n_samples: int, **given: Any) -> tuple[Array, tuple[str, ...]]:
        features, table = split_columns(X, self._columns())
        codes = self._codes(self._labels(features, table, given.get("batch")), n_samples)
        label = "batch" if self.batch is None else self.batch
        names = tuple(f"{label}[S.{level}]" for level in self.batches_[:-1])
        return sum_to_zero(codes, len(self.batches_)), names

    def _labels(self, features: Any, table: pd.DataFrame | None, batch: Any) -> pd.Series | None:
        told = self._told("batch", batch, features, table)
        return None if told is None else one_column(told, "batch")

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

    def _known_matrix(self, features: Any, table: pd.DataFrame | None, covariates: Any, n_samples: int) -> Array:
        """Coded covariates of new samples, ``(n_samples, q)``, without the intercept."""
        if not self.covariates_in_transform:
            return np.zeros((n_samples, 0))
        return self._coding.replay(self._told("covariates", covariates, features, table), n_samples)

    def _training_covariates(self, codes: NDArray[np.intp]) -> Array:
        """Covariate columns that vary, (n_samples, q); those that do not say nothing that the batches do not."""
        check_not_confounded(codes, self.batches_, self._coding.training, self._coding.names)
        return self._coding.training

    def _warn_of_one_batch(self) -> None:
        which = f"it is {self.batches_[0]!r}" if self._is_labelled else "no labels were given (batch=)"
        warnings.warn(OneBatchWarning(f"There is one batch only: {which}. X is returned as it is."), stacklevel=4)
