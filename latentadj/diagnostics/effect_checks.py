"""Checks of what methods without controls assume about the true effects: few, or unrelated to the loadings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latentadj.core.heterogeneity import bulk_trend, loading_trend
from latentadj.core.multiple import adjust_pvalues
from latentadj.diagnostics.check import CheckResult
from latentadj.diagnostics.control_checks import standardised
from latentadj.diagnostics.pvalues import share_of_nulls
from latentadj.results import AdjustmentResult

Array = NDArray[np.float64]

#: Share of features with an effect from which a minority is no longer clear, and from which there is none.
MANY, MOST = 0.3, 0.5
#: Share of the discoveries' squared effects along the loadings that counts, beside its p-value.
FOLLOWING = 0.1
#: Shift of the typical feature, in standard errors, that counts beside its p-value.
SHIFT = 0.2
NOTE_P, WARNING_P = 0.01, 1e-3


def sparsity_checks(result: AdjustmentResult) -> list[CheckResult]:
    """Run the checks of methods that assume that most features have no effect."""
    checks = []
    for position, name in enumerate(result.tests.names):
        checks += [effects_are_few(result, position, name), effects_and_loadings(result, position, name)]
    return checks


def orthogonality_checks(result: AdjustmentResult) -> list[CheckResult]:
    """Run the checks of methods that assume that effects do not follow the loadings."""
    checks = []
    for position, name in enumerate(result.tests.names):
        checks += [effects_and_loadings(result, position, name), bulk_and_loadings(result, position, name)]
    return checks


def effects_are_few(result: AdjustmentResult, position: int, term: str) -> CheckResult:
    """Estimate the share of features with an effect from the adjusted p-values (Storey)."""
    p = result.uncalibrated_tests.p_value[:, position]
    nulls = share_of_nulls(p[np.isfinite(p)])
    share = 1.0 - nulls
    name, numbers = f"few effects: {term}", {"effect_share": share}
    if not np.isfinite(nulls):
        cause = "The share of features without effect cannot be estimated: there are few, or no p-value is large."
        return CheckResult(name, "unknown", "note", cause, "Compare with a method that uses controls.", numbers)
    if share <= MANY:
        cause = f"About {share:.0%} of the features seem to respond to {term}: a minority."
        return CheckResult(name, "sparse", "ok", cause, "Nothing to do.", numbers)
    cause = f"About {share:.0%} of the features seem to respond to {term}, or confounding is left in them."
    advice = "Compare with a method that uses negative controls or replicates."
    verdict, level = ("dense", "warning") if share > MOST else ("many", "note")
    return CheckResult(name, verdict, level, cause, advice, numbers)


def effects_and_loadings(result: AdjustmentResult, position: int, term: str) -> CheckResult:
    """Test whether the effects of the discoveries follow the factors' loadings.

    Notes
    -----
    Features with an adjusted p-value below 0.05; effects and loadings in units of the residual standard deviation.
    Selection by the size of an effect is symmetric in its sign, so that it makes no trend.
    """
    tests = result.uncalibrated_tests
    chosen = adjust_pvalues(tests.p_value[:, position]) < 0.05
    effects, loadings = _in_units_of_noise(result, position)
    chosen = chosen & np.isfinite(effects) & np.isfinite(loadings).all(axis=1)
    trend = loading_trend(effects[chosen], loadings[chosen])
    numbers = {"n_discoveries": float(chosen.sum()), "r2": trend.r2, "p_value": trend.p_value}
    name = f"effects and loadings: {term}"
    if not np.isfinite(trend.p_value):
        cause = f"There are {int(chosen.sum())} discoveries, too few to see a trend along the loadings."
        return CheckResult(name, "too few", "ok", cause, "Nothing to do.", numbers)
    if trend.p_value < NOTE_P and trend.r2 > FOLLOWING:
        level = "warning" if trend.p_value < WARNING_P else "note"
        cause = (
            f"Effects of {term} follow the loadings, which explain {trend.r2:.0%} of them: effects may be taken for "
            "confounding, or the reverse."
        )
        advice = "Effects like these cannot be told from confounding without negative controls; use some if you can."
        return CheckResult(name, "related", level, cause, advice, numbers)
    cause = f"The effects of {term} that were found do not follow the loadings."
    return CheckResult(name, "unrelated", "ok", cause, "Nothing to do.", numbers)


def bulk_and_loadings(result: AdjustmentResult, position: int, term: str) -> CheckResult:
    """Test whether the bulk of the adjusted effects follows the loadings.

    Notes
    -----
    Methods that make effects and loadings orthogonal by least squares leave a trend in the bulk, which has no
    effects, when a minority follows the loadings. A robust regression shows it.
    """
    effects, loadings = _in_units_of_noise(result, position)
    error = np.sqrt(result.fit.unscaled_covariance(result.tests.contrasts[:, [position]])[..., 0, 0])
    usable = np.isfinite(effects) & np.isfinite(loadings).all(axis=1)
    scale = error[usable] if np.ndim(error) else float(error)
    units = scale[:, None] if isinstance(scale, np.ndarray) else scale
    trend = bulk_trend(effects[usable] / scale, loadings[usable] / units)
    name = f"bulk and loadings: {term}"
    numbers = {"shift": trend.shift, "p_value": trend.p_value}
    if not np.isfinite(trend.p_value):
        cause = "There are too few features to see a trend along the loadings."
        return CheckResult(name, "too few", "ok", cause, "Nothing to do.", numbers)
    if trend.p_value < NOTE_P and trend.shift > SHIFT:
        level = "warning" if trend.p_value < WARNING_P else "note"
        cause = (
            f"The bulk of the features is shifted along the loadings by {trend.shift:.2g} standard errors: effects of "
            "a minority follow them."
        )
        advice = "Use a method that assumes few effects (CATE) or negative controls."
        return CheckResult(name, "shifted", level, cause, advice, numbers)
    cause = "The bulk of the features shows no trend along the loadings."
    return CheckResult(name, "level", "ok", cause, "Nothing to do.", numbers)


def _in_units_of_noise(result: AdjustmentResult, position: int) -> tuple[Array, Array]:
    sigma2 = np.asarray(result.uncalibrated_tests.prior.s2_post, dtype=np.float64)
    effects = standardised(result.uncalibrated_tests.estimate[:, [position]], sigma2)[:, 0]
    return effects, standardised(result.loadings.to_numpy(), sigma2)
