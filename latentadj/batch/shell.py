"""Shared shell of the adjusters: features apart from columns that describe the samples, checks, names of the output."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Hashable
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import _check_feature_names_in, check_array, check_is_fitted, validate_data

from latentadj.batch.samples import aligned_table
from latentadj.data.provenance import AdjustmentRecord
from latentadj.data.recording import RecordsAdjustment
from latentadj.exceptions import InputError

Array = NDArray[np.float64]


class AnnotatedTransformer(RecordsAdjustment, TransformerMixin, BaseEstimator):
    """Base of transformers that are told about the samples by columns of X, or by values beside X.

    Subclasses list in `sample_parameters` the constructor parameters that hold the name of a column, or a list of
    names. These columns are no features and are dropped from the output. Frames (``set_output(transform="pandas")``)
    remember what was taken out of them, and tests on them are refused; NumPy arrays cannot remember.

    Attributes
    ----------
    n_features_in_ : int
    """

    sample_parameters: ClassVar[tuple[str, ...]] = ()
    #: Whether NaN is a missing value that is left out, or an error. Infinity always is one.
    allows_missing: ClassVar[bool] = True
    #: Parameter that names what is kept from being removed.
    kept_parameter: ClassVar[str] = "covariates"

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Names of the output columns: those of the input that are features."""
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        dropped = set(self._columns())
        return np.array([name for name in names if name not in dropped], dtype=object)

    @property
    @abstractmethod
    def df_spent_(self) -> float:
        """Degrees of freedom that were taken from every feature."""

    def _removal_record(self, X: Any, sample_ids: tuple[str, ...], **given: Any) -> AdjustmentRecord | None:
        columns, names = self._removed_from(X, len(sample_ids), **given)
        if not names and not self.df_spent_:
            return None
        kept = tuple(str(name) for name in _names(getattr(self, self.kept_parameter, None)))
        return AdjustmentRecord((type(self).__name__,), float(self.df_spent_), sample_ids, columns, names, kept)

    def _removed_from(self, X: Any, n_samples: int, **given: Any) -> tuple[Array, tuple[str, ...]]:
        """Columns ``(n_samples, c)`` that `transform` takes out of X, and their names; none by default."""
        return np.zeros((n_samples, 0)), ()

    def _columns(self) -> list[Hashable]:
        """Columns of X that are no features."""
        named = (name for parameter in self.sample_parameters for name in _names(getattr(self, parameter)))
        return list(dict.fromkeys(named))

    def _told(self, what: str, given: Any, features: Any, table: pd.DataFrame | None) -> pd.DataFrame | None:
        """Values of a sample parameter: those given beside X, or its columns of X, or None."""
        if given is not None:
            return aligned_table(given, features, what)
        names = _names(getattr(self, what))
        return table[names] if names and table is not None else None

    def _training_values(self, X: Any, features: Any) -> NDArray[Any]:
        values = _checked(lambda: validate_data(self, features, ensure_min_samples=2, **self._options()))
        if features is not X:
            self.n_features_in_: int = X.shape[1]
            self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        return values

    def _new_values(self, features: Any) -> Array:
        if not self._columns():
            values = _checked(lambda: validate_data(self, features, reset=False, **self._options()))
            return values.astype(np.float64, copy=False)
        expected = list(self.get_feature_names_out())
        if list(features.columns) != expected:
            raise InputError(
                "The feature names should match those that were passed during fit, in the same order; got "
                f"{features.shape[1]} features, {len(expected)} were seen in fit."
            )
        return _checked(lambda: check_array(features, **self._options())).astype(np.float64, copy=False)

    def _options(self) -> dict[str, Any]:
        finite = "allow-nan" if self.allows_missing else True
        return {"dtype": [np.float64, np.float32], "ensure_all_finite": finite}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.allows_missing
        return tags


def one_column(table: pd.DataFrame, what: str) -> pd.Series:
    """Return the only column of a table of labels.

    Parameters
    ----------
    table : DataFrame of shape (n_samples, q)
    what : str
        Name of the parameter, for the message.

    Returns
    -------
    Series of shape (n_samples,)

    Raises
    ------
    InputError
        Several columns.

    Examples
    --------
    >>> one_column(pd.DataFrame({"batch": ["a", "b"]}), "batch").tolist()
    ['a', 'b']
    """
    if table.shape[1] != 1:
        raise InputError(f"{what}= has {table.shape[1]} columns; one label per sample is needed.")
    return table.iloc[:, 0]


def _names(value: Any) -> list[Hashable]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple | pd.Index | np.ndarray) else [value]


def _checked(validate: Callable[[], Any]) -> NDArray[Any]:
    """Run scikit-learn's validation and raise what it finds under the package's own class."""
    try:
        values: NDArray[Any] = validate()
    except ValueError as error:
        raise InputError(str(error)) from error
    return values
