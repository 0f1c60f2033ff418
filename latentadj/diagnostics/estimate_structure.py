"""Structure in the estimates: effects that follow the features' mean level, loadings, or annotation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

from latentadj.core.multiple import adjust_pvalues
from latentadj.core.regression import design_basis
from latentadj.diagnostics.association import partial_fit
from latentadj.diagnostics.check import CheckResult
from latentadj.diagnostics.covariates import Covariate, read_covariate
from latentadj.diagnostics.significance import single_column
from latentadj.diagnostics.zscores import zscores
from latentadj.exceptions import AlignmentError, InputError
from latentadj.results import AdjustmentResult

Array = NDArray[np.float64]

STRUCTURE_COLUMNS = ("term", "which", "covariate", "kind", "r2", "p_value", "p_adjusted", "n_features", "note")
TREND_COLUMNS = ("which", "level", "low", "high", "centre", "n", "q25", "median", "q75")
#: Name of the features' mean level among the covariates.
MEAN = "mean"
#: Share of the variation of the statistics' ranks from which structure counts, and from which it counts much.
NOTED, MUCH = 0.05, 0.2
NOTE_P = 0.01
_DEGREE = 3


def estimate_structure(
    result: AdjustmentResult, feature_data: pd.DataFrame | None = None, term: str | None = None
) -> pd.DataFrame:
    """Associate the effects of a tested column with what is known about the features.

    Parameters
    ----------
    result : AdjustmentResult
    feature_data : pandas.DataFrame, optional
        Annotation of the features (length, GC content, chromosome, probe type), indexed by feature ID, or a row per
        feature. Features without a row are left out.
    term : str, optional
        A tested column; all of them by default.

    Returns
    -------
    pandas.DataFrame
        ``term, which, covariate, kind, r2, p_value, p_adjusted, n_features, note``: a row per tested column, without
        and with factors, and covariate of the features: their mean level ("mean"), each factor's loadings in units of
        the residual standard deviation, and the columns of `feature_data`. `r2` is the share of the variation of the
        statistics' ranks that the covariate explains. `p_adjusted` is Benjamini-Hochberg over the table.

    Raises
    ------
    InputError
        For a term that was not tested, or that has several columns.
    AlignmentError
        When no feature is in `feature_data`, or one is there twice.

    Notes
    -----
    F test of a cubic in the normal scores of a numeric covariate, or of the levels of a label, in the regression of
    the ranks of the statistics (for labels the test of Kruskal and Wallis 1952, JASA 47:583, but for the tail): a
    minority of large true effects hardly moves ranks. Features count as independent. Where they share noise,
    p-values are too small, and such structure is itself a sign of a factor that is not in the model: read `r2`.

    Examples
    --------
    >>> import latentadj as la
    >>> rng = np.random.default_rng(0)
    >>> group = np.repeat([0.0, 1.0], 10)
    >>> level = rng.uniform(4, 14, 500)
    >>> X = level + np.outer(group, (level - 9) / 5) + rng.normal(size=(20, 500))
    >>> table = estimate_structure(la.adjust(X, la.Design.from_arrays(group), method="none"))
    >>> table["covariate"].tolist(), bool(table["r2"].iloc[0] > 0.3)
    (['mean'], True)
    """
    names = result.tests.names if term is None else (single_column(result, term),)
    covariates = _covariates(result, feature_data)
    rows = [
        (name, which, covariate.name, covariate.kind, *_association(zscores(result, name, which), covariate))
        for name in names
        for which in _panels(result)
        for covariate in covariates
    ]
    table = pd.DataFrame(rows, columns=[name for name in STRUCTURE_COLUMNS if name != "p_adjusted"])
    p = table["p_value"].to_numpy(dtype=np.float64)
    return table.assign(p_adjusted=adjust_pvalues(p) if p.size else p)[list(STRUCTURE_COLUMNS)]


def estimate_checks(result: AdjustmentResult, feature_data: pd.DataFrame | None = None) -> list[CheckResult]:
    """Say of every tested column whether its adjusted effects follow something known about the features.

    Parameters
    ----------
    result : AdjustmentResult
    feature_data : pandas.DataFrame, optional
        As in `estimate_structure`.

    Returns
    -------
    list of CheckResult
        "none seen" or "structured", by the covariate with the largest share of the ranks' variation. `statistics`
        holds ``r2`` and ``p_adjusted`` of that one.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 300))
    >>> [check.verdict for check in estimate_checks(la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6))))]
    ['none seen']
    """
    table = estimate_structure(result, feature_data)
    table = table[(table["which"] == "adjusted") & table["r2"].notna()]
    return [_verdict(name, table[table["term"] == name]) for name in result.tests.names]


def estimate_trend(
    result: AdjustmentResult,
    by: Any = MEAN,
    term: str | None = None,
    feature_data: pd.DataFrame | None = None,
    bins: int = 20,
) -> pd.DataFrame:
    """Sum the statistics of a tested column up along a covariate of the features.

    Parameters
    ----------
    result : AdjustmentResult
    by : str or array-like of shape (n_features,), default="mean"
        "mean", the name of a factor (its loadings), a column of `feature_data`, or values.
    term : str, optional
        A tested column; the first by default.
    feature_data : pandas.DataFrame, optional
        As in `estimate_structure`.
    bins : int, default=20
        Groups of features of equal number, along a numeric covariate.

    Returns
    -------
    pandas.DataFrame
        ``which, level, low, high, centre, n, q25, median, q75``: quartiles of the statistics on the normal scale in
        each group of features, without and with factors. Under the null they are near -0.67, 0 and 0.67. Groups are
        intervals of a numeric covariate (`centre` is the median there) or levels of a label.

    Raises
    ------
    InputError
        For an unknown name, or a covariate that cannot be used.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 300))
    >>> table = estimate_trend(la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), method="none"), bins=3)
    >>> table["n"].tolist()
    [100, 100, 100]
    """
    name = single_column(result, term)
    values = trend_values(result, by, feature_data)
    parts = [_quartiles(zscores(result, name, which), values, which, bins) for which in _panels(result)]
    return pd.concat(parts, ignore_index=True)


def trend_values(result: AdjustmentResult, by: Any = MEAN, feature_data: pd.DataFrame | None = None) -> pd.Series:
    """Return a covariate of the features by name, or values that were given, shape (n_features,).

    Raises
    ------
    InputError
        For an unknown name, a wrong number of values, or a covariate that cannot be used.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 300))
    >>> trend_values(la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=1), "factor1").name
    'factor1 loading'
    """
    if isinstance(by, str):
        known = _columns(result, feature_data)
        found = known.get(by, known.get(f"{by} loading"))
        if found is None:
            raise InputError(f"by={by!r} is not known of the features; there is {', '.join(known)}. Or give values.")
    else:
        found = pd.Series(by)
        if len(found) != result.n_features:
            raise InputError(f"by has {len(found)} values for {result.n_features} features; give one per feature.")
        found = found.rename("by" if found.name is None else str(found.name)).reset_index(drop=True)
    covariate = read_covariate(found, str(found.name))
    if covariate.kind == "skipped":
        raise InputError(f"{covariate.name} cannot be used: {covariate.note}.")
    return found if covariate.kind == "numeric" else found.astype(object)


def _panels(result: AdjustmentResult) -> Sequence[str]:
    return ("unadjusted", "adjusted") if result.n_factors else ("adjusted",)


def _columns(result: AdjustmentResult, feature_data: pd.DataFrame | None) -> dict[str, pd.Series]:
    """What is known about the features, by name."""
    found = {MEAN: pd.Series(np.asarray(result.fit.mean, dtype=np.float64), name=MEAN)}
    variance = np.asarray(result.uncalibrated_tests.prior.s2_post, dtype=np.float64)
    spread = np.sqrt(np.where(variance > 0, variance, np.nan))
    for name, column in result.loadings.items():
        label = f"{name} loading"
        found[label] = pd.Series(column.to_numpy() / spread, name=label)
    if feature_data is not None:
        aligned = _aligned(result, feature_data)
        found.update({str(name): aligned[name].rename(str(name)) for name in aligned.columns})
    return found


def _aligned(result: AdjustmentResult, feature_data: pd.DataFrame) -> pd.DataFrame:
    ids = [str(name) for name in result.feature_ids]
    index = feature_data.index.astype(str)
    plain = isinstance(feature_data.index, pd.RangeIndex) and len(feature_data) == result.n_features
    if plain and not set(ids) <= set(index):
        return feature_data.reset_index(drop=True)
    if index.duplicated().any():
        raise AlignmentError(f"feature_data has {index[index.duplicated()][0]!r} twice. Keep one row per feature.")
    if not index.isin(ids).any():
        raise AlignmentError(
            f"feature_data has no row for any of the {len(ids)} features ({ids[0]}, ...); its first is {index[0]!r}. "
            "Index it by feature ID."
        )
    return feature_data.set_axis(index, axis=0).reindex(ids).reset_index(drop=True)


def _covariates(result: AdjustmentResult, feature_data: pd.DataFrame | None) -> list[Covariate]:
    return [read_covariate(values, name) for name, values in _columns(result, feature_data).items()]


def _association(z: Array, covariate: Covariate) -> tuple[float, float, int, str]:
    """Share of the ranks' variation, p-value, features that were used, and a note."""
    if covariate.kind == "skipped":
        return np.nan, np.nan, 0, covariate.note
    usable = np.isfinite(z[covariate.present])
    columns = covariate.columns[usable]
    if usable.sum() < 10:
        return np.nan, np.nan, int(usable.sum()), "too few features"
    if covariate.kind == "numeric":
        scores = ndtri((rankdata(columns[:, 0]) - 0.5) / len(columns))
        columns = np.column_stack([scores**power for power in range(1, _DEGREE + 1)])
    ranks = rankdata(z[covariate.present][usable])
    fit = partial_fit((ranks - ranks.mean())[:, None], design_basis(np.ones((len(ranks), 1))), columns)
    return float(fit.r2[0]), float(fit.p_value[0]), len(ranks), covariate.note


def _verdict(term: str, table: pd.DataFrame) -> CheckResult:
    name = f"estimates: {term}"
    if table.empty:
        cause = "Nothing is known about the features that effects could follow."
        return CheckResult(name, "unknown", "note", cause, "Give feature_data=.")
    row = table.iloc[int(table["r2"].to_numpy().argmax())]
    numbers = {"r2": float(row["r2"]), "p_adjusted": float(row["p_adjusted"])}
    if row["r2"] < NOTED or row["p_adjusted"] > NOTE_P:
        cause = f"Effects do not follow {', '.join(table['covariate'].head(3))}{' or others' * (len(table) > 3)}."
        return CheckResult(name, "none seen", "ok", cause, "Nothing to do.", numbers)
    cause = (
        f"Effects follow the features' {row['covariate']}, which explains {row['r2']:.0%} of their ranks' variation."
    )
    advice = "Look at estimate_trend; normalise for it, use another number of factors, or expect the effects to be so."
    return CheckResult(name, "structured", "warning" if row["r2"] > MUCH else "note", cause, advice, numbers)


def _quartiles(z: Array, values: pd.Series, which: str, bins: int) -> pd.DataFrame:
    kept = np.isfinite(z) & values.notna().to_numpy()
    frame = pd.DataFrame({"z": z[kept], "value": values.to_numpy()[kept]})
    if pd.api.types.is_object_dtype(frame["value"].dtype):
        groups = frame["value"].astype(str)
    else:
        frame["value"] = frame["value"].astype(np.float64)
        position = rankdata(frame["value"], method="min") - 1
        groups = pd.Series((position * bins // max(len(frame), 1)).astype(int))
    rows = [(which, *_of_group(part, level)) for level, part in frame.groupby(groups.to_numpy(), sort=True)]
    return pd.DataFrame(rows, columns=list(TREND_COLUMNS))


def _of_group(part: pd.DataFrame, level: Any) -> tuple[Any, ...]:
    quartiles = tuple(np.quantile(part["z"], (0.25, 0.5, 0.75)))
    if isinstance(level, str):
        return (level, np.nan, np.nan, np.nan, len(part), *quartiles)
    inside = part["value"]
    return ("", inside.min(), inside.max(), inside.median(), len(part), *quartiles)
