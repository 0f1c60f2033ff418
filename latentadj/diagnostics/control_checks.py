"""Checks of what methods with negative controls assume."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc
from scipy.stats import kstest

from latentadj.core.heterogeneity import heterogeneity, weakest_share
from latentadj.diagnostics.check import CheckResult
from latentadj.results import AdjustmentResult
from latentadj.results.statistics import test_contrasts

Array = NDArray[np.float64]

#: With fewer controls per factor the tests lose power; with three or fewer the link is hardly determined.
ENOUGH_PER_FACTOR, FEW_PER_FACTOR = 10.0, 3.0
#: Share of the average feature's squared loadings below which controls miss a factor.
WEAK_SHARE = 0.2
#: Excess scatter of the controls that counts, beside its p-value.
EXCESS = 1.2
NOTE_P, WARNING_P = 0.01, 1e-3


def control_checks(result: AdjustmentResult) -> list[CheckResult]:
    """Run all checks of controls that a method with factors relies on."""
    used = _usable(result)
    checks = [number_of_controls(int(used.sum()), result.n_factors), controls_feel_factors(result, used)]
    return checks + _per_term(result, used, n_fitted=result.n_factors)


def held_out_control_checks(result: AdjustmentResult) -> list[CheckResult]:
    """Run the checks of controls that the method did not use: the strongest there are."""
    return _per_term(result, _usable(result), n_fitted=0)


def _usable(result: AdjustmentResult) -> NDArray[np.bool_]:
    tested = np.isfinite(result.uncalibrated_tests.p_value).all(axis=1)
    return np.asarray(result.controls, dtype=bool) & tested


def _per_term(result: AdjustmentResult, used: NDArray[np.bool_], n_fitted: int) -> list[CheckResult]:
    checks = []
    for position, name in enumerate(result.tests.names):
        checks.append(control_homogeneity(result, used, position, name, n_fitted))
        checks.append(control_pvalues(result, used, position, name))
    return checks


def number_of_controls(n_controls: int, n_factors: int) -> CheckResult:
    """Hold the number of controls against the number of factors.

    Parameters
    ----------
    n_controls, n_factors : int

    Returns
    -------
    CheckResult
        "enough", "few" (fewer than 10 per factor) or "too few" (fewer than 3 per factor).

    Examples
    --------
    >>> number_of_controls(100, 3).verdict, number_of_controls(12, 3).verdict
    ('enough', 'few')
    """
    each = n_controls / max(n_factors, 1)
    numbers = {"n_controls": float(n_controls), "n_factors": float(n_factors), "per_factor": each}
    if each >= ENOUGH_PER_FACTOR:
        cause = "The link between factors and tested columns rests on enough controls."
        return CheckResult("number of controls", "enough", "ok", cause, "Nothing to do.", numbers)
    cause = "The link between factors and tested columns is estimated from few controls, which costs power."
    advice = "Give more controls or use fewer factors."
    if each >= FEW_PER_FACTOR:
        return CheckResult("number of controls", "few", "note", cause, advice, numbers)
    return CheckResult("number of controls", "too few", "warning", cause, advice, numbers)


def controls_feel_factors(result: AdjustmentResult, used: NDArray[np.bool_]) -> CheckResult:
    """Compare the controls' loadings with everybody's, in the direction where they are weakest.

    Notes
    -----
    Loadings in units of their residual standard deviation, so that noise is alike in both; the ratio of mean
    squares still overstates what pure noise feels, hence a warning only well below 1.
    """
    loadings = standardised(result.loadings.to_numpy(), np.asarray(result.fit.sigma2))
    usable = np.isfinite(loadings).all(axis=1)
    share = weakest_share(loadings[used & usable], loadings[usable])
    name, numbers = "controls feel the factors", {"weakest_share": share}
    if not np.isfinite(share):
        return CheckResult(name, "unknown", "note", "There are no usable loadings.", "Check the controls.", numbers)
    if share < WEAK_SHARE:
        cause = "There is a factor that the controls hardly feel, so they cannot tell how it is confounded."
        advice = "Choose controls that go through the same steps as the other features, or use fewer factors."
        return CheckResult(name, "missed", "warning", cause, advice, numbers)
    cause = "The controls have loadings on every factor."
    return CheckResult(name, "felt", "ok", cause, "Nothing to do.", numbers)


def control_homogeneity(
    result: AdjustmentResult, used: NDArray[np.bool_], position: int, term: str, n_fitted: int
) -> CheckResult:
    """Test with Cochran's Q that adjusted effects of the controls scatter no more than their errors say.

    Notes
    -----
    The error that all controls share through the estimated link is left out: it shifts all of them along their
    loadings, to which the link was fitted.
    """
    tests = result.uncalibrated_tests
    alone = test_contrasts(
        result.fit.with_link(None), tests.prior, tests.contrasts[:, [position]], (tests.names[position],)
    )
    p = alone.p_value[used, 0]
    found = heterogeneity(p[np.isfinite(p)], n_fitted)
    name = f"controls agree: {term}"
    numbers = {"q": found.q, "df": found.df, "q_per_df": found.ratio, "p_value": found.p_value}
    if not np.isfinite(found.p_value):
        cause = "There are no more controls than factors."
        return CheckResult(name, "unknown", "note", cause, "Give more controls.", numbers)
    if found.p_value < NOTE_P and found.ratio > EXCESS:
        level = "warning" if found.p_value < WARNING_P else "note"
        cause = f"After adjustment controls differ in {term} by more than noise: some respond, or factors are missing."
        advice = "Drop the controls with the smallest p-values if they are doubtful by biology, or add factors."
        return CheckResult(name, "heterogeneous", level, cause, advice, numbers)
    cause = "After adjustment the controls scatter as their errors say."
    return CheckResult(name, "homogeneous", "ok", cause, "Nothing to do.", numbers)


def control_pvalues(result: AdjustmentResult, used: NDArray[np.bool_], position: int, term: str) -> CheckResult:
    """Test that no more controls than expected are still significant after adjustment.

    Notes
    -----
    Binomial test of the share of p-values below 0.05; the Kolmogorov-Smirnov test against the uniform distribution
    is reported beside it. Controls took part in the estimation, so they look a little better than they should.
    """
    p = result.uncalibrated_tests.p_value[used, position]
    below = int(np.count_nonzero(p < 0.05))
    excess = float(bdtrc(below - 1, p.size, 0.05)) if below else 1.0
    uniform = float(kstest(p, "uniform").pvalue) if p.size else float("nan")
    share = below / p.size if p.size else float("nan")
    numbers = {"n_controls": float(p.size), "below_05": share, "excess_p": excess, "uniformity_p": uniform}
    name = f"controls are null: {term}"
    if p.size and excess < NOTE_P and share > 0.05 * EXCESS:
        level = "warning" if excess < WARNING_P else "note"
        cause = (
            f"{share:.0%} of the controls have p < 0.05 for {term}, 5% expected: they respond, or confounding is left."
        )
        advice = "Do not use these controls for this variable, or look for a missing factor."
        return CheckResult(name, "significant", level, cause, advice, numbers)
    cause = f"No more controls than expected are significant for {term} after adjustment."
    return CheckResult(name, "null", "ok", cause, "Nothing to do.", numbers)


def standardised(loadings: Array, sigma2: Array) -> Array:
    """Loadings ``(n_features, k)`` in units of the residual standard deviations ``(n_features,)``; NaN where none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        out: Array = loadings / np.sqrt(np.where(sigma2 > 0, sigma2, np.nan))[:, None]
    return out
