"""An analysis that can be run again on other data."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from sklearn.base import clone

from latentadj._adjust import adjust
from latentadj.core.matrix import Array
from latentadj.design import Design
from latentadj.estimators import AdjustedRegression
from latentadj.exceptions import InputError, LatentAdjWarning, MethodError
from latentadj.factors import CATE, LatentFactorEstimator
from latentadj.results import AdjustmentResult


@dataclass(frozen=True)
class Analysis:
    """A result with what is needed to make another one like it.

    Attributes
    ----------
    result : AdjustmentResult
    X : object
        The data as they were given; None where only the result is known.
    estimator : AdjustedRegression or None
        Used in place of `adjust` where it is given.
    options : dict
        Of `adjust`.
    """

    result: AdjustmentResult
    X: Any = None
    estimator: AdjustedRegression | None = None
    options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        X: Any,
        formula: Any,
        sample_data: pd.DataFrame | None,
        estimator: AdjustedRegression | None,
        options: dict[str, Any],
    ) -> Analysis:
        """Run an analysis, or take a result as it is.

        Raises
        ------
        MethodError
            Arguments that exclude each other.
        """
        if isinstance(X, AdjustmentResult):
            given = [*options, *(["formula"] if formula is not None else []), *(["estimator"] if estimator else [])]
            if given:
                raise MethodError(f"The analysis is done already; {', '.join(given)} cannot change it. Give the data.")
            return cls(X)
        if estimator is None:
            return cls(adjust(X, formula, sample_data, **options), X, None, options)
        if options:
            raise MethodError(f"{', '.join(options)}: set these on the estimator.")
        fitted = clone(estimator)
        if formula is not None:
            fitted.set_params(formula=formula)
        return cls(fitted.fit(X, sample_data=sample_data).result_, X, estimator)

    def again(self, values: Array | None, design: Design, n_factors: int | None) -> AdjustmentResult:
        """Analyse other values, or the same ones, with another design.

        Parameters
        ----------
        values : ndarray of shape (n_samples, n_features) or None
            None for the data as they were given.
        design : Design
        n_factors : int or None
            None to choose it anew.

        Returns
        -------
        AdjustmentResult

        Raises
        ------
        InputError
            Only a result was given, which does not say how it was made.
        """
        if self.X is None:
            raise InputError(
                "A result cannot be made again; with rerun=True give the data, the formula and the options of "
                "adjust(), or an AdjustedRegression as estimator=."
            )
        X, table = (self.X, self.result.sample_data) if values is None else self._labelled(values)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LatentAdjWarning)
            if self.estimator is None:
                return adjust(X, design, table, **self._options(n_factors, own_layout=values is not None))
            front = clone(self.estimator).set_params(formula=design)
            if n_factors is not None:
                front.set_params(factors=_with_number(front.factors, n_factors))
            if values is not None:
                front.set_params(orientation="samples", layer=None)
            return front.fit(X, sample_data=table).result_

    def _labelled(self, values: Array) -> tuple[Any, pd.DataFrame | None]:
        """New values with the names of the old ones."""
        result = self.result
        if result.feature_ids.dtype.kind in "iu":
            return values, result.sample_data
        frame = pd.DataFrame(values, index=list(result.sample_ids), columns=result.feature_ids)
        return frame, result.sample_data

    def _options(self, n_factors: int | None, *, own_layout: bool) -> dict[str, Any]:
        options = dict(self.options)
        if own_layout:
            options.pop("orientation", None)
            options.pop("layer", None)
        if n_factors is None:
            return options
        method = options.get("method", "auto")
        if isinstance(method, LatentFactorEstimator):
            return {**options, "method": _with_number(method, n_factors)}
        return {**options, "n_factors": n_factors}


def _with_number(factors: Any, n_factors: int) -> Any:
    """The same method with a number of factors, where it has one."""
    if factors is None:
        return CATE(n_factors=n_factors)
    known = "n_factors" in factors.get_params()
    return clone(factors).set_params(n_factors=n_factors) if known else factors
