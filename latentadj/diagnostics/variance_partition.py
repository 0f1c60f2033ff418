"""How much of every feature's variation each covariate explains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.core.matrix import FeatureMatrix
from latentadj.core.regression import design_pass, is_constant
from latentadj.diagnostics.explanatory_terms import (
    ExplanatoryTerms,
    chance_share,
    explanatory_terms,
    shares_table,
)
from latentadj.diagnostics.explored import explored_study, some_samples
from latentadj.exceptions import InputError

Array = NDArray[np.float64]

SUMMARY_COLUMNS = ("term", "when", "df", "mean", "q25", "median", "q75", "chance", "n_obs")


def variance_partition(
    data: Any,
    sample_data: pd.DataFrame | None = None,
    terms: Sequence[str] | None = None,
    *,
    kind: str = "unique",
    when: str = "before",
) -> pd.DataFrame:
    """Share every feature's variance out among covariates.

    Parameters
    ----------
    data : AdjustmentResult, or matrix of samples x features
    sample_data : pandas.DataFrame, optional
        Sample table; by default the one that came with `data`.
    terms : sequence of str, optional
        Its columns; by default all that can be used. Samples without a value of one of them are left out.
    kind : {"unique", "sequential"}, default="unique"
        "unique" (type II) gives a term what it explains beyond all others, so that the order does not matter and what
        terms explain together only is a part of its own, "shared". "sequential" (type I) gives it what it explains
        beyond those before it; nothing is shared then.
    when : {"before", "after"}, default="before"
        Before or after the factors' part is subtracted.

    Returns
    -------
    pandas.DataFrame
        A row per feature, a column per term, then "shared" and "residuals". Rows add up to 1, or are NaN where a
        feature does not vary or has missing values. "shared" is negative where terms hide each other's part.

    Raises
    ------
    InputError
        For a result read from disk, a column that cannot be used, or too many terms.

    Notes
    -----
    Descriptive: no test and no correction for chance, which gives a term of d degrees of freedom the share
    ``d / (n - 1)`` of a feature that it has nothing to do with. All covariates are fixed effects. With random effects
    for labels see Hoffman and Schadt (2016), BMC Bioinformatics 17:483.

    Examples
    --------
    >>> table = pd.DataFrame({"batch": list("aabb"), "sex": list("fmfm")})
    >>> X = np.array([[0.0, 0.0], [0.0, 1.0], [2.0, 1.0], [2.0, 2.0]])
    >>> variance_partition(X, table)["batch"].round(2).tolist()
    [1.0, 0.5]
    """
    study = explored_study(data, sample_data, what="Variance partition")
    if when not in study.panels:
        raise InputError(f"when={when!r}: there is {' and '.join(map(repr, study.panels))} to choose from.")
    found = explanatory_terms(study, terms, kind)
    return shares_table(feature_shares(study.panels[when], found), found.names, pd.Index(study.feature_ids))


def variance_summary(
    data: Any,
    sample_data: pd.DataFrame | None = None,
    terms: Sequence[str] | None = None,
    *,
    kind: str = "unique",
) -> pd.DataFrame:
    """Sum the variance partition up over features, before and after adjustment.

    Parameters
    ----------
    data, sample_data, terms, kind
        As in `variance_partition`.

    Returns
    -------
    pandas.DataFrame
        ``term, when, df, mean, q25, median, q75, chance, n_obs``: a row per term, then "shared" and "residuals", for
        the data before and, for a result with factors, after adjustment. `chance` is the share that columns
        unrelated to a feature explain on average.

    Raises
    ------
    InputError
        As `variance_partition`.

    Notes
    -----
    Shares after adjustment are shares of what is left. The factors took some of the samples' degrees of freedom, so
    that the chance share of adjusted data is ``d / (n - 1 - k)`` for covariates that the factors do not follow.

    Examples
    --------
    >>> table = pd.DataFrame({"batch": list("aabb"), "sex": list("fmfm")})
    >>> variance_summary(np.eye(4), table)["mean"].round(2).tolist()
    [0.33, 0.33, 0.0, 0.33]
    """
    study = explored_study(data, sample_data, what="Variance partition")
    found = explanatory_terms(study, terms, kind)
    parts = []
    for when, panel in study.panels.items():
        shares = feature_shares(panel, found)
        spent = study.n_factors if when == "after" else 0
        parts.append(_summary(shares[~np.isnan(shares).any(axis=1)], found, when, spent))
    return pd.concat(parts, ignore_index=True)[list(SUMMARY_COLUMNS)]


def feature_shares(matrix: FeatureMatrix, terms: ExplanatoryTerms) -> Array:
    """Return the shares ``(n_features, T + 2)`` of terms in the variation of every feature, in one pass."""
    sums = design_pass(some_samples(matrix, terms.present), terms.basis)
    usable = np.isfinite(sums.tss) & ~is_constant(sums, terms.basis.n_samples)
    total = np.where(usable, sums.tss, np.nan)
    return terms.shares(sums.effects, sums.rss, total)


def _summary(shares: Array, terms: ExplanatoryTerms, when: str, spent: int) -> pd.DataFrame:
    n = terms.basis.n_samples
    left = n - terms.basis.rank
    df = [*terms.df.tolist(), n - 1 - left - int(terms.df.sum()), left - spent]
    quartiles = np.quantile(shares, (0.25, 0.5, 0.75), axis=0) if len(shares) else np.full((3, len(df)), np.nan)
    return pd.DataFrame(
        {
            "term": [*terms.names, "shared", "residuals"],
            "when": when,
            "df": df,
            "mean": shares.mean(axis=0) if len(shares) else np.nan,
            "q25": quartiles[0],
            "median": quartiles[1],
            "q75": quartiles[2],
            "chance": [chance_share(d, n - spent) for d in df],
            "n_obs": n,
        }
    )
