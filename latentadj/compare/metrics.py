"""What is measured in a cell of a comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kstest, rankdata

from latentadj.compare.findings import Findings
from latentadj.core.alignment import canonical_correlations
from latentadj.core.robust import MAD_SCALE
from latentadj.diagnostics import classify_pvalues
from latentadj.exceptions import MethodError
from latentadj.simulation import SimulatedStudy

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Measured = dict[str, float | str]

#: Fewer controls say nothing about the shape of their p-values.
ENOUGH_CONTROLS = 10
#: Bins of the histogram of null p-values.
BINS = 20


def error_metrics(found: Findings, study: SimulatedStudy, fdr: float) -> Measured:
    """Type-I error at three levels, false discovery proportion and power.

    Parameters
    ----------
    found : Findings
    study : SimulatedStudy
    fdr : float
        Discoveries are the features whose Benjamini-Hochberg adjusted p-value is at most this.

    Returns
    -------
    dict
        NaN where the truth is not known.
    """
    truth, p, hits = study.truth, found.certain(), found.discoveries(fdr)
    known = truth.is_null.any()
    false = float(np.sum(hits & truth.is_null)) / max(float(hits.sum()), 1.0)
    levels = {"type1_05": 0.05, "type1_01": 0.01, "type1_001": 0.001}
    return {
        **{name: share(p[truth.is_null] < alpha) for name, alpha in levels.items()},
        "fdp": false if known else np.nan,
        "power": share(hits[truth.has_effect]),
        "n_discoveries": float(hits.sum()),
    }


def ranking_metrics(found: Findings, study: SimulatedStudy, fdr: float) -> Measured:
    """Areas under the ROC and the precision-recall curve of the p-values, features with an effect against null ones.

    Returns
    -------
    dict
        NaN unless there are features of both kinds. The second is the average precision.
    """
    truth = study.truth
    return {
        "auc": area_under_roc(found.certain(), truth.has_effect, truth.is_null),
        "auprc": average_precision(found.certain(), truth.has_effect, truth.is_null),
    }


def calibration_metrics(found: Findings, study: SimulatedStudy, fdr: float) -> Measured:
    """Bulk of z and shape of p among features without effect, or all features where none is known.

    Returns
    -------
    dict
        Median and scaled median absolute deviation of z, genomic inflation factor, and the class of the histogram.
        Where no signs are known (F tests), the deviation is that from 0 and the median is NaN.
    """
    rows = judged_features(study)
    p, z = found.p_value[rows], found.z()[rows]
    z = z[np.isfinite(z)]
    centre = float(np.median(z)) if z.size and found.estimate is not None else np.nan
    check = classify_pvalues(p)
    return {
        "median_z": centre,
        "mad_z": float(np.median(np.abs(z - np.nan_to_num(centre))) * MAD_SCALE) if z.size else np.nan,
        "inflation": check.statistics["inflation"],
        "shape": check.verdict,
    }


def interval_metrics(found: Findings, study: SimulatedStudy, fdr: float) -> Measured:
    """Coverage of 95 % intervals, bias towards the true effects, and root mean square error.

    Returns
    -------
    dict
        ``coverage`` and ``rmse`` over all features with a known effect (zero included), ``bias`` over those with one
        that is not zero: mean error in the direction of the effect, negative where effects are eaten.
    """
    truth, nothing = study.truth, {"coverage": np.nan, "bias": np.nan, "rmse": np.nan}
    if found.estimate is None or found.half_width is None:
        return {**nothing}
    error = found.estimate - truth.effects
    usable = np.isfinite(error)
    if not usable.any():
        return {**nothing}
    strong = usable & truth.has_effect
    return {
        "coverage": share(np.abs(error[usable]) <= found.half_width[usable]),
        "bias": float(np.mean(error[strong] * np.sign(truth.effects[strong]))) if strong.any() else np.nan,
        "rmse": float(np.sqrt(np.mean(error[usable] ** 2))),
    }


def factor_metrics(found: Findings, study: SimulatedStudy, fdr: float) -> Measured:
    """Number of factors, and how much of the space of the true ones was found.

    Returns
    -------
    dict
        ``n_factors``; ``k_error``, estimated minus true number; ``recovery``, mean squared cosine of the principal
        angles between true and estimated factors, with 90 degrees for directions without a partner; and
        ``largest_angle`` in degrees. The last three are NaN for real data, without true factors, and for methods that
        use every direction there is (RUV-inverse).
    """
    truth, k = study.truth, found.n_factors
    out: Measured = {
        "n_factors": np.nan if k is None else float(k),
        "k_error": np.nan,
        "recovery": np.nan,
        "largest_angle": np.nan,
    }
    everything = len(study.X) - study.design.rank
    if not truth.factors_known or k is None or k >= everything:
        return out
    true_k = truth.factors.shape[1]
    out["k_error"] = float(k - true_k)
    if true_k and found.factors is not None:
        cosines = np.zeros(true_k)
        shared = canonical_correlations(truth.factors, found.factors)
        cosines[: len(shared)] = shared
        out["recovery"] = float(np.mean(cosines**2))
        out["largest_angle"] = float(np.degrees(np.arccos(np.clip(cosines.min(), 0.0, 1.0))))
    return out


def control_metrics(found: Findings, study: SimulatedStudy, fdr: float) -> Measured:
    """P-values of negative controls that the method did not see, and ranks of the positive ones.

    Returns
    -------
    dict
        ``controls_below_05``; ``control_uniformity``, p-value of a Kolmogorov-Smirnov test; ``positives_found``, share
        of the positive controls among the discoveries; ``positive_auc`` against all other features.
    """
    truth, p = study.truth, found.certain()
    held, positive = found.p_value[truth.checked_controls], truth.positive_controls
    held = held[np.isfinite(held)]
    enough = held.size >= ENOUGH_CONTROLS
    return {
        "controls_below_05": share(held < 0.05),
        "control_uniformity": float(kstest(held, "uniform").pvalue) if enough else np.nan,
        "positives_found": share(found.discoveries(fdr)[positive]),
        "positive_auc": area_under_roc(p, positive, ~positive),
    }


def histogram_metrics(found: Findings, study: SimulatedStudy, fdr: float) -> Measured:
    """Count null p-values in 20 bins; text, so that it fits a cell of a table."""
    p = found.p_value[judged_features(study)]
    counts = np.histogram(p[np.isfinite(p)], BINS, (0.0, 1.0))[0]
    return {"histogram": " ".join(map(str, counts))}


Metric = Callable[[Findings, SimulatedStudy, float], Measured]

#: Groups of metrics that need one analysis.
GROUPS: Mapping[str, Metric] = {
    "errors": error_metrics,
    "ranking": ranking_metrics,
    "calibration": calibration_metrics,
    "intervals": interval_metrics,
    "factors": factor_metrics,
    "controls": control_metrics,
    "histogram": histogram_metrics,
}
#: Groups that analyse a study again.
EXTRA_GROUPS = ("stability", "memory")
#: What is measured unless the caller says otherwise.
DEFAULT_GROUPS = ("errors", "ranking", "calibration", "intervals", "factors", "controls", "stability", "memory")


def metric_groups(metrics: str | Iterable[str] | None) -> tuple[str, ...]:
    """Return the names of groups of metrics.

    Parameters
    ----------
    metrics : str, sequence of str, or None
        Groups; None for all but the histogram.

    Returns
    -------
    tuple of str

    Raises
    ------
    MethodError
        For an unknown group.

    Examples
    --------
    >>> metric_groups("errors")
    ('errors',)
    """
    if metrics is None:
        return DEFAULT_GROUPS
    listed = [metrics] if isinstance(metrics, str) else list(metrics)
    allowed = (*GROUPS, *EXTRA_GROUPS)
    unknown = [name for name in listed if name not in allowed]
    if unknown:
        raise MethodError(f"metrics: {', '.join(map(repr, unknown))} unknown; choose among {', '.join(allowed)}.")
    return tuple(name for name in allowed if name in listed)


def measure(found: Findings, study: SimulatedStudy, groups: Iterable[str], fdr: float) -> dict[str, Any]:
    """Evaluate groups of metrics.

    Parameters
    ----------
    found : Findings
    study : SimulatedStudy
    groups : iterable of str
        Those of `EXTRA_GROUPS` are passed over.
    fdr : float

    Returns
    -------
    dict of str to float or str
    """
    out: dict[str, Any] = {}
    for name in groups:
        if name in GROUPS:
            out.update(GROUPS[name](found, study, fdr))
    return out


def judged_features(study: SimulatedStudy) -> Mask:
    """Features whose p-values should be uniform: null ones, else held-out controls, else all.

    Parameters
    ----------
    study : SimulatedStudy

    Returns
    -------
    ndarray of bool, shape (n_features,)
    """
    truth = study.truth
    for rows in (truth.is_null, truth.checked_controls):
        if rows.any():
            return rows
    return np.ones(truth.effects.size, dtype=bool)


def share(flags: Mask) -> float:
    """Return the share of True, NaN of nothing."""
    return float(flags.mean()) if flags.size else float("nan")


def area_under_roc(p: Array, positive: Mask, negative: Mask) -> float:
    """Probability that a positive has a smaller p-value than a negative, ties counted half.

    Parameters
    ----------
    p : ndarray of shape (n_features,)
    positive, negative : ndarray of bool, shape (n_features,)
        Features that are neither are left out.

    Returns
    -------
    float
        NaN unless there are both.

    Notes
    -----
    Mann and Whitney's statistic over the number of pairs.

    Examples
    --------
    >>> area_under_roc(np.array([0.1, 0.2, 0.3]), np.array([True, False, False]), np.array([False, True, True]))
    1.0
    """
    n, m = int(positive.sum()), int(negative.sum())
    if not n or not m:
        return float("nan")
    ranks = rankdata(np.concatenate([p[positive], p[negative]]))
    return float(1.0 - (ranks[:n].sum() - n * (n + 1) / 2) / (n * m))


def average_precision(p: Array, positive: Mask, negative: Mask) -> float:
    """Mean precision over the ranks at which positives are found; tied features enter together.

    Parameters
    ----------
    p : ndarray of shape (n_features,)
    positive, negative : ndarray of bool, shape (n_features,)

    Returns
    -------
    float
        NaN unless there are both.

    Examples
    --------
    >>> average_precision(np.array([0.1, 0.2, 0.3]), np.array([True, False, True]), np.array([False, True, False]))
    0.8333333333333333
    """
    if not positive.any() or not negative.any():
        return float("nan")
    values = np.concatenate([p[positive], p[negative]])
    is_positive = np.arange(values.size) < positive.sum()
    found = np.searchsorted(np.sort(values[is_positive]), values[is_positive], side="right")
    listed = np.searchsorted(np.sort(values), values[is_positive], side="right")
    return float(np.mean(found / listed))
