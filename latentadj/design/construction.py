"""Ways to make a design: from a formula, column names, numbers, or whatever stands for one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import pandas as pd
from numpy.typing import ArrayLike

from latentadj.design import inputs
from latentadj.design.codings import KnownColumns
from latentadj.design.columns import DesignColumns
from latentadj.design.covariates import describe_covariate, require_columns, sample_ids_of
from latentadj.design.formula import quoted_sum
from latentadj.design.recipe import FrameRecipe, build_recipe
from latentadj.exceptions import DesignError, FormulaError


class DesignConstructors(DesignColumns):
    """The class methods of :class:`~latentadj.design.Design` that build one.

    Examples
    --------
    >>> from latentadj.design import Design
    >>> Design.from_arrays([0, 1, 1]).names
    ('Intercept', 'x')
    """

    @classmethod
    def from_formula(cls, formula: str, sample_data: pd.DataFrame) -> Self:
        """Build a design from ``"~ primary | nuisance"`` and an aligned sample table.

        Parameters
        ----------
        formula : str
            Part one is tested; part two is adjusted for and holds the intercept (``| 0 + age`` leaves it
            out).
        sample_data : DataFrame
            One row per sample, in the order of the measured matrix.

        Returns
        -------
        Design

        Raises
        ------
        FormulaError
            The formula cannot be parsed, names an unknown column, or calls something that is not allowed.
        DesignError
            A covariate has missing values or a type without a place in a design.
        ConfoundedDesignError
            A tested term has no column of its own (a single level, or spanned by construction).

        Examples
        --------
        >>> from latentadj.design import Design
        >>> table = pd.DataFrame({"tissue": ["a", "b", "c", "a"]})
        >>> Design.from_formula("~ tissue", table).names
        ('Intercept', 'tissue[T.b]', 'tissue[T.c]')
        """
        recipe, frame = build_recipe(formula, sample_data)
        return cls._of(
            recipe.columns,
            sample_ids=sample_ids_of(sample_data),
            formula=formula.strip(),
            covariates=recipe.covariates,
            spec=recipe,
            covariate_frame=frame,
        )

    @classmethod
    def from_columns(cls, primary: Sequence[str], nuisance: Sequence[str], sample_data: pd.DataFrame) -> Self:
        """Build a design from lists of column names; the intercept is added.

        Parameters
        ----------
        primary, nuisance : sequence of str
            Columns of ``sample_data`` to test and to adjust for. A single text counts as a list of one.
        sample_data : DataFrame
            One row per sample.

        Returns
        -------
        Design

        Raises
        ------
        DesignError
            A column does not exist; see also :meth:`from_formula`.

        Examples
        --------
        >>> from latentadj.design import Design
        >>> table = pd.DataFrame({"cell type": ["a", "b", "b"], "age": [1.0, 2.0, 5.0]})
        >>> Design.from_columns(["cell type"], ["age"], table).names
        ('Intercept', 'age', 'cell type[T.b]')
        """
        parts = [[part] if isinstance(part, str) else [str(name) for name in part] for part in (primary, nuisance)]
        require_columns(parts[0] + parts[1], sample_data)
        tested, adjusted = (quoted_sum(part) for part in parts)
        return cls.from_formula(f"~ {tested} | {adjusted}" if parts[1] else f"~ {tested}", sample_data)

    @classmethod
    def from_arrays(
        cls,
        primary: ArrayLike | pd.DataFrame | pd.Series,
        nuisance: ArrayLike | pd.DataFrame | pd.Series | None = None,
        *,
        intercept: bool = True,
        primary_names: Sequence[str] | None = None,
        nuisance_names: Sequence[str] | None = None,
        sample_ids: Sequence[str] | None = None,
    ) -> Self:
        """Build a design from numbers: vectors, matrices or ready frames.

        Parameters
        ----------
        primary : array-like (n,) or (n, p)
            Tested columns.
        nuisance : array-like (n,) or (n, q), optional
            Adjustment columns.
        intercept : bool
            Add a column of ones unless the nuisance columns span it.
        primary_names, nuisance_names : sequence of str, optional
            Names; by default those of a frame, or ``x``, ``x1 ...`` and ``w``, ``w1 ...``.
        sample_ids : sequence of str, optional
            IDs of the rows; by default the index of a frame.

        Returns
        -------
        Design

        Raises
        ------
        DesignError
            Not numeric, missing values, or lengths and names that do not fit together.

        Examples
        --------
        >>> from latentadj.design import Design
        >>> Design.from_arrays([0, 0, 1, 1], nuisance=[[1.0], [2.0], [3.0], [5.0]]).names
        ('Intercept', 'w', 'x')
        """
        tested = inputs.numeric_block(primary, "x", primary_names)
        adjusted = None if nuisance is None else inputs.numeric_block(nuisance, "w", nuisance_names)
        columns = inputs.join_blocks(tested, adjusted, intercept=intercept)
        ids = tested.sample_ids if sample_ids is None else tuple(str(name) for name in sample_ids)
        if ids is not None and len(ids) != columns.matrix.shape[0]:
            raise DesignError(f"{len(ids)} sample IDs were given for {columns.matrix.shape[0]} rows.")
        given = (*(adjusted.names if adjusted else ()), *tested.names)
        added = next((name for name in columns.names if name not in given), None)
        frame = pd.DataFrame(columns.matrix, columns=list(columns.names), index=None if ids is None else list(ids))
        frame = frame.drop(columns=[] if added is None else [added])
        roles = dict(zip(columns.names, columns.roles, strict=True))
        return cls._of(
            columns,
            sample_ids=ids,
            covariates=tuple(describe_covariate(frame[n], n, roles[n], "numeric") for n in frame.columns),
            spec=FrameRecipe(columns.names, added) if isinstance(primary, pd.DataFrame | pd.Series) else None,
            covariate_frame=frame,
        )

    @classmethod
    def resolve(cls, design: Any, sample_data: pd.DataFrame | None = None, *, n_samples: int | None = None) -> Self:
        """Build a design from whatever stands for one: the single entry point of the package.

        Parameters
        ----------
        design : str, list, tuple, DataFrame, array-like, Design or None
            A formula; a list of tested column names; a pair ``(tested, adjusted)`` of such lists or of
            arrays; a numeric frame or array (all columns tested, intercept added unless present); a Design
            as it is; None for the intercept only.
        sample_data : DataFrame, optional
            The aligned sample table; needed for formulas and names.
        n_samples : int, optional
            Number of samples, to compare with, and for None without a table.

        Returns
        -------
        Design

        Raises
        ------
        DesignError, FormulaError, AlignmentError
            The input fits none of these forms, or a table is needed and missing, or lengths differ.

        Examples
        --------
        >>> from latentadj.design import Design
        >>> table = pd.DataFrame({"x": [0.0, 1.0, 3.0], "age": [30, 40, 80]})
        >>> for given in ("~ x | age", ["x"], (["x"], ["age"]), table[["x"]], [0, 1, 1]):
        ...     print(Design.resolve(given, table).names)
        ('Intercept', 'age', 'x')
        ('Intercept', 'x')
        ('Intercept', 'age', 'x')
        ('Intercept', 'x')
        ('Intercept', 'x')
        """
        built = cls._resolve(design, sample_data, n_samples)
        expected = n_samples if sample_data is None else len(sample_data)
        if expected is not None and built.n_samples != expected:
            raise DesignError(
                f"The design has {built.n_samples} rows and there are {expected} samples. Give one row per sample."
            )
        if built.sample_ids is None and sample_data is not None:
            return replace(built, sample_ids=sample_ids_of(sample_data))
        return built

    @classmethod
    def _of(cls, columns: KnownColumns, **rest: Any) -> Self:
        return cls(columns.matrix, columns.names, columns.roles, columns.terms, columns.variables, **rest)

    @classmethod
    def _resolve(cls, design: Any, sample_data: pd.DataFrame | None, n_samples: int | None) -> Self:
        """Dispatch on the form of the input."""
        if isinstance(design, cls):
            return design
        if design is None or (isinstance(design, str) and not design.strip(" ~01|")):
            empty = pd.DataFrame(index=pd.RangeIndex(n_samples or 0)) if sample_data is None else sample_data
            return cls.from_formula(design or "~ 1", empty)
        pair = isinstance(design, tuple) and len(design) == 2 and not inputs.is_name_list(design)
        if pair and all(part is None or inputs.is_name_list(part) or isinstance(part, str) for part in design):
            return cls.from_columns(design[0] or [], design[1] or [], _needed(sample_data))
        if isinstance(design, str):
            return cls.from_formula(design, _needed(sample_data))
        if inputs.is_name_list(design):
            return cls.from_columns(design, [], _needed(sample_data))
        if pair:
            return cls.from_arrays(*(_aligned(part, sample_data) for part in design))
        return cls.from_arrays(_aligned(design, sample_data))


def _needed(sample_data: pd.DataFrame | None) -> pd.DataFrame:
    if sample_data is None:
        raise FormulaError(
            "A formula or column names need a sample table. Give sample_data=, a DataFrame indexed by "
            "sample ID, or give the design as numbers."
        )
    return sample_data


def _aligned(part: Any, sample_data: pd.DataFrame | None) -> Any:
    """Order frames and Series by sample ID; leave arrays as they are."""
    if isinstance(part, pd.Series):
        part = part.to_frame("x" if part.name is None else part.name)
    return inputs.align_frame(part, sample_data) if isinstance(part, pd.DataFrame) else part
