"""How the bulk of the statistics and the negative controls behave, with and without factors."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import kstest

from latentadj.core.robust import MAD_SCALE
from latentadj.diagnostics.pvalues import classify_pvalues
from latentadj.results import AdjustmentResult, TestStatistics

Array = NDArray[np.float64]

CALIBRATION_COLUMNS = ("term", "which", "verdict", "level", "median", "mad", "inflation", "pi0", "cause", "next_step")
CONTROL_COLUMNS = ("term", "which", "n_controls", "below_05", "uniformity_p")


def calibration_table(result: AdjustmentResult) -> pd.DataFrame:
    """Shape of the p-values and spread of the statistics, for every tested column.

    Parameters
    ----------
    result : AdjustmentResult

    Returns
    -------
    pandas.DataFrame
        ``term, which, verdict, level, median, mad, inflation, pi0, cause, next_step``, a row per tested column
        without and with factors. `median` and `mad` (scaled to 1 for a standard normal) are those of the
        statistics on the normal scale; `inflation` is the genomic inflation factor, `pi0` the share of nulls.

    Notes
    -----
    Normal scale: ``z = sign(t) qnorm(1 - p / 2)``. Verdicts are those of `classify_pvalues`.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 300))
    >>> res = la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=0)
    >>> calibration_table(res)["verdict"].tolist()
    ['uniform', 'uniform']
    """
    rows = []
    for position, name in enumerate(result.tests.names):
        for which, tests in _both(result).items():
            check = classify_pvalues(tests.p_value[:, position], name=name)
            median, mad = _bulk(_normal_scale(tests, position))
            numbers = (median, mad, check.statistics["inflation"], check.statistics["pi0"])
            rows.append((name, which, check.verdict, check.level, *numbers, check.cause, check.next_step))
    return pd.DataFrame(rows, columns=list(CALIBRATION_COLUMNS))


def control_table(result: AdjustmentResult) -> pd.DataFrame:
    """Test whether the negative controls' p-values are uniform, without and with factors.

    Parameters
    ----------
    result : AdjustmentResult

    Returns
    -------
    pandas.DataFrame
        ``term, which, n_controls, below_05, uniformity_p``; the last is the p-value of a Kolmogorov-Smirnov test.
        Empty without controls.

    Notes
    -----
    Controls that were used to estimate the factors look better than they should after adjustment.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 300))
    >>> res = la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=0)
    >>> control_table(res).empty
    True
    """
    rows = []
    if result.controls is not None:
        for position, name in enumerate(result.tests.names):
            for which, tests in _both(result).items():
                p = tests.p_value[result.controls, position]
                p = p[np.isfinite(p)]
                uniformity = float(kstest(p, "uniform").pvalue) if p.size else np.nan
                rows.append((name, which, p.size, float(np.mean(p < 0.05)) if p.size else np.nan, uniformity))
    return pd.DataFrame(rows, columns=list(CONTROL_COLUMNS))


def _both(result: AdjustmentResult) -> dict[str, TestStatistics]:
    return {"unadjusted": result.unadjusted_tests, "adjusted": result.tests}


def _normal_scale(tests: TestStatistics, position: int) -> Array:
    p = np.clip(tests.p_value[:, position], np.finfo(np.float64).tiny, 1.0)
    z: Array = -np.sign(tests.statistic[:, position]) * ndtri(p / 2.0)
    return z[np.isfinite(z)]


def _bulk(z: Array) -> tuple[float, float]:
    if z.size == 0:
        return np.nan, np.nan
    centre = float(np.median(z))
    return centre, float(np.median(np.abs(z - centre)) * MAD_SCALE)
