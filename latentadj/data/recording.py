"""Transformers whose output frames remember what was taken out of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import pandas as pd

from .identifiers import id_array
from .provenance import AdjustmentRecord, attach_record


class RecordsAdjustment:
    """Mixin: what `transform` returns carries an `AdjustmentRecord` when it is a DataFrame.

    Notes
    -----
    scikit-learn turns the array that ``transform`` returns into the container that was asked for
    (``set_output(transform="pandas")``) when a class is made; this mixin stands before scikit-learn's own and adds the
    record to the frame that comes out. Arrays cannot carry a record, and are returned as they are. A class says what it
    takes out in `_removal_record`.

    Examples
    --------
    >>> from sklearn.base import BaseEstimator, TransformerMixin
    >>> class HalfOfIt(RecordsAdjustment, TransformerMixin, BaseEstimator):
    ...     def transform(self, X):
    ...         return X / 2
    ...     def _removal_record(self, X, sample_ids):
    ...         return AdjustmentRecord(("halving",), 0)
    >>> from latentadj.data.provenance import adjustment_record
    >>> adjustment_record(HalfOfIt().transform(pd.DataFrame({"g": [2.0, 4.0]}))).title
    'halving'
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "transform" in cls.__dict__:
            cls.transform = _recorded(cls.__dict__["transform"])  # type: ignore[attr-defined]

    def _removal_record(self, X: Any, sample_ids: tuple[str, ...], **given: Any) -> AdjustmentRecord | None:
        """Say what `transform` takes out of the samples X, which are named in its output by `sample_ids`.

        Gets what `transform` gets; None when nothing is taken out.
        """
        raise NotImplementedError


def _recorded(transform: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(transform)
    def transform_and_record(self: Any, X: Any, **given: Any) -> Any:
        out = transform(self, X, **given)
        if not isinstance(out, pd.DataFrame):
            return out
        record = self._removal_record(X, tuple(id_array(out.index).tolist()), **given)
        return attach_record(out, record, made_from=X)

    return transform_and_record
