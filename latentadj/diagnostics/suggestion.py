"""A formula to begin with, from the names of the columns and what the samples follow."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from latentadj.design import Design
from latentadj.design.formula import parse_formula
from latentadj.diagnostics.covariates import read_covariate
from latentadj.diagnostics.sample_columns import guessed_role, in_formula
from latentadj.exceptions import (
    ConfoundedDesignError,
    InputError,
    LatentAdjWarning,
    LowResidualDfWarning,
    NearConfoundingWarning,
)

#: Adjusted p-value of a component and a covariate from which the covariate is suggested.
ALPHA = 0.05


@dataclass(frozen=True)
class Suggestion:
    """A formula to begin with.

    Attributes
    ----------
    formula : str
        Empty where no column can be tested.
    reasons : tuple of str
        Why each column is in it, or is not.
    guessed : bool
        Whether the tested column was taken by its name, so that it has to be looked at.

    Examples
    --------
    >>> Suggestion("~ group", ("group is tested.",)).guessed
    False
    """

    formula: str
    reasons: tuple[str, ...] = ()
    guessed: bool = False


def suggest_formula(sample_data: pd.DataFrame, associations: pd.DataFrame, formula: str | None = None) -> Suggestion:
    """Suggest a formula: what is tested, and covariates that the samples follow and that can be told from it.

    Parameters
    ----------
    sample_data : pandas.DataFrame of n_samples rows
    associations : pandas.DataFrame
        From `component_association`.
    formula : str, optional
        What the user has in mind; its tested part is kept, and its adjusted part added to.

    Returns
    -------
    Suggestion

    Raises
    ------
    FormulaError
        For a formula that cannot be read.

    Notes
    -----
    A covariate is added when a leading component follows it (adjusted p-value below 0.05), unless its name says that
    it is what a study is about: that may be a consequence of what is tested, and adjusting for it would take effects
    away. Covariates that leave the tested columns inestimable, or too few degrees of freedom, stay out. Hidden factors
    are estimated beside all of these.

    Examples
    --------
    >>> table = pd.DataFrame({"group": list("abab") * 3, "plate": list("aabb") * 3})
    >>> pairs = pd.DataFrame({"component": ["component 1"], "share": [0.4], "covariate": ["plate"],
    ...                       "statistic": [0.9], "p_adjusted": [1e-6]})
    >>> suggest_formula(table, pairs).formula
    '~ group | plate'
    """
    reasons: list[str] = []
    if formula is None:
        tested = _tested(sample_data)
        if tested is None:
            return Suggestion("", ("No column of the sample table can be tested.",))
        reasons.append(f"{tested} is taken as what is studied, by its name; put another column there if it is not.")
        current = f"~ {_term(sample_data, tested)}"
    else:
        current = formula
    known = set(parse_formula(current, [str(name) for name in sample_data.columns]).variables)
    for name, why in _followed(associations):
        if name in known:
            continue
        refused = _refusal(sample_data, name, extended := _with(current, _term(sample_data, name)))
        if refused:
            reasons.append(f"{name} is left out: {why}, but {refused}.")
            continue
        current = extended
        reasons.append(f"{name} is adjusted for: {why}{_price(sample_data, current)}.")
    return Suggestion(current, tuple(reasons), formula is None)


def _tested(sample_data: pd.DataFrame) -> str | None:
    """The first column that can be used whose name says that it is studied, or that is not technical."""
    for wanted in ("studied", "other"):
        for i, name in enumerate(sample_data.columns):
            values = sample_data.iloc[:, i]
            usable = read_covariate(values, str(name)).kind != "skipped" and bool(values.notna().all())
            if usable and not _is_date(values) and guessed_role(str(name), values) == wanted:
                return str(name)
    return None


def _term(sample_data: pd.DataFrame, name: str) -> str:
    values = sample_data[_column(sample_data, name)]
    return in_formula(read_covariate(values, name), values)


def _column(sample_data: pd.DataFrame, name: str) -> object:
    """The label of a column that reads like a name."""
    return next(label for label in sample_data.columns if str(label) == name)


def _is_date(values: pd.Series) -> bool:
    return pd.api.types.is_datetime64_any_dtype(values.dtype)


def _followed(associations: pd.DataFrame) -> Sequence[tuple[str, str]]:
    """Covariates that a component follows, by the variation that goes with them, and the words for it."""
    found = associations[associations["p_adjusted"] < ALPHA]
    if found.empty:
        return []
    weight = (found["share"] * found["statistic"]).groupby(found["covariate"]).sum()
    names = weight.sort_values(ascending=False, kind="stable").index
    out = []
    for name in names:
        pairs = found[found["covariate"] == name]
        best = pairs.iloc[int((pairs["share"] * pairs["statistic"]).to_numpy().argmax())]
        why = f"{best['component']} ({best['share']:.0%} of the variation) follows it ({best['statistic']:.0%})"
        out.append((str(name), why))
    return out


def _with(formula: str, term: str) -> str:
    head, bar, rest = formula.partition("|")
    return f"{head.rstrip()} | {f'{rest.strip()} + {term}' if bar and rest.strip() else term}"


def _refusal(sample_data: pd.DataFrame, name: str, formula: str) -> str:
    """Why a covariate stays out of the formula; empty when it does not."""
    values = sample_data[_column(sample_data, name)]
    if guessed_role(name, values) == "studied":
        return "by its name it is something studied, which may follow from what is tested"
    if _is_date(values):
        return "dates cannot be in a formula; turn them into numbers or labels"
    if values.isna().any():
        return f"{int(values.isna().sum())} samples have no value of it"
    try:
        issued = _checked(sample_data, formula)
    except ConfoundedDesignError:
        return "it cannot be told apart from what is tested"
    except InputError as error:
        return f"the design cannot be fitted with it ({str(error).splitlines()[0]})"
    if any(isinstance(warning, LowResidualDfWarning) for warning in issued):
        return "it would leave few degrees of freedom"
    return ""


def _price(sample_data: pd.DataFrame, formula: str) -> str:
    near = [warning for warning in _checked(sample_data, formula) if isinstance(warning, NearConfoundingWarning)]
    return ", though it nearly determines what is tested, whose errors grow" if near else ""


def _checked(sample_data: pd.DataFrame, formula: str) -> tuple[LatentAdjWarning, ...]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Design.from_formula(formula, sample_data).check()
