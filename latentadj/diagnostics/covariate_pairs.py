"""Which covariates of a sample table go together, and which pairs cannot be told apart."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import chdtrc

from latentadj.core.multiple import adjust_pvalues
from latentadj.core.regression import design_basis
from latentadj.diagnostics.association import partial_fit
from latentadj.diagnostics.covariates import Covariate, read_covariates
from latentadj.diagnostics.design_view import connected_parts, cramers_v

RELATION_COLUMNS = (
    "covariate",
    "other",
    "measure",
    "association",
    "p_value",
    "p_adjusted",
    "verdict",
    "words",
    "n_obs",
)
#: Levels, or groups of them, that a sentence names.
MOST_NAMED = 4
#: Levels with fewer samples than this may sit in one level of another column by chance.
ENOUGH = 2


def covariate_relations(sample_data: pd.DataFrame) -> pd.DataFrame:
    """Measure how strongly each pair of covariates goes together, and say what cannot be told apart.

    Parameters
    ----------
    sample_data : pandas.DataFrame of n_samples rows

    Returns
    -------
    pandas.DataFrame
        ``covariate, other, measure, association, p_value, p_adjusted, verdict, words, n_obs``, a row per pair of
        columns that can be used, strongest first. `association` is between 0 and 1: Cramer's V of two labels, the
        correlation ratio (eta) of a label and a number, the absolute correlation of two numbers. `verdict` is
        "same" (one determines the other), "nested" (each level of one lies within a level of the other),
        "disconnected" (levels fall into groups that share no sample), "connected" (some cells are empty), "complete",
        or, with a number, "related" (association above 0.95) or "apart". `words` says which levels.

    Notes
    -----
    Chi-square test of two labels, else F test; both take samples as independent, and the first is rough with few
    samples per cell. With levels that are disconnected, the two covariates cannot both be in a formula (Searle 1971,
    Linear Models, section 7.4).

    Examples
    --------
    >>> table = pd.DataFrame({"group": list("aaaabb"), "batch": list("uuvvww")})
    >>> covariate_relations(table)[["verdict", "words"]].values.tolist()
    [['nested', 'every level of batch lies within one level of group']]
    """
    usable = [covariate for covariate in read_covariates(sample_data) if covariate.kind != "skipped"]
    rows = [_pair(first, second) for first, second in itertools.combinations(usable, 2)]
    table = pd.DataFrame(rows, columns=[name for name in RELATION_COLUMNS if name != "p_adjusted"])
    p = table["p_value"].to_numpy(dtype=np.float64)
    table = table.assign(p_value=p, p_adjusted=adjust_pvalues(p) if p.size else p)[list(RELATION_COLUMNS)]
    order = np.argsort(-table["association"].to_numpy(dtype=np.float64), kind="stable")
    return table.iloc[order].reset_index(drop=True)


def relation_words(counts: pd.DataFrame) -> tuple[str, str]:
    """Say how the levels of two covariates lie in each other.

    Parameters
    ----------
    counts : pandas.DataFrame of int
        Samples of each pair of levels; index and columns are named.

    Returns
    -------
    verdict, words : str
        As in `covariate_relations`.

    Examples
    --------
    >>> index, columns = pd.Index(["a", "b"], name="group"), pd.Index([1, 2, 3], name="batch")
    >>> relation_words(pd.DataFrame([[2, 2, 0], [0, 0, 2]], index, columns))
    ('nested', 'every level of batch lies within one level of group')
    >>> relation_words(pd.DataFrame([[2, 2, 0], [0, 1, 2]], index, columns))[1]
    'batch 1 only with group a; batch 3 only with group b'
    """
    counts = counts.loc[counts.sum(axis=1) > 0, counts.sum(axis=0) > 0]
    filled = counts.to_numpy() > 0
    row, column = str(counts.index.name), str(counts.columns.name)
    single_rows, single_columns = filled.sum(axis=1) == 1, filled.sum(axis=0) == 1
    if single_rows.all() and single_columns.all():
        return "same", f"{row} and {column} are the same grouping of the samples"
    if single_columns.all() or single_rows.all():
        inner, outer = (column, row) if single_columns.all() else (row, column)
        return "nested", f"every level of {inner} lies within one level of {outer}"
    parts = connected_parts(counts.to_numpy())
    if len(parts) > 1:
        return "disconnected", _groups(counts, parts)
    if filled.all():
        return "complete", "samples in every cell"
    only = [*_only(counts), *_only(counts.T)]
    rest = len(only) - MOST_NAMED
    named = "; ".join(only[:MOST_NAMED]) + (f"; and {rest} more" if rest > 0 else "")
    return "connected", named or f"{int((~filled).sum())} of {filled.size} cells are empty"


def _pair(first: Covariate, second: Covariate) -> tuple[object, ...]:
    both = first.present & second.present
    n = int(both.sum())
    if first.kind == second.kind == "categorical":
        counts = _counts(first, second, both)
        verdict, words = relation_words(counts)
        values = counts.to_numpy()
        return first.name, second.name, "Cramér’s V", cramers_v(values), _chi_square_p(values), verdict, words, n
    label, number = (first, second) if first.kind == "categorical" else (second, first)
    fit = partial_fit(_within(number, both), design_basis(np.ones((n, 1))), _within(label, both))
    strength = float(np.sqrt(fit.r2[0]))
    measure = "correlation" if label.kind == "numeric" else "eta"
    verdict = "related" if strength > 0.95 else "apart"
    words = f"{label.name} nearly determines {number.name}" if verdict == "related" else ""
    return first.name, second.name, measure, strength, float(fit.p_value[0]), verdict, words, n


def _within(covariate: Covariate, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Columns of a covariate in some of the samples that it is known for."""
    kept: NDArray[np.float64] = covariate.columns[chosen[covariate.present]]
    return kept


def _codes(covariate: Covariate, chosen: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Position of each sample's level; the first level has no indicator of its own."""
    columns = _within(covariate, chosen)
    codes: NDArray[np.intp] = np.where(columns.any(axis=1), columns.argmax(axis=1) + 1, 0)
    return codes


def _counts(first: Covariate, second: Covariate, chosen: NDArray[np.bool_]) -> pd.DataFrame:
    counts = np.zeros((len(first.levels), len(second.levels)), dtype=np.int64)
    np.add.at(counts, (_codes(first, chosen), _codes(second, chosen)), 1)
    return pd.DataFrame(counts, pd.Index(first.levels, name=first.name), pd.Index(second.levels, name=second.name))


def _chi_square_p(counts: NDArray[np.int64]) -> float:
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    df = (counts.shape[0] - 1) * (counts.shape[1] - 1)
    if df < 1:
        return float("nan")
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    return float(chdtrc(df, np.sum((counts - expected) ** 2 / expected)))


def _only(counts: pd.DataFrame) -> list[str]:
    """Levels of the columns, with enough samples, that occur with one level of the rows only."""
    return [
        f"{counts.columns.name} {level} only with {counts.index.name} {counts.index[int(np.argmax(column > 0))]}"
        for level, column in counts.items()
        if (column > 0).sum() == 1 and column.sum() >= ENOUGH
    ]


def _groups(counts: pd.DataFrame, parts: list[tuple[list[int], list[int]]]) -> str:
    """Name the groups of levels that no sample connects."""
    named = [
        f"{counts.index.name} {_list(counts.index[rows])} only with {counts.columns.name} "
        f"{_list(counts.columns[columns])}"
        for rows, columns in parts[:MOST_NAMED]
    ]
    rest = len(parts) - MOST_NAMED
    return "; ".join(named) + (f"; and {rest} more groups" if rest > 0 else "")


def _list(levels: pd.Index) -> str:
    shown = ", ".join(map(str, levels[:MOST_NAMED]))
    return f"{shown}, ..." if len(levels) > MOST_NAMED else shown
