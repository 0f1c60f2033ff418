"""Warnings that a finished fit deserves; each has a class of its own and names numbers."""

from __future__ import annotations

import warnings

import numpy as np
from scipy.stats import kstest

from latentadj.core.robust import MAD_SCALE
from latentadj.exceptions import (
    CalibrationWarning,
    ConstantFeaturesWarning,
    ControlsWarning,
    DataScaleWarning,
    FactorIsPrimaryWarning,
    LatentAdjWarning,
    LowResidualDfWarning,
    OrthogonalFactorsWarning,
    PrecisionWarning,
)
from latentadj.models import LinearModel
from latentadj.problem import AdjustmentProblem
from latentadj.results import AdjustmentResult

#: Below this number of negative controls a warning is given.
FEW_CONTROLS = 30


def check_data(problem: AdjustmentProblem, names: np.ndarray) -> None:
    """Warn about constant features, the scale of the values, and stored precision."""
    constant = np.flatnonzero(problem.constant)
    if constant.size:
        shown = ", ".join(str(names[i]) for i in constant[:5])
        _warn(
            f"{constant.size} of {problem.n_features} features do not vary ({shown}{', ...' * (constant.size > 5)}); "
            "they stay in the table with status 'constant' and without statistics.",
            ConstantFeaturesWarning,
        )
    if not isinstance(problem.model, LinearModel):
        return
    message = _scale_message(problem.matrix.read(slice(0, min(1000, problem.n_features))))
    if message:
        _warn(message, DataScaleWarning)
    if problem.matrix.dtype == np.float32:
        _check_precision(problem)


def _scale_message(block: np.ndarray) -> str | None:
    low, high = float(block.min()), float(block.max())
    if low < 0:
        return None
    if high > 50 and np.array_equal(block, np.round(block)):
        return (
            "The values are non-negative integers and look like counts. Least squares expects a log scale: "
            "transform them, e.g. log2 of counts per million plus a half."
        )
    if high <= 1.0 and block.std() > 0 and np.mean((block > 0) & (block < 1)) > 0.5:
        return (
            "All values lie between 0 and 1 and look like proportions (methylation beta values?). Their "
            "variance depends on their mean; consider the logit, log2(b / (1 - b))."
        )
    if high > 1000:
        return f"Values reach {high:.3g} and look unlogged. Additive effects are usual on the log scale."
    return None


def _check_precision(problem: AdjustmentProblem) -> None:
    sums = problem.sums
    spread = np.sqrt(sums.rss / max(problem.df_resid, 1))
    ratio = np.abs(sums.mean) > 1e4 * spread
    bad = int(np.sum(ratio & (spread > 0)))
    if bad:
        _warn(
            f"{bad} features have means more than 10,000 times their spread but are stored in single precision: "
            "their variances are off by 1e-3 and more. Store them as float64 or subtract a constant.",
            PrecisionWarning,
        )


def check_result(result: AdjustmentResult) -> None:
    """Warn about overlap with the primary variables, few degrees of freedom, controls, calibration."""
    if not result.valid_for_testing and result.n_factors:
        _warn(
            "Factors of the residuals are orthogonal to the design: the estimates are exactly those without "
            "factors, and confounding is not removed. Use method='cate', 'ruv4' or 'sva' for tests.",
            OrthogonalFactorsWarning,
        )
    _check_overlap(result)
    _check_df(result)
    _check_controls(result)
    _check_bulk(result)


def _check_overlap(result: AdjustmentResult) -> None:
    for name, r2, inflation in zip(
        result.confounding.names, result.confounding.r2, result.confounding.variance_inflation, strict=True
    ):
        if r2 > 0.6:
            claim = "almost all" if r2 > 0.9 else "most"
            _warn(
                f"The factors explain {claim} of `{name}` (R2 = {r2:.2f}); its standard errors grow by a factor "
                f"{np.sqrt(inflation):.1f}, and a true effect of `{name}` on many features cannot be told from a "
                "hidden factor. Look at the path over the number of factors before claiming either.",
                FactorIsPrimaryWarning,
            )


def _check_df(result: AdjustmentResult) -> None:
    n, df = result.n_samples, float(np.median(result.fit.df_resid))
    if result.n_factors and df < max(5.0, n / 5.0):
        _warn(
            f"{n} samples - {result.design.rank} design columns - {result.n_factors} factors leave {df:.0f} residual "
            "degrees of freedom. Fewer factors or a smaller design give steadier variances.",
            LowResidualDfWarning,
        )


def _check_controls(result: AdjustmentResult) -> None:
    if result.controls is None:
        return
    count = int(result.controls.sum())
    if count < FEW_CONTROLS:
        _warn(f"{count} negative controls; at least {FEW_CONTROLS} are advised.", ControlsWarning)
    for name, p in zip(result.tests.names, result.tests.p_value[result.controls].T, strict=True):
        p = p[np.isfinite(p)]
        if p.size >= 10 and kstest(p, "uniform").pvalue < 1e-3:
            _warn(
                f"After adjustment the {p.size} negative controls' p-values for `{name}` are far from uniform "
                f"({np.mean(p < 0.05):.0%} are below 0.05). Either they respond to it, or confounding is left.",
                ControlsWarning,
            )


def _check_bulk(result: AdjustmentResult) -> None:
    for name, statistic in zip(result.tests.names, result.tests.statistic.T, strict=True):
        statistic = statistic[np.isfinite(statistic)]
        if statistic.size < 200:
            continue
        statistic -= np.median(statistic, overwrite_input=True)  # in place: there may be millions
        spread = float(np.median(np.abs(statistic, out=statistic), overwrite_input=True)) * MAD_SCALE
        if spread > 1.5 or spread < 0.67:
            cause = (
                "many true effects, or confounding that is left"
                if spread > 1.5
                else "a hidden factor that is balanced against it, or correlated noise"
            )
            _warn(
                f"The bulk of the statistics of `{name}` has a spread of {spread:.2f} instead of about 1: {cause}. "
                "See the p-value histogram.",
                CalibrationWarning,
            )


def _warn(message: str, category: type[LatentAdjWarning]) -> None:
    warnings.warn(message, category, stacklevel=4)
