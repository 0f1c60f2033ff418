"""What a design is: labelled columns with roles, and what can be asked of them or added to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from latentadj.design import estimability, inputs
from latentadj.design.covariates import CovariateInfo, describe_covariate
from latentadj.design.recipe import FormulaRecipe, FrameRecipe
from latentadj.design.wording import quote_list
from latentadj.exceptions import DesignError


@dataclass(frozen=True, eq=False)
class DesignColumns:
    """Labelled design columns: the part of :class:`~latentadj.design.Design` that does not build or check.

    Attributes
    ----------
    See :class:`~latentadj.design.Design`.

    Examples
    --------
    >>> from latentadj.design import Design
    >>> Design.from_arrays([0, 1, 1]).primary.shape
    (3, 1)
    """

    matrix: NDArray[np.float64] = field(repr=False)
    names: tuple[str, ...]
    roles: tuple[str, ...]
    terms: tuple[str, ...]
    variables: tuple[tuple[str, ...], ...]
    sample_ids: tuple[str, ...] | None = field(default=None, repr=False)
    formula: str | None = None
    covariates: tuple[CovariateInfo, ...] = field(default=(), repr=False)
    spec: FormulaRecipe | FrameRecipe | None = field(default=None, repr=False)
    covariate_frame: pd.DataFrame | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        frozen = np.array(self.matrix, dtype=np.float64, order="C")
        frozen.setflags(write=False)
        object.__setattr__(self, "matrix", frozen)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.matrix.setflags(write=False)

    @property
    def n_samples(self) -> int:
        """Number of samples n."""
        return int(self.matrix.shape[0])

    @property
    def primary(self) -> NDArray[np.float64]:
        """Tested columns, (n, p)."""
        return self.matrix[:, self.columns_with("primary")]

    @property
    def nuisance(self) -> NDArray[np.float64]:
        """Adjustment columns without estimated factors, (n, q)."""
        return self.matrix[:, self.columns_with("nuisance")]

    @property
    def primary_names(self) -> tuple[str, ...]:
        """Names of the tested columns."""
        return tuple(self.names[column] for column in self.columns_with("primary"))

    @property
    def has_intercept_span(self) -> bool:
        """True when the columns span the column of ones, whether or not one of them is it."""
        return estimability.spans_constant(self.matrix)

    @property
    def rank(self) -> int:
        """Rank of the matrix, columns compared on one scale."""
        return estimability.numerical_rank(self.matrix)

    @property
    def aliases(self) -> tuple[estimability.Alias, ...]:
        """Columns that add nothing, with their relation; tested columns are blamed last in line."""
        order = [column for role in ("nuisance", "factor", "primary") for column in self.columns_with(role)]
        return estimability.find_aliases(self.matrix, self.names, order)

    def columns_with(self, role: str) -> list[int]:
        """Return the positions of the columns with a role.

        Examples
        --------
        >>> from latentadj.design import Design
        >>> Design.from_arrays([0, 1, 1]).columns_with("primary")
        [1]
        """
        return [column for column, found in enumerate(self.roles) if found == role]

    def reads(self, column: str) -> tuple[str, ...]:
        """Return the columns of the sample table that a design column is computed from.

        Examples
        --------
        >>> from latentadj.design import Design
        >>> Design.from_formula("~ np.log(dose)", pd.DataFrame({"dose": [1.0, 2.0]})).reads("np.log(dose)")
        ('dose',)
        """
        return self.variables[self.names.index(column)]

    def augment(self, factors: ArrayLike | pd.DataFrame, names: Sequence[str] | None = None) -> Self:
        """Append estimated factors as columns with the role ``"factor"``.

        Parameters
        ----------
        factors : (n, k) or (n,) array-like
            Factor values; k = 0 is allowed.
        names : sequence of str, optional
            By default ``factor1, factor2 ...``, continuing after factors that are there.

        Returns
        -------
        Design

        Raises
        ------
        DesignError
            Wrong number of rows, values that are not finite, or a name that exists.

        Examples
        --------
        >>> from latentadj.design import Design
        >>> Design.from_arrays([0, 1, 1]).augment(np.eye(3)[:, :1]).roles
        ('nuisance', 'primary', 'factor')
        """
        start = len(self.columns_with("factor"))
        width = np.shape(factors)[1] if np.ndim(factors) == 2 else 1
        labels = list(names) if names is not None else [f"factor{start + number + 1}" for number in range(width)]
        block = inputs.numeric_block(factors, "factor", labels)
        if block.values.shape[0] != self.n_samples:
            raise DesignError(f"The factors have {block.values.shape[0]} rows and the design {self.n_samples}.")
        twice = sorted({name for name in block.names if (self.names + block.names).count(name) > 1})
        if twice:
            raise DesignError(f"Factor names {quote_list(twice)} are taken. Give others with names=.")
        return replace(
            self,
            matrix=np.hstack([self.matrix, block.values]),
            names=self.names + block.names,
            roles=self.roles + ("factor",) * width,
            terms=self.terms + block.names,
            variables=self.variables + ((),) * width,
        )

    def subset(self, rows: ArrayLike | slice) -> Self:
        """Keep some samples; columns and encoding stay as they are.

        Parameters
        ----------
        rows : slice, (n,) bool or (m,) int
            Samples to keep.

        Returns
        -------
        Design

        Examples
        --------
        >>> from latentadj.design import Design
        >>> Design.from_arrays([0, 1, 1]).subset([0, 2]).n_samples
        2
        """
        picked = np.arange(self.n_samples)[rows if isinstance(rows, slice) else np.asarray(rows)]
        frame = None if self.covariate_frame is None else self.covariate_frame.iloc[picked]
        ids = None if self.sample_ids is None else tuple(self.sample_ids[row] for row in picked)
        return replace(
            self,
            matrix=self.matrix[picked],
            sample_ids=ids,
            covariates=describe_again(self.covariates, frame),
            covariate_frame=frame,
        )


def describe_again(covariates: tuple[CovariateInfo, ...], frame: pd.DataFrame | None) -> tuple[CovariateInfo, ...]:
    """Count levels and take ranges anew for other samples.

    Examples
    --------
    >>> describe_again((), None)
    ()
    """
    if frame is None:
        return covariates
    return tuple(describe_covariate(frame[info.name], info.name, info.role, info.kind) for info in covariates)
