"""Which known covariates the estimated factors follow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.core.alignment import canonical_correlations
from latentadj.core.multiple import adjust_pvalues
from latentadj.core.regression import DesignBasis, design_basis
from latentadj.core.tails import f_upper_p
from latentadj.data import align_samples
from latentadj.diagnostics.covariates import Covariate, read_covariates
from latentadj.exceptions import InputError
from latentadj.results import AdjustmentResult

Array = NDArray[np.float64]

ASSOCIATION_COLUMNS = ("factor", "covariate", "kind", "statistic", "p_value", "p_adjusted", "n_obs", "note")
RECOVERY_COLUMNS = ("covariate", "kind", "canonical_correlation", "r2", "p_value", "p_adjusted", "n_obs", "note")


@dataclass(frozen=True)
class PartialFit:
    """Share of each response's variation that added columns explain.

    Attributes
    ----------
    r2, p_value : ndarray of shape (k,)
        NaN where a response does not vary or no degrees of freedom are left.
    df1, df2 : int
    """

    r2: Array
    p_value: Array
    df1: int
    df2: int


def factor_association(
    result: AdjustmentResult, sample_data: pd.DataFrame | None = None, *, given_design: bool = False
) -> pd.DataFrame:
    """Associate every factor with every covariate of the sample table.

    Parameters
    ----------
    result : AdjustmentResult
    sample_data : pandas.DataFrame, optional
        Sample table, aligned by ID; by default the one the study was analysed with, columns outside the formula
        included.
    given_design : bool, default=False
        Remove the study's design from factor and covariate first, so that a covariate gets no credit for what
        it shares with the tested variables.

    Returns
    -------
    pandas.DataFrame
        ``factor, covariate, kind, statistic, p_value, p_adjusted, n_obs, note``, a row per pair. `statistic` is
        the squared correlation of numbers and eta squared (share of variation between groups) of labels; with
        `given_design`, the partial ones. `p_adjusted` is Benjamini-Hochberg over the table. Covariates that
        cannot be used have NaN and a note.

    Raises
    ------
    InputError
        Without a sample table.
    AlignmentError
        When the table does not fit the samples.

    Notes
    -----
    F test of the covariate's columns in the regression of a factor on them and on the design (or on the
    intercept); both statistics equal ``1 - rss1 / rss0``. The p-values treat factors as given data; they are
    exact for covariates that had no part in the estimation of the factors, descriptive for the tested ones.

    Examples
    --------
    >>> import latentadj as la
    >>> data = la.load_bladder()
    >>> res = la.adjust(data.X.iloc[:, :2000], "~ cancer", data.sample_data, method="sva", n_factors=2)
    >>> table = factor_association(res)
    >>> sorted(table["covariate"].unique()), table["factor"].nunique()
    (['batch', 'cancer', 'outcome'], 2)
    """
    return score_association(
        result.factors, aligned_table(result, sample_data), result.design.matrix if given_design else None
    )


def score_association(
    scores: pd.DataFrame, sample_data: pd.DataFrame, given: Array | None = None, what: str = "factor"
) -> pd.DataFrame:
    """Associate any scores of the samples with every covariate of a sample table.

    Parameters
    ----------
    scores : pandas.DataFrame of shape (n_samples, k)
        Factors, components, or other columns, named.
    sample_data : pandas.DataFrame of n_samples rows
        In the order of the scores.
    given : ndarray of shape (n_samples, d), optional
        Columns that are removed from scores and covariates first, beside the mean.
    what : str, default="factor"
        Name of the first column of the table.

    Returns
    -------
    pandas.DataFrame
        As `factor_association`, with the names of the scores in the column `what`.

    Examples
    --------
    >>> scores = pd.DataFrame({"first": [0.0, 0.1, 1.0, 0.9]})
    >>> score_association(scores, pd.DataFrame({"batch": list("aabb")}))["statistic"].round(2).tolist()
    [0.99]
    """
    values = scores.to_numpy(dtype=np.float64)
    rows: list[dict[str, object]] = []
    for covariate in read_covariates(sample_data):
        fit, note = _association(values, covariate, given)
        rows += [
            _row(covariate, note, **{what: name}, statistic=fit.r2[i], p_value=fit.p_value[i])
            for i, name in enumerate(scores.columns)
        ]
    return _finished(rows, (what, *ASSOCIATION_COLUMNS[1:]))


def covariate_recovery(
    result: AdjustmentResult, sample_data: pd.DataFrame | None = None, *, given_design: bool = False
) -> pd.DataFrame:
    """Tell how much of every covariate the factors together recover.

    Parameters
    ----------
    result : AdjustmentResult
    sample_data : pandas.DataFrame, optional
        As in `factor_association`.
    given_design : bool, default=False
        Remove the study's design from both sides first.

    Returns
    -------
    pandas.DataFrame
        ``covariate, kind, canonical_correlation, r2, p_value, p_adjusted, n_obs, note``, a row per covariate.
        `canonical_correlation` is the largest one between the factors and the covariate; `r2` is the mean of
        the squared ones over the dimensions of the covariate.

    Raises
    ------
    InputError
        Without a sample table.
    AlignmentError
        When the table does not fit the samples.

    Notes
    -----
    With canonical correlations ``r_i``, Pillai's trace is ``V = sum r_i^2``; its F approximation is that of
    Pillai (1955), Annals of Mathematical Statistics 26:117. For one factor or one column it is the exact F test.

    Examples
    --------
    >>> import latentadj as la
    >>> data = la.load_bladder()
    >>> res = la.adjust(data.X.iloc[:, :2000], "~ cancer", data.sample_data, method="sva", n_factors=5)
    >>> bool(covariate_recovery(res).set_index("covariate").loc["batch", "p_value"] < 1e-6)
    True
    """
    rows: list[dict[str, object]] = []
    given = result.design.matrix if given_design else None
    for covariate in read_covariates(aligned_table(result, sample_data)):
        basis = _base(covariate, given)
        columns = _independent(basis, covariate.columns)
        factors = basis.project_out(result.factors.to_numpy()[covariate.present])
        found = canonical_correlations(factors, columns, centre=False)
        r2, p = pillai_test(found, columns.shape[1], _rank(factors), basis.n_samples - basis.rank)
        note = covariate.note or ("part of the design" if not columns.size else "")
        top = float(found[0]) if found.size else np.nan
        rows.append(_row(covariate, note, canonical_correlation=top, r2=r2, p_value=p))
    return _finished(rows, RECOVERY_COLUMNS)


def partial_fit(responses: Array, basis: DesignBasis, columns: Array) -> PartialFit:
    """Test columns added to a design, for several responses.

    Parameters
    ----------
    responses : ndarray of shape (n_samples, k)
    basis : DesignBasis
        What is in the design already.
    columns : ndarray of shape (n_samples, c)

    Returns
    -------
    PartialFit

    Examples
    --------
    >>> x = np.arange(6.0)[:, None]
    >>> partial_fit(x, design_basis(np.ones((6, 1))), x).r2.round(12)
    array([1.])
    """
    added = _independent(basis, columns)
    outside = basis.project_out(responses)
    rss0 = np.einsum("ij,ij->j", outside, outside)
    within = added.T @ outside
    df1, df2 = added.shape[1], basis.n_samples - basis.rank - added.shape[1]
    usable = (rss0 > 1e-20 * np.einsum("ij,ij->j", responses, responses)) & (df1 > 0) & (df2 > 0)
    explained = np.einsum("ij,ij->j", within, within)
    r2 = np.divide(explained, rss0, out=np.full(rss0.shape, np.nan), where=usable)
    r2 = np.minimum(r2, 1.0)
    if df1 < 1 or df2 < 1:
        return PartialFit(r2, np.full_like(r2, np.nan), df1, df2)
    with np.errstate(divide="ignore"):
        statistic = r2 / (1.0 - r2) * df2 / df1
    p_value = np.where(np.isinf(statistic), 0.0, f_upper_p(statistic, float(df1), float(df2)))
    return PartialFit(r2, p_value, df1, df2)


def pillai_test(correlations: Array, n_columns: int, n_factors: int, df: int) -> tuple[float, float]:
    """Mean squared canonical correlation and the p-value of Pillai's trace.

    Parameters
    ----------
    correlations : ndarray of shape (s,)
        Canonical correlations of two sets of columns.
    n_columns, n_factors : int
        Independent columns of the covariate and of the factors.
    df : int
        Degrees of freedom of the samples, n minus what was removed from both sides.

    Returns
    -------
    r2, p_value : float
        NaN when one side is empty or no degrees of freedom are left.

    Examples
    --------
    >>> r2, p = pillai_test(np.array([0.5]), 1, 1, 20)
    >>> round(r2, 2), round(p, 3)
    (0.25, 0.021)
    """
    s = min(n_columns, n_factors)
    spare = df - n_columns - n_factors - 1
    if s < 1 or df - n_columns < n_factors or spare < -1:
        return np.nan, np.nan
    trace = float(np.sum(np.asarray(correlations)[:s] ** 2))
    df1 = s * (abs(n_columns - n_factors) + s)
    df2 = s * (spare + 1 + s)
    r2 = trace / n_columns
    if trace >= s:
        return r2, 0.0
    statistic = trace / (s - trace) * df2 / df1
    return r2, float(f_upper_p(np.array([statistic]), float(df1), float(df2))[0])


def aligned_table(result: AdjustmentResult, sample_data: pd.DataFrame | None) -> pd.DataFrame:
    """Return a sample table in the order of the result's samples.

    Parameters
    ----------
    result : AdjustmentResult
    sample_data : pandas.DataFrame or None
        None for the table kept in the result.

    Returns
    -------
    pandas.DataFrame of n_samples rows

    Raises
    ------
    InputError
        When there is no table at all.
    AlignmentError
        When IDs do not fit.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 30))
    >>> res = la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=0)
    >>> len(aligned_table(res, pd.DataFrame({"age": range(12)})))
    12
    """
    if sample_data is None:
        if result.sample_data is None:
            raise InputError("The result has no sample table to compare with. Pass sample_data=, a row per sample.")
        return result.sample_data
    unnamed = tuple(f"sample{i + 1}" for i in range(result.n_samples))
    ids = None if result.sample_ids == unnamed else result.sample_ids
    return align_samples(ids, sample_data, result.n_samples)[0]


def _base(covariate: Covariate, given: Array | None) -> DesignBasis:
    """Basis of what is removed first: the intercept, and what is given."""
    ones = np.ones((int(covariate.present.sum()), 1))
    if given is None:
        return design_basis(ones)
    return design_basis(np.column_stack([ones, given[covariate.present]]))


def _independent(basis: DesignBasis, columns: Array) -> Array:
    """Orthonormal basis of what columns add to a basis."""
    if columns.shape[1] == 0:
        return columns
    both = design_basis(np.column_stack([basis.q, columns]))
    return both.q[:, basis.rank :]


def _rank(columns: Array) -> int:
    return design_basis(columns).rank if columns.size else 0


def _association(scores: Array, covariate: Covariate, given: Array | None) -> tuple[PartialFit, str]:
    k = scores.shape[1]
    blank = PartialFit(np.full(k, np.nan), np.full(k, np.nan), 0, 0)
    if covariate.kind == "skipped":
        return blank, covariate.note
    fit = partial_fit(scores[covariate.present], _base(covariate, given), covariate.columns)
    if fit.df1 < 1:
        return blank, "part of the design"
    if fit.df2 < 1:
        return blank, "too few samples"
    return fit, covariate.note


def _row(covariate: Covariate, note: str, **values: object) -> dict[str, object]:
    return {
        "covariate": covariate.name,
        "kind": covariate.kind,
        "n_obs": int(covariate.present.sum()),
        "note": note,
        **values,
    }


def _finished(rows: list[dict[str, object]], columns: tuple[str, ...]) -> pd.DataFrame:
    """Make the table and adjust its p-values together."""
    frame = pd.DataFrame(rows, columns=list(columns))
    p = frame["p_value"].to_numpy(dtype=np.float64)
    return frame.assign(p_value=p, p_adjusted=adjust_pvalues(p) if p.size else p)
