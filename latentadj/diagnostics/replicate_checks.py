"""Checks of what methods with replicates assume."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.core.kernels import ProjectionKernel
from latentadj.core.matrix import FeatureMatrix
from latentadj.core.passes import run_pass
from latentadj.core.regression import design_basis
from latentadj.data.annotations import resolve_annotation
from latentadj.diagnostics.check import CheckResult
from latentadj.results import AdjustmentResult
from latentadj.results.components import shown_loadings

Array = NDArray[np.float64]

#: Noise within replicates, per degree of freedom, after over before: below the first it fell, above the second it rose.
CLOSER, APART = 0.95, 1.05


def replicate_checks(result: AdjustmentResult, replicates: Any = None) -> list[CheckResult]:
    """Run the checks of methods that take differences between replicates for unwanted variation.

    Parameters
    ----------
    result : AdjustmentResult
    replicates : optional
        Labels, or the name of a column of the sample table; by default what the method was given, where the
        result knows it.

    Returns
    -------
    list of CheckResult
    """
    name = "replicates"
    labels = replicate_labels(result, replicates)
    if labels is None:
        cause = "The result does not know which samples are replicates."
        return [CheckResult(name, "unknown", "note", cause, "Pass replicates= to assumption_ledger.")]
    members = pd.get_dummies(pd.Series(labels), dtype=float).to_numpy()
    members = members[:, members.sum(axis=0) > 0]
    checks = [replicates_share_primary(result, members)]
    if result.matrix is None:
        cause = "The data are not at hand (a saved result does not hold them)."
        return [*checks, CheckResult(name, "unknown", "note", cause, "Run the analysis again to check.")]
    return [*checks, replicates_come_closer(result, result.matrix, members)]


def replicate_labels(result: AdjustmentResult, replicates: Any = None) -> NDArray[Any] | None:
    """Find the replicate labels of a result's samples; None where they are not known."""
    if replicates is None:
        text = dict(result.manifest.get("parameters", {})).get("replicates", "None")
        try:
            replicates = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            return None
        named = isinstance(replicates, str) and result.sample_data is not None
        if not (named and replicates in result.sample_data.columns):  # type: ignore[union-attr]
            return None
    return resolve_annotation("replicates", replicates, result.n_samples, result.sample_data, list(result.sample_ids))


def replicates_share_primary(result: AdjustmentResult, members: Array) -> CheckResult:
    """Tell whether tested columns are the same in all replicates of a set: else their effects count as unwanted."""
    name, basis = "replicates share what is tested", design_basis(members)
    primary = result.design.primary
    outside = basis.project_out(primary)
    centred = primary - primary.mean(axis=0)
    share = float(np.max(np.sum(outside**2, axis=0) / np.sum(centred**2, axis=0), initial=0.0))
    numbers = {"share_within": share}
    if share > 1e-10:
        cause = f"{share:.0%} of a tested column lies between replicates, so its effect counts as unwanted variation."
        advice = "Name as replicates only samples that are the same in everything tested."
        return CheckResult(name, "differ", "warning", cause, advice, numbers)
    cause = "Replicates are the same in everything tested."
    return CheckResult(name, "same", "ok", cause, "Nothing to do.", numbers)


def replicates_come_closer(result: AdjustmentResult, matrix: FeatureMatrix, members: Array) -> CheckResult:
    """Compare the variance between replicates of a set before and after the factors are subtracted.

    Notes
    -----
    Sums of squares within sets, of features scaled to unit residual variance, per degree of freedom: the k factors
    take k of the n residual degrees of freedom from every direction alike when they have nothing to do with the
    replicates.
    """
    name = "replicates come closer"
    within = design_basis(members).complement()
    if within.shape[1] == 0:
        cause = "No two samples are replicates."
        return CheckResult(name, "unknown", "warning", cause, "Check the labels.")
    (before,) = run_pass(matrix, ProjectionKernel(within, matrix.shape[1]))
    loadings = np.nan_to_num(shown_loadings(result, matrix))
    after = before - loadings @ (within.T @ result.estimate.scores).T
    weights = _precision(result)
    free = 1.0 - result.n_factors / (result.n_samples - result.design.rank)
    total = float(np.sum(weights[:, None] * before**2))
    ratio = float(np.sum(weights[:, None] * after**2)) / total / free if total > 0 else float("nan")
    numbers = {"variance_ratio": ratio, "n_differences": float(within.shape[1])}
    if ratio < CLOSER:
        cause = f"Adjustment leaves {ratio:.0%} of the variance between replicates."
        return CheckResult(name, "closer", "ok", cause, "Nothing to do.", numbers)
    advice = "Check the labels and the number of factors; the factors may not be what sets replicates apart."
    if ratio > APART:
        cause = f"Adjustment sets replicates apart: {ratio:.2f} times the variance between them is left."
        return CheckResult(name, "apart", "warning", cause, advice, numbers)
    cause = f"Adjustment leaves {ratio:.0%} of the variance between replicates, as factors unrelated to them would."
    return CheckResult(name, "no closer", "note", cause, advice, numbers)


def _precision(result: AdjustmentResult) -> Array:
    variance = np.asarray(result.unadjusted_fit.sigma2, dtype=np.float64)
    usable = np.isfinite(variance) & (variance > 0) & np.isfinite(result.loadings.to_numpy()).all(axis=1)
    return np.divide(1.0, variance, out=np.zeros_like(variance), where=usable)
