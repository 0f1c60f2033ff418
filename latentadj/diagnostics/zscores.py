"""Test statistics on the normal scale, counted in bins and held against the normal distribution."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from latentadj.core.robust import MAD_SCALE
from latentadj.diagnostics.significance import single_column
from latentadj.results import AdjustmentResult, TestStatistics

Array = NDArray[np.float64]

#: Statistics beyond are counted in the outermost bins.
FURTHEST = 8.0


def zscores(result: AdjustmentResult, term: str | None = None, which: str = "adjusted") -> Array:
    """Return the statistics of one tested column on the scale of a standard normal variable.

    Parameters
    ----------
    result : AdjustmentResult
    term : str, optional
        A tested column; the first by default.
    which : {"adjusted", "unadjusted", "uncalibrated"}, default="adjusted"

    Returns
    -------
    ndarray of shape (n_features,)
        ``sign(t) qnorm(1 - p / 2)``, NaN where there is no p-value.

    Raises
    ------
    InputError
        For a term that was not tested, or that has several columns.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 30))
    >>> res = la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=0)
    >>> bool(np.all(np.sign(zscores(res)) == np.sign(res.tests.statistic[:, 0])))
    True
    """
    found: dict[str, TestStatistics] = {"adjusted": result.tests, "unadjusted": result.unadjusted_tests}
    tests = found.get(which, result.uncalibrated_tests)
    position = tests.names.index(single_column(result, term))
    p = np.maximum(tests.p_value[:, position], np.finfo(np.float64).tiny)
    z: Array = -np.sign(tests.statistic[:, position]) * ndtri(p / 2.0)
    return z


def zscore_fit(result: AdjustmentResult, term: str | None = None) -> pd.DataFrame:
    """Fit a normal distribution to the bulk of the statistics, without and with factors.

    Parameters
    ----------
    result : AdjustmentResult
    term : str, optional
        A tested column; the first by default.

    Returns
    -------
    pandas.DataFrame
        ``which, median, mad, n``: the median, and the median absolute deviation scaled to 1 for a standard normal.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 300))
    >>> res = la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=0)
    >>> zscore_fit(res)["mad"].round(1).tolist()
    [1.0]
    """
    rows = []
    for which in ("unadjusted", "adjusted") if result.n_factors else ("adjusted",):
        z = zscores(result, term, which)
        z = z[np.isfinite(z)]
        centre = float(np.median(z)) if z.size else np.nan
        spread = float(np.median(np.abs(z - centre)) * MAD_SCALE) if z.size else np.nan
        rows.append((which, centre, spread, z.size))
    return pd.DataFrame(rows, columns=["which", "median", "mad", "n"])


def zscore_counts(result: AdjustmentResult, term: str | None = None, bins: int = 60) -> pd.DataFrame:
    """Count statistics on the normal scale in bins of equal width, with and without factors.

    Parameters
    ----------
    result : AdjustmentResult
    term : str, optional
        A tested column; the first by default.
    bins : int, default=60

    Returns
    -------
    pandas.DataFrame
        A row per bin: ``low, high, adjusted, unadjusted`` (counts; the outermost bins hold everything beyond 8),
        ``normal`` and ``fitted``: counts expected under N(0, 1), and under the normal distribution with the median
        and the spread of the adjusted statistics.

    Raises
    ------
    InputError
        For a term that was not tested, or that has several columns.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 30))
    >>> res = la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=0)
    >>> int(zscore_counts(res)["adjusted"].sum())
    30
    """
    scores = {which: zscores(result, term, which) for which in ("adjusted", "unadjusted")}
    finite = {which: z[np.isfinite(z)] for which, z in scores.items()}
    edges = _edges(np.concatenate(list(finite.values())), bins)
    counts = {which: np.histogram(np.clip(z, edges[0], edges[-1]), edges)[0] for which, z in finite.items()}
    fit = zscore_fit(result, term).set_index("which").loc["adjusted"]
    expected = {
        "normal": fit["n"] * np.diff(ndtr(edges)),
        "fitted": fit["n"] * np.diff(ndtr((edges - fit["median"]) / fit["mad"])) if fit["mad"] > 0 else np.nan,
    }
    return pd.DataFrame({"low": edges[:-1], "high": edges[1:], **counts, **expected})


def _edges(z: Array, bins: int) -> Array:
    """Bins about 0 that hold nearly everything, at least up to 4."""
    reach = float(np.quantile(np.abs(z), 0.999)) if z.size else 4.0
    half = float(np.clip(np.ceil(reach), 4.0, FURTHEST))
    return np.linspace(-half, half, bins + 1)
