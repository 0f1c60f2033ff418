"""Over-correction check: how much variation of batch and of biology is left after adjustment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.core.matrix import FeatureMatrix
from latentadj.core.regression import design_basis, design_pass, is_constant
from latentadj.diagnostics.check import CheckResult
from latentadj.diagnostics.covariates import Covariate, read_covariate
from latentadj.diagnostics.explored import ExploredStudy, explored_study, some_samples
from latentadj.exceptions import InputError
from latentadj.results import AdjustmentResult

Array = NDArray[np.float64]

EFFECT_COLUMNS = ("variable", "role", "df", "before", "after", "kept", "r2_before", "r2_after", "chance", "n_obs")
#: Variation (of the total) below which there is nothing to keep or to remove.
NEGLIGIBLE = 0.005
#: Share of a tested variable's variation that has to be left; share of a batch's that may be left.
KEPT, LOST, LEFT = 0.8, 0.5, 0.2


@dataclass(frozen=True)
class _Explained:
    """Variation that a variable explains, averaged over features: beyond chance, and as it is."""

    excess: float
    share: float


def adjustment_effect(
    result: AdjustmentResult,
    biology: Sequence[str] | None = None,
    batch: Sequence[str] | None = None,
    sample_data: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Compare what batch and biology explain before and after the factors are subtracted.

    Parameters
    ----------
    result : AdjustmentResult
        With the data at hand.
    biology : sequence of str, optional
        Columns of the sample table whose variation is wanted; by default those in the tested part of the formula.
    batch : sequence of str, optional
        Columns whose variation is unwanted; by default all others that can be used.
    sample_data : pandas.DataFrame, optional
        Sample table; by default the one that came with the result.

    Returns
    -------
    pandas.DataFrame
        ``variable, role, df, before, after, kept, r2_before, r2_after, chance, n_obs``, a row per variable, each
        looked at on its own. `before` and `after` are its variation beyond what an unrelated variable would show, in
        shares of the variation before adjustment; `kept` is their ratio, NaN where `before` is below 0.005.
        `r2_before` and `r2_after` are the plain shares of what there is before and after, `chance` the first of
        these for an unrelated variable. All are averages over features of equal total variance before adjustment.

    Raises
    ------
    InputError
        For a result read from disk, without a sample table, or for a column that cannot be used.

    Notes
    -----
    Variation beyond chance: ``(SS - d RSS / f) / TSS`` with d columns and f residual degrees of freedom, which the
    factors reduce by their number. A factor that shares variation with a tested variable takes part of the difference
    between its groups with it; whether that was confounding or signal this table cannot tell. Positive controls can:
    see `control_ranks`.

    Examples
    --------
    >>> import latentadj as la
    >>> data = la.load_bladder()
    >>> res = la.adjust(data.X.iloc[:, :2000], "~ cancer", data.sample_data, method="cate", n_factors=2)
    >>> table = adjustment_effect(res).set_index("variable")
    >>> table.loc["cancer", "role"], table.loc["batch", "role"]
    ('biology', 'batch')
    """
    study = explored_study(result, sample_data, what="The over-correction check")
    if study.sample_data is None:
        raise InputError("The result has no sample table to compare with. Pass sample_data=, a row per sample.")
    rows = [
        _row(study, read_covariate(study.values_of(name, role), name), role)
        for role, names in _roles(result, study, biology, batch).items()
        for name in names
    ]
    return pd.DataFrame(rows, columns=list(EFFECT_COLUMNS))


def overcorrection_checks(
    result: AdjustmentResult,
    biology: Sequence[str] | None = None,
    batch: Sequence[str] | None = None,
    sample_data: pd.DataFrame | None = None,
) -> list[CheckResult]:
    """Say of every variable whether adjustment kept, lost or removed its variation.

    Parameters
    ----------
    result, biology, batch, sample_data
        As in `adjustment_effect`.

    Returns
    -------
    list of CheckResult
        For biology "kept", "reduced" (less than 0.8 left) or "lost" (less than 0.5); for batch "removed", "reduced"
        (more than 0.2 left) or "left" (more than 0.8); "absent" where there was nothing before.

    Raises
    ------
    InputError
        As `adjustment_effect`.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 300))
    >>> table = pd.DataFrame({"group": list("ab") * 6, "plate": list("aabb") * 3})
    >>> [check.verdict for check in overcorrection_checks(la.adjust(X, "~ group", table, n_factors=1))]
    ['absent', 'absent']
    """
    table = adjustment_effect(result, biology, batch, sample_data)
    return [_verdict(row) for row in table.to_dict("records")]


def _roles(
    result: AdjustmentResult, study: ExploredStudy, biology: Sequence[str] | None, batch: Sequence[str] | None
) -> dict[str, list[str]]:
    """Names of the variables by role; by default tested variables, and all other usable columns."""
    table = study.sample_data if study.sample_data is not None else pd.DataFrame()
    if biology is None:
        tested = result.design.columns_with("primary")
        read = dict.fromkeys(name for i in tested for name in result.design.variables[i])
        biology = [name for name in read if name in table.columns]
    if batch is None:
        others = [str(name) for name in table.columns if name not in set(biology)]
        batch = [name for name in others if read_covariate(table[name], name).kind != "skipped"]
    return {"biology": list(biology), "batch": list(batch)}


def _row(study: ExploredStudy, covariate: Covariate, role: str) -> dict[str, object]:
    if covariate.kind == "skipped":
        raise InputError(f"{covariate.name} cannot be used: {covariate.note}.")
    panels = {when: some_samples(panel, covariate.present) for when, panel in study.complete_panels().items()}
    n, df = int(covariate.present.sum()), covariate.columns.shape[1]
    units = _units(panels["before"])
    found = {when: _explained(panel, covariate, units, study, when) for when, panel in panels.items()}
    found.setdefault("after", found["before"])
    before, after = found["before"].excess, found["after"].excess
    numbers = {"before": before, "after": after, "kept": after / before if before > NEGLIGIBLE else np.nan}
    shares = {"r2_before": found["before"].share, "r2_after": found["after"].share, "chance": df / (n - 1)}
    return {"variable": covariate.name, "role": role, "df": df, "n_obs": n, **numbers, **shares}


def _units(before: FeatureMatrix) -> Array:
    """One over each feature's total variation before adjustment; 0 for those that do not vary."""
    sums = design_pass(before, design_basis(np.ones((before.shape[0], 1))))
    varies = ~is_constant(sums, before.shape[0])
    return np.divide(1.0, sums.tss, out=np.zeros_like(sums.tss), where=varies)


def _explained(
    matrix: FeatureMatrix, covariate: Covariate, units: Array, study: ExploredStudy, when: str
) -> _Explained:
    basis = design_basis(np.column_stack([np.ones(matrix.shape[0]), covariate.columns]))
    sums = design_pass(matrix, basis)
    between, within = float((sums.tss - sums.rss) @ units), float(sums.rss @ units)
    left = basis.n_samples - basis.rank - study.n_factors * (when == "after")
    noise = (basis.rank - 1) * within / left if left > 0 else np.nan
    total = between + within
    share = between / total if total > 0 else np.nan
    return _Explained((between - noise) / max(int(np.count_nonzero(units)), 1), share)


def _verdict(row: dict[Any, Any]) -> CheckResult:
    name = f"{row['role']}: {row['variable']}"
    numbers = {key: float(row[key]) for key in ("before", "after", "kept", "r2_before", "r2_after", "chance")}
    if not row["before"] > NEGLIGIBLE:
        cause = "It explains no more of the data than an unrelated variable would."
        return CheckResult(name, "absent", "ok", cause, "Nothing to do.", numbers)
    return _of_biology(name, numbers) if row["role"] == "biology" else _of_batch(name, numbers)


def _of_biology(name: str, numbers: dict[str, float]) -> CheckResult:
    cause = f"Of the variation that it explains, {max(numbers['kept'], 0.0):.0%} is left after adjustment."
    if numbers["kept"] >= KEPT:
        return CheckResult(name, "kept", "ok", cause, "Nothing to do.", numbers)
    cause += " The factors share variation with it: that part was confounding, or signal."
    advice = "Check positive controls (control_ranks), and compare with fewer factors or with negative controls."
    if numbers["kept"] >= LOST:
        return CheckResult(name, "reduced", "note", cause, advice, numbers)
    return CheckResult(name, "lost", "warning", cause, advice, numbers)


def _of_batch(name: str, numbers: dict[str, float]) -> CheckResult:
    cause = f"Of the variation that it explains, {max(numbers['kept'], 0.0):.0%} is left after adjustment."
    if numbers["kept"] <= LEFT:
        return CheckResult(name, "removed", "ok", cause, "Nothing to do.", numbers)
    advice = "If it is unwanted, put it into the formula, or use more factors."
    verdict = "reduced" if numbers["kept"] <= KEPT else "left"
    return CheckResult(name, verdict, "note", cause, advice, numbers)
