"""Covariates of the samples as columns of numbers, coded in training and in the same way ever after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.batch.samples import coded_columns, covariate_design
from latentadj.design import Design
from latentadj.design.estimability import find_aliases
from latentadj.exceptions import ConfoundedDesignError, DegreesOfFreedomError, InputError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class CovariateCoding:
    """Coded covariates of a training set; columns that do not vary there are left out.

    Attributes
    ----------
    training : ndarray of shape (n_samples, q)
        Without the intercept.
    names : list of str
        Names of the columns.
    design : Design or None
        None if there are no covariates.
    varying : ndarray of bool
        Columns of the design, but the intercept, that are used.
    what : str
        Name of the parameter, for messages.
    """

    training: Array
    names: list[str]
    design: Design | None
    varying: NDArray[np.bool_]
    what: str = "covariates"

    @classmethod
    def of(cls, table: pd.DataFrame | None, n_samples: int, what: str = "covariates") -> Self:
        """Code a table of covariates ``(n_samples, c)``; None stands for none.

        Raises
        ------
        DesignError
            Missing values, or types without a place in a design.

        Examples
        --------
        >>> CovariateCoding.of(pd.DataFrame({"age": [30, 40], "site": ["a", "a"]}), 2).names
        ['age']
        """
        if table is None:
            return cls(np.zeros((n_samples, 0)), [], None, np.zeros(0, dtype=bool), what)
        design = covariate_design(table)
        columns = coded_columns(design)
        varying = np.ptp(columns, axis=0) > 0
        names = [name for name in design.names if name != "Intercept"]
        return cls(columns[:, varying], [names[i] for i in np.flatnonzero(varying)], design, varying, what)

    def replay(self, table: pd.DataFrame | None, n_samples: int) -> Array:
        """Code other samples as the training set, ``(n_samples, q)``.

        Raises
        ------
        InputError
            There were covariates in training and there are none here.
        DesignError
            A level that the training set does not have.
        """
        if self.design is None:
            return np.zeros((n_samples, 0))
        if table is None:
            raise InputError(f"The {self.what} of these samples are not known. Give transform(X, {self.what}=values).")
        return coded_columns(self.design.replay(table.rename(columns=str)))[:, self.varying]


def check_biology(covariates: Array, covariate_names: Sequence[str], biology: Array, names: Sequence[str]) -> None:
    """Refuse biology that covariates determine, and designs that fit all samples exactly.

    Parameters
    ----------
    covariates : ndarray of shape (n_samples, r)
        Without the intercept.
    covariate_names : sequence of str
    biology : ndarray of shape (n_samples, p)
    names : sequence of str

    Raises
    ------
    ConfoundedDesignError
        With the relation and ways out.
    DegreesOfFreedomError

    Examples
    --------
    >>> check_biology(np.array([[0.0], [1], [0], [1]]), ["x"], np.array([[0.0], [0], [1], [1]]), ["y"])
    """
    matrix = np.hstack([np.ones((len(biology), 1)), covariates, biology])
    aliases = find_aliases(matrix, ["Intercept", *covariate_names, *names], range(matrix.shape[1]))
    if aliases:
        raise ConfoundedDesignError(
            f"Biology and covariates cannot be told apart: {'; '.join(map(str, aliases[:3]))}. "
            "Ways out: (1) drop the covariate, or the part of the biology, named first; (2) merge levels; (3) measure "
            "more samples that tell them apart."
        )
    if matrix.shape[1] >= len(matrix):
        raise DegreesOfFreedomError(
            f"Biology and covariates take {matrix.shape[1]} columns with the intercept, and there are {len(matrix)} "
            "samples: no residual degrees of freedom are left. Ways out: fewer covariates, more samples."
        )
