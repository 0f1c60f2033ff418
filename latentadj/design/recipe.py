"""Replayable recipes: the frozen way from a sample table to the known columns of a design."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from formulaic import ModelSpec
from formulaic.errors import DataMismatchWarning
from formulaic.formula import SimpleFormula
from numpy.typing import NDArray

from latentadj.design.codings import KnownColumns, LevelCoding, read_coding
from latentadj.design.covariates import (
    CovariateInfo,
    describe_covariate,
    level_values,
    prepare_frame,
    require_columns,
    sample_ids_of,
    unseen_levels,
    with_text_columns,
)
from latentadj.design.formula import ParsedFormula, parse_formula
from latentadj.design.wording import quote_list, sample_list
from latentadj.exceptions import ConfoundedDesignError, CovariateTypeWarning, DesignError, FormulaError


@dataclass(frozen=True)
class FormulaRecipe:
    """A formula with its encoding frozen on a training table.

    Attributes
    ----------
    parsed : ParsedFormula
        The checked formula.
    model_spec : formulaic ModelSpec
        Levels, knots, centres and scales as training had them.
    columns : KnownColumns
        Names, roles, terms and variables; its matrix is the training matrix.
    covariates : tuple of CovariateInfo
        The parsed table of the training samples.
    levels : dict
        Categorical variable -> its levels as they stand in the data.
    codings : dict
        Categorical variable with a term of its own -> LevelCoding.

    Examples
    --------
    >>> recipe, _ = build_recipe("~ sex", pd.DataFrame({"sex": ["m", "f"]}))
    >>> recipe.levels
    {'sex': ('f', 'm')}
    """

    parsed: ParsedFormula
    model_spec: Any = field(repr=False)
    columns: KnownColumns = field(repr=False)
    covariates: tuple[CovariateInfo, ...] = ()
    levels: dict[str, tuple[object, ...]] = field(default_factory=dict)
    codings: dict[str, LevelCoding] = field(default_factory=dict)

    def apply(self, sample_data: pd.DataFrame) -> tuple[NDArray[np.float64], pd.DataFrame]:
        """Build the same columns for other samples.

        Parameters
        ----------
        sample_data : DataFrame
            One row per new sample.

        Returns
        -------
        matrix : (n_new, d) float64
        frame : DataFrame
            The covariates, typed.

        Raises
        ------
        DesignError
            A column is missing, has gaps, or holds a level that training did not have.

        Examples
        --------
        >>> recipe, _ = build_recipe("~ sex", pd.DataFrame({"sex": ["m", "f"]}))
        >>> recipe.apply(pd.DataFrame({"sex": ["m"]}))[0]
        array([[1., 1.]])
        """
        table = with_text_columns(sample_data)
        numbers = {name for name in self.parsed.categorical if all(isinstance(v, np.number) for v in self.levels[name])}
        frozen = {name: levels for name, levels in self.levels.items() if name not in numbers}
        frame = prepare_frame(table, self.parsed.variables, frozen)
        for covariate in self.covariates:
            _compare_with_training(covariate, frame[covariate.name], self.levels.get(covariate.name))
        evaluated = _evaluate(self.model_spec, self.parsed, frame)
        return _values(evaluated, self.parsed, sample_ids_of(frame)), frame


@dataclass(frozen=True)
class FrameRecipe:
    """A ready numeric design frame: the same columns are taken from another frame.

    Attributes
    ----------
    names : tuple of str
        Design columns in order.
    intercept : str or None
        Name of the column of ones that was added, if any.

    Examples
    --------
    >>> FrameRecipe(("Intercept", "x"), "Intercept").names
    ('Intercept', 'x')
    """

    names: tuple[str, ...]
    intercept: str | None = None

    def apply(self, sample_data: pd.DataFrame) -> tuple[NDArray[np.float64], pd.DataFrame]:
        """Take the columns from ``sample_data``.

        Parameters
        ----------
        sample_data : DataFrame
            One row per new sample.

        Returns
        -------
        matrix : (n_new, d) float64
        frame : DataFrame
            The columns without the added intercept.

        Raises
        ------
        DesignError
            A column is missing, has gaps, or is not numeric.

        Examples
        --------
        >>> FrameRecipe(("Intercept", "x"), "Intercept").apply(pd.DataFrame({"x": [3]}))[0]
        array([[1., 3.]])
        """
        table = with_text_columns(sample_data)
        wanted = [name for name in self.names if name != self.intercept]
        require_columns(wanted, table)
        frame = prepare_frame(table, wanted)
        text = [name for name in wanted if isinstance(frame[name].dtype, pd.CategoricalDtype)]
        if text:
            raise DesignError(f"Columns {quote_list(text)} are not numeric, but the design was a numeric frame.")
        ones = np.ones(len(frame))
        columns = [ones if name == self.intercept else frame[name].to_numpy(dtype=np.float64) for name in self.names]
        return np.column_stack(columns), frame


def build_recipe(formula: str, sample_data: pd.DataFrame) -> tuple[FormulaRecipe, pd.DataFrame]:
    """Parse a formula and evaluate both parts together on a table.

    Parameters
    ----------
    formula : str
        ``"~ primary | nuisance"``.
    sample_data : DataFrame
        One row per sample.

    Returns
    -------
    recipe : FormulaRecipe
    frame : DataFrame
        The covariates that were read, typed.

    Raises
    ------
    FormulaError, DesignError, ConfoundedDesignError
        See :func:`latentadj.design.formula.parse_formula` and :func:`prepare_frame`; the last one when a
        tested term has no column of its own.

    Notes
    -----
    Both parts are evaluated as one list of terms, nuisance first. A categorical tested variable is then coded
    against the intercept of part two, and an interaction only adds what its margins do not span.

    Examples
    --------
    >>> table = pd.DataFrame({"dose": [0.0, 1.0, 2.0], "sex": ["f", "m", "f"]})
    >>> build_recipe("~ dose | sex", table)[0].columns.names
    ('Intercept', 'sex[T.m]', 'dose')
    """
    table = with_text_columns(sample_data)
    parsed = parse_formula(formula, list(table.columns))
    frame = prepare_frame(table, parsed.variables)
    spec = ModelSpec(
        formula=SimpleFormula([*parsed.nuisance, *parsed.primary], _ordering="none"),
        na_action="ignore",
        output="pandas",
    )
    evaluated = _evaluate(spec, parsed, frame)
    matrix = _values(evaluated, parsed, sample_ids_of(frame))
    columns = _label(parsed, evaluated.model_spec, matrix)
    covariates = _describe(parsed, frame, columns)
    categorical = [info.name for info in covariates if info.kind == "categorical"]
    levels = {name: level_values(frame[name]) for name in categorical}
    codings = {name: coding for name in categorical if (coding := read_coding(name, frame[name], columns)) is not None}
    return FormulaRecipe(parsed, evaluated.model_spec, columns, covariates, levels, codings), frame


def _evaluate(spec: Any, parsed: ParsedFormula, frame: pd.DataFrame) -> Any:
    """Run formulaic on checked terms only; its failures become FormulaError."""
    aliases = {alias: frame[name] for alias, name in parsed.aliases.items()}
    table = frame.assign(**aliases)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore", RuntimeWarning)
            warnings.simplefilter("error", DataMismatchWarning)
            return spec.get_model_matrix(table, context={})
    except Exception as error:
        reason = parsed.restore(str(error)).split("\n")[0]
        raise FormulaError(
            f"The formula '{parsed.text}' cannot be evaluated on this sample table: {reason} Check that "
            "numeric functions are given numeric columns, or compute the variable as a column of its own."
        ) from None


def _values(evaluated: Any, parsed: ParsedFormula, ids: tuple[str, ...] | None) -> NDArray[np.float64]:
    matrix = np.asarray(evaluated.to_numpy(dtype=np.float64), dtype=np.float64)
    rows, columns = np.nonzero(~np.isfinite(matrix))
    if rows.size:
        names = [parsed.restore(str(evaluated.columns[column])) for column in np.unique(columns)]
        raise DesignError(
            f"The formula gives values that are not finite in {quote_list(names)} for "
            f"{sample_list(np.unique(rows), ids)} (a logarithm of zero or less?). Transform the variable "
            "differently, or drop these samples."
        )
    return matrix


def _label(parsed: ParsedFormula, spec: Any, matrix: NDArray[np.float64]) -> KnownColumns:
    """Name each column and attach its term, role and variables."""
    names: list[str] = []
    roles: list[str] = []
    terms: list[str] = []
    variables: list[tuple[str, ...]] = []
    for entry in spec.structure:
        role = "primary" if entry.term in parsed.primary else "nuisance"
        if role == "primary" and not entry.columns:
            raise _empty_term(parsed.restore(str(entry.term)))
        names += [parsed.restore(str(name)) for name in entry.columns]
        roles += [role] * len(entry.columns)
        terms += [_term_name(parsed, entry.term)] * len(entry.columns)
        variables += [parsed.variables_of(entry.term)] * len(entry.columns)
    if len(names) != matrix.shape[1] or len(set(names)) != len(names):
        raise DesignError(
            "Two terms of the formula give columns of the same name. Rename a column of the sample table."
        )
    if not names:
        raise DesignError("The design has no column at all. Write '~ 1' for a design with the intercept only.")
    return KnownColumns(matrix, tuple(names), tuple(roles), tuple(terms), tuple(variables))


def _term_name(parsed: ParsedFormula, term: Any) -> str:
    text = parsed.restore(str(term))
    return "Intercept" if text == "1" else text


def _empty_term(term: str) -> ConfoundedDesignError:
    return ConfoundedDesignError(
        f"The tested term `{term}` adds no column to the design: it has a single level, or the adjustment "
        "terms already span it. Ways out: (1) check the levels of the variable; (2) remove the term from "
        "the tested part; (3) remove the adjustment term that contains it."
    )


def _describe(parsed: ParsedFormula, frame: pd.DataFrame, columns: KnownColumns) -> tuple[CovariateInfo, ...]:
    tested = {
        name
        for names, role in zip(columns.variables, columns.roles, strict=True)
        if role == "primary"
        for name in names
    }
    infos = []
    for name in parsed.variables:
        labels = isinstance(frame[name].dtype, pd.CategoricalDtype) or name in parsed.categorical
        role = "primary" if name in tested else "nuisance"
        infos.append(describe_covariate(frame[name], name, role, "categorical" if labels else "numeric"))
    return tuple(sorted(infos, key=lambda info: info.role == "nuisance"))


def _compare_with_training(covariate: CovariateInfo, values: pd.Series, levels: tuple[object, ...] | None) -> None:
    """Stop at new levels and new types, warn about numbers outside the training range."""
    labels = isinstance(values.dtype, pd.CategoricalDtype)
    if covariate.kind == "categorical":
        unseen = unseen_levels(values.tolist(), levels or ())
        if unseen:
            raise DesignError(
                f"Column `{covariate.name}` has levels that the training samples did not have: "
                f"{quote_list(unseen)}. Training levels: {quote_list(covariate.levels, 30)}. Drop these "
                "samples, map the level to a known one, or fit again with samples of that level."
            )
        return
    if labels:
        raise DesignError(
            f"Column `{covariate.name}` was numeric in the training samples and holds text now. Convert it "
            "with pandas.to_numeric."
        )
    numbers = values.to_numpy(dtype=np.float64)
    low, high = covariate.minimum or 0.0, covariate.maximum or 0.0
    outside = int(np.sum((numbers < low) | (numbers > high)))
    if outside:
        warnings.warn(
            f"Covariate `{covariate.name}` lies outside the training range [{low:g}, {high:g}] in {outside} "
            f"of {numbers.size} samples (here {numbers.min():g} to {numbers.max():g}): the adjustment is "
            "extrapolated there.",
            CovariateTypeWarning,
            stacklevel=5,
        )
