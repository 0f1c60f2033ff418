"""Adjusted data for prediction and display."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from latentadj.core.matrix import ArrayMatrix, collect
from latentadj.data.provenance import AdjustmentRecord
from latentadj.data.recording import RecordsAdjustment
from latentadj.design import Design, design_from_target
from latentadj.exceptions import InputError
from latentadj.factors import SVA, LatentFactorEstimator
from latentadj.validation import finite_array, require_finite, validated_array

Array = NDArray[np.float64]


class LatentAdjuster(RecordsAdjustment, TransformerMixin, BaseEstimator):
    """Subtract estimated hidden factors from the features.

    For prediction and for pictures. Do not test adjusted data: the degrees of freedom spent are no longer
    visible and p-values come out too small; use `AdjustedRegression` for tests. Frames
    (``set_output(transform="pandas")``) remember what was subtracted, and tests on them are refused; NumPy arrays
    cannot remember.

    Parameters
    ----------
    factors : LatentFactorEstimator or None, default=None
        Method for the factors; ``SVA()`` by default.
    covariates : list of str or None, default=None
        Columns of X (a DataFrame) that hold known covariates. They enter the design when factors are estimated,
        and are dropped from the output.
    remove_covariates : bool, default=False
        Subtract the covariates' fitted effects too.

    Attributes
    ----------
    factors_ : LatentFactorEstimator
        The fitted method.
    n_features_in_ : int

    Notes
    -----
    `transform` is frozen: what happens to a sample depends on its own values and on the training set, never on
    the samples it comes with, and it never sees a label. Covariates travel as columns of X because scikit-learn
    slices those along with the samples in every splitter, without metadata routing.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y, z = np.repeat([0, 1], 15), rng.normal(size=30)
    >>> X = np.outer(z, rng.normal(size=100)) + rng.normal(size=(30, 100))
    >>> adjusted = LatentAdjuster(SVA(n_factors=1)).fit_transform(X, y)
    >>> bool(adjusted.var() < X.var())
    True
    """

    def __init__(
        self,
        factors: LatentFactorEstimator | None = None,
        *,
        covariates: list[str] | None = None,
        remove_covariates: bool = False,
    ) -> None:
        self.factors = factors
        self.covariates = covariates
        self.remove_covariates = remove_covariates

    def fit(self, X: Any, y: Any = None) -> Self:
        """Estimate the factors on a training set.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            With the covariates among the columns of a DataFrame, if there are any.
        y : array-like of shape (n_samples,), optional
            Target; what follows it is kept from being absorbed by the factors.

        Returns
        -------
        self

        Raises
        ------
        InputError
            Covariates that X does not have, missing or infinite values.
        """
        features, table = self._split(X)
        values = validated_array(self, features, training=True)
        self._register_columns(X, features)
        self._known = None if table is None else Design.from_columns([], list(table.columns), table)
        design = _training_design(y, self._known, len(values))
        design.check()
        self.factors_ = SVA() if self.factors is None else clone(self.factors)
        names = np.asarray(features.columns) if isinstance(features, pd.DataFrame) else None
        problem = self.factors_.make_problem(ArrayMatrix(values), design, names)
        require_finite(problem, values)
        fitted = self.factors_.fit_problem(problem)
        self.factors_.store(fitted, problem)
        self._store_covariates(design, fitted.fit.coef)
        return self

    def transform(self, X: Any) -> Array:
        """Return the features with the factors' part subtracted.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_features_out)
            In the units of X, or on the log scale for methods that work on it; means and protected effects stay.
        """
        check_is_fitted(self)
        parts = self._parts(X)
        adjusted = parts.values - parts.scores @ self.factors_.loadings_.T
        return adjusted - self._known_effects(parts.known) if self.remove_covariates else adjusted

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Names of the output columns: those of the input without the covariates."""
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        dropped = set(self.covariates or ())
        return np.array([name for name in names if name not in dropped], dtype=object)

    def _removal_record(self, X: Any, sample_ids: tuple[str, ...], **given: Any) -> AdjustmentRecord | None:
        parts = self._parts(X)
        names = [str(name) for name in self.factors_.get_feature_names_out()]
        columns, known = parts.scores, () if self._known is None else self._known.names
        covariates = [i for i, name in enumerate(known) if name != "Intercept"]
        kept = self._target_names
        if self.remove_covariates:
            columns = np.hstack([columns, parts.known[:, covariates]])
            names += [known[i] for i in covariates]
        else:
            kept = (*kept, *(known[i] for i in covariates))
        if not names:
            return None
        title = f"LatentAdjuster ({self.factors_.method_info.title})"
        return AdjustmentRecord((title,), float(len(names)), sample_ids, columns, tuple(names), kept)

    def _parts(self, X: Any) -> _Parts:
        """Take samples apart: values, factor scores, and known covariates."""
        features, table = self._split(X)
        values = self._on_working_scale(self._validated(features))
        known = self._known_columns(table, len(values))
        scores = self.factors_.score_matrix(ArrayMatrix(values - self._known_effects(known)))
        return _Parts(values, scores, known)

    def _on_working_scale(self, values: NDArray[Any]) -> NDArray[Any]:
        if self.factors_.method_info.input_scale == "continuous":
            return values
        return collect(self.factors_.working_matrix(ArrayMatrix(values)))

    def _split(self, X: Any) -> tuple[Any, pd.DataFrame | None]:
        """Separate the measured features from the known covariates."""
        if not self.covariates:
            return X, None
        if not isinstance(X, pd.DataFrame):
            raise InputError(
                f"covariates={list(self.covariates)!r} names columns, so X must be a DataFrame; a "
                f"{type(X).__name__} was given."
            )
        missing = [name for name in self.covariates if name not in X.columns]
        if missing:
            raise InputError(f"X has no column(s) {', '.join(map(repr, missing))} named in covariates=.")
        return X.drop(columns=list(self.covariates)), X[list(self.covariates)]

    def _register_columns(self, X: Any, features: Any) -> None:
        if features is not X:
            self.n_features_in_: int = X.shape[1]
            self.feature_names_in_ = np.asarray(X.columns, dtype=object)

    def _validated(self, features: Any) -> NDArray[Any]:
        if not self.covariates:
            return validated_array(self, features, training=False)
        expected = self.get_feature_names_out()
        if list(features.columns) != list(expected):
            raise InputError(
                "The feature names should match those that were passed during fit, in the same order; got "
                f"{features.shape[1]} features, {len(expected)} were seen in fit."
            )
        return finite_array(features)

    def _store_covariates(self, design: Design, coef: Array) -> None:
        columns = [i for i, role in enumerate(design.roles) if role == "nuisance"]
        self._known_mean = design.matrix[:, columns].mean(axis=0)
        self._known_coef = np.nan_to_num(coef[:, columns])
        self._target_names = tuple(name for name, role in zip(design.names, design.roles) if role == "primary")

    def _known_columns(self, table: pd.DataFrame | None, n_samples: int) -> Array:
        """Columns of the known covariates, measured from their training means; none where there are none."""
        if table is None or self._known is None:
            return np.zeros((n_samples, 0))
        out: Array = self._known.replay(table).matrix - self._known_mean
        return out

    def _known_effects(self, known: Array) -> Array | float:
        """Effects of the known covariates, ``(n_samples, n_features)``, or zero."""
        if not known.shape[1]:
            return 0.0
        out: Array = known @ self._known_coef.T
        return out


@dataclass(frozen=True)
class _Parts:
    """Samples taken apart.

    Attributes
    ----------
    values : ndarray of shape (n_samples, n_features)
        On the scale that the method works on.
    scores : ndarray of shape (n_samples, n_factors)
    known : ndarray of shape (n_samples, q)
        Columns of the known covariates; q is 0 without any.
    """

    values: NDArray[Any]
    scores: Array
    known: Array


def _training_design(y: Any, known: Design | None, n_samples: int) -> Design:
    target = design_from_target(y, n_samples=n_samples)
    if known is None:
        return target
    return Design.from_arrays(target.primary, known.matrix, intercept=False, primary_names=target.primary_names)
