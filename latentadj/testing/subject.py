"""A method on a study: what every promise is checked with."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone

from latentadj.core.matrix import ArrayMatrix, collect
from latentadj.estimators import AdjustedRegression
from latentadj.exceptions import LatentAdjWarning
from latentadj.factors import LatentFactorEstimator, MethodInfo
from latentadj.models import LinearModel
from latentadj.results import AdjustmentResult
from latentadj.testing.comparison import Numbers, numbers
from latentadj.testing.error import ContractError
from latentadj.testing.study import MadeUpStudy

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Subject:
    """A method, the study it is checked on, and how closely numbers have to agree.

    Attributes
    ----------
    original : LatentFactorEstimator
        As it was given; only clones of it are fitted.
    study : MadeUpStudy
    formula : str
    rounding : float
        For sums taken in another order.
    single : float
        For values rounded to single precision.
    """

    original: LatentFactorEstimator
    study: MadeUpStudy
    formula: str
    rounding: float
    single: float

    @property
    def info(self) -> MethodInfo:
        """What the method declares."""
        return self.original.method_info

    @property
    def takes_number(self) -> bool:
        """Whether the number of factors can be asked for."""
        return "n_factors" in self.original.get_params(deep=False)

    @property
    def least_squares(self) -> bool:
        """Whether every feature is fitted by least squares."""
        model = self.original.model
        return isinstance(self.original._default_model() if model is None else model, LinearModel)

    def estimator(
        self,
        n_factors: int | None = None,
        *,
        samples: NDArray[Any] | None = None,
        controls: NDArray[np.bool_] | None = None,
    ) -> LatentFactorEstimator:
        """Return a clone with the study's number of factors, controls and what else it needs to be told.

        Parameters
        ----------
        n_factors : int, optional
            The study's number by default.
        samples : ndarray of int, optional
            Order of the samples it will see.
        controls : ndarray of bool, optional
            Instead of the study's.
        """
        method: LatentFactorEstimator = clone(self.original)
        options = method.get_params(deep=False)
        given: dict[str, Any] = {}
        if self.takes_number:
            given["n_factors"] = self.study.n_factors if n_factors is None else n_factors
        if "controls" in options:
            given["controls"] = self.study.controls if controls is None else controls
        for name in method.sample_parameters:
            value = self._sample_values(name, options[name])
            if value is not None:
                given[name] = value if samples is None else value[samples]
        return method.set_params(**given)

    def _sample_values(self, name: str, given: Any) -> NDArray[Any] | None:
        """Values of a setting per sample; None where it is optional and was left out."""
        if given is not None and not isinstance(given, str):
            return np.asarray(given)
        column = name if given is None else given
        if column in self.study.sample_data:
            needed = given is not None or name in self.info.needs
            return self.study.sample_data[column].to_numpy() if needed else None
        if given is None and name not in self.info.needs:
            return None
        raise ContractError(
            f"{self.info.title} needs {name}=, which the study does not have. Give it to the estimator, one value per "
            f"sample, or pass a study whose sample_data has a column {column!r}."
        )

    def run(
        self,
        X: Any = None,
        sample_data: pd.DataFrame | None = None,
        method: LatentFactorEstimator | None = None,
        **options: Any,
    ) -> AdjustmentResult:
        """Analyse the study, or a changed one, with the testing front."""
        options = {"formula": self.formula, "allow_invalid": True, **options}
        front = AdjustedRegression(self.estimator() if method is None else method, **options)
        table = self.study.sample_data if sample_data is None else sample_data
        with quiet():
            return front.fit(self.study.frame if X is None else X, sample_data=table).result_

    @cached_property
    def usual(self) -> AdjustmentResult:
        """Result on the study as it is."""
        return self.run()

    @cached_property
    def expected(self) -> Numbers:
        """The numbers of `usual`."""
        return numbers(self.usual)

    @cached_property
    def target(self) -> NDArray[Any]:
        """Primary variable as the `y` of ``fit``: the last column that the design tests."""
        return self.usual.design.primary[:, -1]

    def fitted(self) -> LatentFactorEstimator:
        """Return the method after ``fit(X, y)``."""
        with quiet():
            return self.estimator().fit(self.study.X, self.target)

    def working(self, X: Array) -> Array:
        """Return data on the scale that the method regresses on."""
        return np.asarray(collect(self.estimator().working_matrix(ArrayMatrix(X))), dtype=np.float64)


@contextmanager
def quiet() -> Iterator[None]:
    """Hide the package's own warnings, which results keep anyway."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LatentAdjWarning)
        yield
