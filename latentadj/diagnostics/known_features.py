"""External truth: negative controls should have uniform p-values, positive ones should rank high."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import kstest, rankdata

from latentadj.diagnostics.effect_comparison import control_mask
from latentadj.diagnostics.pvalues import term_pvalues
from latentadj.diagnostics.significance import log10_pvalues
from latentadj.exceptions import ControlsError
from latentadj.results import AdjustmentResult

Array = NDArray[np.float64]

#: Ranks for which a recovery table counts positive controls.
TOPS = (10, 50, 100, 500)


def known_pvalue_counts(
    result: AdjustmentResult, features: Any = None, term: str | None = None, bins: int = 20
) -> pd.DataFrame:
    """Count the p-values of some features in bins, with and without factors.

    Parameters
    ----------
    result : AdjustmentResult
    features : names, mask or positions, optional
        By default the negative controls of the analysis.
    term : str, optional
        As in `term_pvalues`.
    bins : int, default=20

    Returns
    -------
    pandas.DataFrame
        ``low, high, adjusted, unadjusted, expected``: counts, and the count per bin if none of them depended on the
        term.

    Raises
    ------
    ControlsError
        Without features, or when none is among those of the result.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 30))
    >>> res = la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=0)
    >>> int(known_pvalue_counts(res, np.arange(10))["adjusted"].sum())
    10
    """
    chosen = _required(result, features)
    edges = np.linspace(0.0, 1.0, bins + 1)
    counts = {
        which: np.histogram(_present(term_pvalues(result, term, which)[1][chosen]), edges)[0]
        for which in ("adjusted", "unadjusted")
    }
    return pd.DataFrame({"low": edges[:-1], "high": edges[1:], **counts, "expected": counts["adjusted"].sum() / bins})


def known_uniformity(result: AdjustmentResult, features: Any = None, term: str | None = None) -> pd.DataFrame:
    """Test whether the p-values of some features are uniform, without and with factors.

    Parameters
    ----------
    result : AdjustmentResult
    features : names, mask or positions, optional
        By default the negative controls of the analysis.
    term : str, optional
        As in `term_pvalues`.

    Returns
    -------
    pandas.DataFrame
        ``which, n_features, below_05, uniformity_p``; the last is the p-value of a Kolmogorov-Smirnov test.

    Raises
    ------
    ControlsError
        Without features, or when none is among those of the result.

    Notes
    -----
    Controls that were used to estimate the factors look better than they should after adjustment. The test takes
    features as independent.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 300))
    >>> res = la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=0)
    >>> bool(known_uniformity(res, np.arange(100))["uniformity_p"].min() > 0.001)
    True
    """
    chosen = _required(result, features)
    rows = []
    for which in ("unadjusted", "adjusted"):
        p = _present(term_pvalues(result, term, which)[1][chosen])
        uniform = float(kstest(p, "uniform").pvalue) if p.size else np.nan
        rows.append((which, p.size, float(np.mean(p < 0.05)) if p.size else np.nan, uniform))
    return pd.DataFrame(rows, columns=["which", "n_features", "below_05", "uniformity_p"])


def control_ranks(result: AdjustmentResult, positives: Any, term: str | None = None) -> pd.DataFrame:
    """Rank positive controls among all features, without and with factors.

    Parameters
    ----------
    result : AdjustmentResult
    positives : names, mask or positions
        Features that are known to respond.
    term : str, optional
        As in `term_pvalues`.

    Returns
    -------
    pandas.DataFrame
        ``which, feature, rank, found, expected``, by rank: the rank of each positive control by p-value (ties get
        their mean rank), how many of them are among the features up to that rank, and how many would be by chance.

    Raises
    ------
    ControlsError
        When no positive control is among the features, or has a p-value.

    Examples
    --------
    >>> import latentadj as la
    >>> y = np.repeat([0.0, 1.0], 6)
    >>> X = np.random.default_rng(0).normal(size=(12, 50)) + np.outer(y, np.r_[9.0, np.zeros(49)])
    >>> control_ranks(la.adjust(X, la.Design.from_arrays(y), method="none"), [0, 3])["found"].tolist()
    [1, 2]
    """
    chosen = _required(result, positives)
    panels = ("unadjusted", "adjusted") if result.n_factors else ("adjusted",)
    return pd.concat([_ranks(result, chosen, term, which) for which in panels], ignore_index=True)


def control_recovery(result: AdjustmentResult, positives: Any, term: str | None = None) -> pd.DataFrame:
    """Sum up how well positive controls are found, without and with factors.

    Parameters
    ----------
    result : AdjustmentResult
    positives : names, mask or positions
        Features that are known to respond.
    term : str, optional
        As in `term_pvalues`.

    Returns
    -------
    pandas.DataFrame
        ``which, n_positives, auc, median_rank, top_10, top_50, top_100, top_500``: area under the ROC curve of the
        ranks by p-value (0.5 by chance), median rank, and positive controls among so many leading features.

    Raises
    ------
    ControlsError
        When no positive control is among the features, or has a p-value.

    Notes
    -----
    The area is the Mann-Whitney statistic over its largest value. The counts by rank are those of Gagnon-Bartsch and
    Speed (2012), Biostatistics 13:539, for genes on the sex chromosomes.

    Examples
    --------
    >>> import latentadj as la
    >>> y = np.repeat([0.0, 1.0], 6)
    >>> X = np.random.default_rng(0).normal(size=(12, 50)) + np.outer(y, np.r_[9.0, np.zeros(49)])
    >>> control_recovery(la.adjust(X, la.Design.from_arrays(y), method="none"), [0])["auc"].tolist()
    [1.0]
    """
    rows = []
    for which, table in control_ranks(result, positives, term).groupby("which", sort=False):
        tested = int(np.isfinite(term_pvalues(result, term, str(which))[1]).sum())
        rank, n = table["rank"].to_numpy(), len(table)
        below = rank.sum() - n * (n + 1) / 2
        auc = 1.0 - below / (n * (tested - n)) if tested > n else np.nan
        rows.append((which, n, auc, float(np.median(rank)), *[int((rank <= top).sum()) for top in TOPS]))
    names = ["which", "n_positives", "auc", "median_rank", *[f"top_{top}" for top in TOPS]]
    return pd.DataFrame(rows, columns=names)


def _ranks(result: AdjustmentResult, chosen: NDArray[np.bool_], term: str | None, which: str) -> pd.DataFrame:
    values = log10_pvalues(result, term, which)[1]
    tested = np.isfinite(values)
    ranks = np.full(len(values), np.nan)
    ranks[tested] = rankdata(-values[tested])
    features = np.flatnonzero(chosen & tested)
    if not features.size:
        raise ControlsError("None of these features has a p-value. Name others.")
    features = features[np.argsort(ranks[features], kind="stable")]
    rank, n = ranks[features], len(features)
    return pd.DataFrame(
        {
            "which": which,
            "feature": result.feature_ids[features],
            "rank": rank,
            "found": np.arange(1, n + 1),
            "expected": rank * n / tested.sum(),
        }
    )


def _required(result: AdjustmentResult, features: Any) -> NDArray[np.bool_]:
    chosen: NDArray[np.bool_] = control_mask(result, features)
    if not chosen.any():
        raise ControlsError(
            "There are no controls: none were given to the analysis. Name them here, by feature ID, position or mask."
        )
    return chosen


def _present(p: Array) -> Array:
    return p[np.isfinite(p)]
