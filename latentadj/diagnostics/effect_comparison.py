"""What adjustment did to the effects, and what residual variances look like."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from latentadj.core.multiple import adjust_pvalues
from latentadj.data import resolve_controls
from latentadj.diagnostics.significance import single_column
from latentadj.results import AdjustmentResult

COMPARISON_COLUMNS = (
    "feature",
    "estimate_unadjusted",
    "estimate",
    "change",
    "significant_unadjusted",
    "significant",
    "control",
)
VARIANCE_COLUMNS = ("feature", "mean", "sigma", "sigma_prior", "sigma_post", "outlier")


def effect_comparison(
    result: AdjustmentResult, term: str | None = None, controls: Any = None, level: float = 0.05
) -> pd.DataFrame:
    """Set every feature's effect with factors beside the one without.

    Parameters
    ----------
    result : AdjustmentResult
    term : str, optional
        A tested column; the first by default.
    controls : optional
        Features to mark: names, positions or a mask; by default the negative controls of the analysis.
    level : float, default=0.05
        False discovery rate (Benjamini and Hochberg).

    Returns
    -------
    pandas.DataFrame
        ``feature, estimate_unadjusted, estimate, change, significant_unadjusted, significant, control``.

    Raises
    ------
    InputError
        For a term that was not tested, or that has several columns.
    ControlsError
        For controls that are not among the features.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 30))
    >>> res = la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=0)
    >>> effect_comparison(res)["change"].abs().max()
    np.float64(0.0)
    """
    table = result.tidy(single_column(result, term))
    hits = {
        "significant": table["p_adjusted"].to_numpy() < level,
        "significant_unadjusted": adjust_pvalues(table["p_value_unadjusted"].to_numpy()) < level,
    }
    change = table["estimate"] - table["estimate_unadjusted"]
    marked = control_mask(result, controls)
    return table.assign(change=change, control=marked, **hits)[list(COMPARISON_COLUMNS)]


def control_mask(result: AdjustmentResult, controls: Any = None) -> np.ndarray:
    """Return which features are controls, shape (n_features,): those given, those of the analysis, or none.

    Raises
    ------
    ControlsError
        For controls that are not among the features.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 4))
    >>> control_mask(la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=0), [1])
    array([False,  True, False, False])
    """
    if controls is not None:
        named = [str(name) for name in result.feature_ids] if result.feature_ids.dtype == object else None
        return np.asarray(resolve_controls(controls, named, result.n_features))
    known = result.controls
    return np.zeros(result.n_features, dtype=bool) if known is None else np.asarray(known, dtype=bool)


def mean_variance_table(result: AdjustmentResult, which: str = "adjusted") -> pd.DataFrame:
    """Residual standard deviations against mean levels, with the prior they are moderated towards.

    Parameters
    ----------
    result : AdjustmentResult
    which : {"adjusted", "unadjusted"}, default="adjusted"

    Returns
    -------
    pandas.DataFrame
        ``feature, mean, sigma, sigma_prior, sigma_post, outlier``: the residual standard deviation, the one that is
        expected at the feature's level (NaN when variances are not moderated), the moderated one, and whether the
        feature has fewer prior degrees of freedom than others (robust moderation). Features that do not vary have
        NaN.

    Notes
    -----
    Smyth (2004), Statistical Applications in Genetics and Molecular Biology 3:3; with a trend, Law, Chen, Shi and
    Smyth (2014), Genome Biology 15:R29.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 30))
    >>> table = mean_variance_table(la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), method="none"))
    >>> table["sigma_prior"].nunique()
    1
    """
    fit = result.unadjusted_fit if which == "unadjusted" else result.fit
    prior = (result.unadjusted_tests if which == "unadjusted" else result.uncalibrated_tests).prior
    usable = ~np.asarray(fit.constant) & np.isfinite(fit.sigma2) & (fit.sigma2 > 0)
    df_prior = np.broadcast_to(np.asarray(prior.df_prior, dtype=np.float64), fit.sigma2.shape)
    columns = {"sigma": fit.sigma2, "sigma_prior": prior.s2_prior, "sigma_post": prior.s2_post}
    roots = {
        name: np.sqrt(np.where(usable, np.broadcast_to(values, fit.sigma2.shape), np.nan))
        for name, values in columns.items()
    }
    outlier = usable & (df_prior < np.nanmax(df_prior[usable], initial=0.0) * 0.999)
    return pd.DataFrame({"feature": result.feature_ids, "mean": fit.mean, **roots, "outlier": outlier})[
        list(VARIANCE_COLUMNS)
    ]
