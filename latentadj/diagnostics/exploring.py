"""Look at a matrix and its sample table before any adjustment."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from latentadj.core.matrix import ArrayMatrix, FeatureMatrix
from latentadj.core.passes import one_blas_thread
from latentadj.data import align_samples, as_labelled_matrix
from latentadj.data.adapters import LabelledMatrix, Orientation
from latentadj.data.finiteness import check_finite
from latentadj.design import Design
from latentadj.diagnostics.additive_scale import on_additive_scale
from latentadj.diagnostics.component_covariates import component_association
from latentadj.diagnostics.components import component_table
from latentadj.diagnostics.covariate_pairs import covariate_relations
from latentadj.diagnostics.design_view import design_correlation
from latentadj.diagnostics.exploration import Exploration, in_order
from latentadj.diagnostics.exploration_checks import (
    component_check,
    design_check,
    drift_check,
    hidden_check,
    relation_checks,
    sample_check,
    value_checks,
)
from latentadj.diagnostics.explored import ExploredStudy
from latentadj.diagnostics.principal_variance import pvca
from latentadj.diagnostics.relative_levels import relative_log_expression
from latentadj.diagnostics.run_order import run_order_association
from latentadj.diagnostics.sample_columns import sample_columns
from latentadj.diagnostics.suggestion import Suggestion, suggest_formula
from latentadj.diagnostics.variance_partition import variance_summary
from latentadj.exceptions import DesignError, InputError, LatentAdjError

#: Covariates that sources of variation are shared out among; more would leave too few samples for each.
MOST_TERMS = 12


@one_blas_thread()
def explore(
    X: Any,
    sample_data: pd.DataFrame | None = None,
    formula: str | None = None,
    *,
    order: str | None = None,
    orientation: Orientation = "samples",
    layer: str | None = None,
) -> Exploration:
    """Look for batch effects, confounded covariates and odd samples before any adjustment; nothing is tested.

    Parameters
    ----------
    X : array-like, DataFrame, AnnData or LabelledMatrix of shape (n_samples, n_features)
        What looks like counts is shown as log2 counts per million. Missing values are passed over.
    sample_data : pandas.DataFrame, optional
        Sample table, aligned by ID; by default the one that came with X.
    formula : str, optional
        ``"~ tested | adjusted for"``, as for `adjust`: its design is looked at, and the suggestion begins from it.
    order : str, optional
        Column of the sample table with the order or date of the runs; by default the first column of dates.
    orientation : {"samples", "features"}, default="samples"
        What the rows of X are.
    layer : str, optional
        Layer of an AnnData object.

    Returns
    -------
    Exploration
        Findings in words, tables, a suggested formula, and ``.report(path)``.

    Raises
    ------
    AlignmentError
        When the sample table does not fit the samples.
    FormulaError
        For a formula that cannot be read, or that names an unknown column.
    InputError
        Without a sample table, for infinite values, or an unusable order.

    Examples
    --------
    >>> import latentadj as la
    >>> data = la.load_bladder()
    >>> found = explore(data.X.iloc[:, :2000], data.sample_data, "~ cancer")
    >>> found.suggestion.formula
    '~ cancer | batch'
    """
    found = as_labelled_matrix(X, orientation=orientation, layer=layer)
    study, notes = _study(found, sample_data, orientation)
    design, problems = _design(study, formula)
    tables = _tables(study, design, order)
    suggestion = _suggestion(study, tables, formula)
    tested = _tested_names(design, suggestion)
    tables |= _variation(study, _terms(tables, tested))
    checks = [*value_checks(ArrayMatrix(found.values), study), *problems, sample_check(tables["levels"])]
    checks += relation_checks(tables["relations"], tested)
    checks += [component_check(tables["associations"])]
    checks += [drift_check(tables["drift"])] if "drift" in tables else []
    checks += hidden_check(study, design)
    return Exploration(study, formula, design, in_order(checks), notes, tables, suggestion)


def _study(
    found: LabelledMatrix, sample_data: pd.DataFrame | None, orientation: str
) -> tuple[ExploredStudy, tuple[str, ...]]:
    """Aligned data on a scale where effects add up, and how they were read."""
    table = found.sample_data if sample_data is None else sample_data
    if table is None or not len(table.columns):
        raise InputError("There is no sample table to look at. Pass sample_data=, a row per sample.")
    features = None if found.feature_ids is None else [str(name) for name in found.feature_ids]
    aligned, report = align_samples(
        found.sample_ids,
        table,
        found.shape[0],
        feature_ids=features,
        n_features=found.shape[1],
        orientation=orientation,
    )
    check_finite(found.values, found.sample_ids, found.feature_ids, allow_missing=True)
    raw: FeatureMatrix = ArrayMatrix(found.values)
    shown = on_additive_scale(raw)
    notes = (*found.notes, *report.notes)
    if shown is not raw:
        notes = (*notes, "The values look like counts; tables and pictures are of log2 counts per million.")
    ids = found.sample_ids or tuple(map(str, aligned.index))
    names = np.arange(found.shape[1]) if found.feature_ids is None else found.feature_ids
    return ExploredStudy({"before": shown}, ids, names, aligned), notes


def _design(study: ExploredStudy, formula: str | None) -> tuple[Design | None, list[Any]]:
    """The design of the formula, and what is wrong with it."""
    table = study.sample_data
    if formula is None or table is None:
        return None, []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            design = Design.from_formula(formula, table)
        except DesignError as error:
            return None, [design_check(None, error)]
        try:
            issued = design.check()
        except DesignError as error:
            return design, [design_check(design, error)]
    return design, [design_check(design, *issued)]


def _tables(study: ExploredStudy, design: Design | None, order: str | None) -> dict[str, pd.DataFrame]:
    table = study.sample_data if study.sample_data is not None else pd.DataFrame()
    tables = {
        "columns": sample_columns(table),
        "relations": covariate_relations(table),
        "levels": relative_log_expression(study),
        "components": component_table(study, 4),
        "associations": component_association(study),
    }
    if order is not None or table.select_dtypes("datetime").shape[1]:
        tables["drift"] = run_order_association(study, order)
    if design is not None and len(design.names) > 1:
        tables["design"] = design_correlation(design)
    return tables


def _terms(tables: dict[str, pd.DataFrame], tested: set[str]) -> list[str]:
    """Covariates to share the variation out among: tested ones, technical ones, then those that go with most of it.

    One that lies within another, or holds another, is left out: the two explain the same.
    """
    described = tables["columns"].set_index("column")
    pairs = tables["associations"]
    weight = (pairs["share"] * pairs["statistic"]).groupby(pairs["covariate"]).sum()
    usable = [name for name in described.index if described.loc[name, "kind"] != "skipped"]
    rank = {name: (name not in tested, described.loc[name, "role"] != "technical", -weight[name]) for name in usable}
    related = tables["relations"]
    related = related[related["verdict"].isin(("same", "nested"))]
    same = {frozenset(pair) for pair in related[["covariate", "other"]].to_numpy().tolist()}
    chosen: list[str] = []
    for name in sorted(usable, key=lambda name: rank[name]):
        if not any(frozenset((name, other)) in same for other in chosen):
            chosen.append(name)
    return chosen[:MOST_TERMS]


def _variation(study: ExploredStudy, terms: list[str]) -> dict[str, pd.DataFrame]:
    """Sources of variation, among as many covariates as the samples allow."""
    for count in range(len(terms), 0, -1):
        try:
            return {"variance": variance_summary(study, terms=terms[:count]), "pvca": pvca(study, terms=terms[:count])}
        except LatentAdjError:
            continue
    return {}


def _suggestion(study: ExploredStudy, tables: dict[str, pd.DataFrame], formula: str | None) -> Suggestion:
    table = study.sample_data if study.sample_data is not None else pd.DataFrame()
    return suggest_formula(table, tables["associations"], formula)


def _tested_names(design: Design | None, suggestion: Suggestion) -> set[str]:
    """Columns of the sample table that are tested, or would be."""
    if design is not None:
        return {name for i in design.columns_with("primary") for name in design.variables[i]}
    head = suggestion.formula.partition("|")[0].strip(" ~")
    return {head.removeprefix("C(").removesuffix(")").strip("`")} if head else set()
