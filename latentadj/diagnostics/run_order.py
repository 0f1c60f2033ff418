"""Whether factors, or the leading components of the data, drift with the order or date of the runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.core.multiple import adjust_pvalues
from latentadj.core.regression import design_basis
from latentadj.diagnostics.association import aligned_table, partial_fit
from latentadj.diagnostics.explored import ExploredStudy, explored_study
from latentadj.diagnostics.residual_structure import residual_components
from latentadj.exceptions import InputError
from latentadj.results import AdjustmentResult
from latentadj.results.components import sample_components

Array = NDArray[np.float64]

#: Degree of the curve that is tested beside the straight line.
DEGREE = 3
#: Components that are looked at where there are no factors.
N_COMPONENTS = 4


def run_order_table(
    data: Any, order: Any = None, sample_data: pd.DataFrame | None = None, *, of: str = "factors"
) -> pd.DataFrame:
    """Lay factor scores out along the order or date of the runs.

    Parameters
    ----------
    data : AdjustmentResult, or matrix of samples x features
        Of a result with factors its factors are taken; else the leading principal components of the data.
    order : str or array-like of shape (n_samples,), optional
        A numeric or date column of the sample table, or values; by default the first column of dates.
    sample_data : pandas.DataFrame, optional
        Sample table; by default the one that came with `data`.
    of : {"factors", "residuals"}, default="factors"
        "residuals" takes the leading components of what the design of a result and its factors leave.

    Returns
    -------
    pandas.DataFrame
        ``sample, order, factor, score``, in the order of the runs; samples without a value of `order` are left out.
        Scores have mean 0 and standard deviation 1.

    Raises
    ------
    InputError
        Without an order, or one that is text or constant.

    Examples
    --------
    >>> X = np.outer(np.arange(6.0), np.ones(5)) + np.eye(6, 5)
    >>> run_order_table(X, order=[5, 4, 3, 2, 1, 0])["order"].head(3).tolist()
    [0.0, 0.0, 0.0]
    """
    scores, names, study = scores_of(data, sample_data, of)
    position, values = order_values(study, order)
    present = np.flatnonzero(np.isfinite(position))
    present = present[np.argsort(position[present], kind="stable")]
    k = scores.shape[1]
    return pd.DataFrame(
        {
            "sample": np.repeat(np.array(study.sample_ids, dtype=object)[present], k),
            "order": np.repeat(values.to_numpy()[present], k),
            "factor": np.tile(np.array(names, dtype=object), len(present)),
            "score": scores[present].ravel(),
        }
    )


def run_order_association(
    data: Any, order: Any = None, sample_data: pd.DataFrame | None = None, *, of: str = "factors"
) -> pd.DataFrame:
    """Test every factor for drift: a straight line, and a curve, along the order or date of the runs.

    Parameters
    ----------
    data, order, sample_data, of
        As in `run_order_table`.

    Returns
    -------
    pandas.DataFrame
        ``factor, order, line_r2, line_p, curve_r2, curve_p, p_adjusted, n_obs``: shares of the factor's variation and
        p-values of F tests of a straight line and of a polynomial of degree 3 (of lower degree with fewer distinct
        values). `p_adjusted` is Benjamini-Hochberg over the curves.

    Raises
    ------
    InputError
        Without an order, or one that is text or constant.

    Notes
    -----
    P-values treat the factors as given data, and are exact for an order that had no part in their estimation.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = np.outer(np.arange(40.0), rng.normal(size=200)) + rng.normal(size=(40, 200))
    >>> table = run_order_association(X, order=np.arange(40))
    >>> bool(table.loc[0, "curve_p"] < 1e-10), table.loc[0, "factor"]
    (True, 'component 1')
    """
    scores, names, study = scores_of(data, sample_data, of)
    position, values = order_values(study, order)
    present = np.isfinite(position)
    ones = design_basis(np.ones((int(present.sum()), 1)))
    line = partial_fit(scores[present], ones, position[present, None])
    curve = partial_fit(scores[present], ones, _polynomial(position[present]))
    return pd.DataFrame(
        {
            "factor": names,
            "order": values.name,
            "line_r2": line.r2,
            "line_p": line.p_value,
            "curve_r2": curve.r2,
            "curve_p": curve.p_value,
            "p_adjusted": adjust_pvalues(curve.p_value),
            "n_obs": int(present.sum()),
        }
    )


def order_values(study: ExploredStudy, order: Any = None) -> tuple[Array, pd.Series]:
    """Return positions of the samples along an order, as numbers and as they were given.

    Parameters
    ----------
    study : ExploredStudy
    order : str or array-like of shape (n_samples,), optional

    Returns
    -------
    position : ndarray of shape (n_samples,)
        Dates in days after the first; NaN where missing.
    values : pandas.Series
        Numbers or dates, named.

    Raises
    ------
    InputError
        Without an order, or one that is text or constant.

    Examples
    --------
    >>> study = explored_study(np.ones((2, 3)), pd.DataFrame({"day": pd.to_datetime(["2024-03-02", "2024-03-01"])}))
    >>> order_values(study)[0]
    array([1., 0.])
    """
    values = study.values_of(_first_date(study) if order is None else order, "order")
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        position = ((values - values.min()) / pd.Timedelta(days=1)).to_numpy(dtype=np.float64)
    else:
        position = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        if np.count_nonzero(np.isfinite(position)) < values.notna().sum():
            raise InputError(
                f"order={values.name!r} holds text or infinite values; numbers or dates are needed. Convert it with "
                "pandas.to_datetime or pandas.to_numeric."
            )
        values = pd.Series(position, name=values.name)
    if len(np.unique(position[np.isfinite(position)])) < 2:
        raise InputError(f"order={values.name!r} is the same in all samples, so nothing can drift along it.")
    return position, values


def _first_date(study: ExploredStudy) -> str:
    table = pd.DataFrame() if study.sample_data is None else study.sample_data
    dates = [name for name in table.columns if pd.api.types.is_datetime64_any_dtype(table[name].dtype)]
    if not dates:
        raise InputError(
            "The sample table has no column of dates. Name the column that holds the order or date of the runs with "
            f"order=; it has {', '.join(map(str, table.columns)) or 'none'}."
        )
    return str(dates[0])


def scores_of(
    data: Any, sample_data: pd.DataFrame | None = None, of: str = "factors"
) -> tuple[Array, list[str], ExploredStudy]:
    """Return standardised factors of a result, or leading components of the data or of a result's residuals.

    Parameters
    ----------
    data : AdjustmentResult, or matrix of samples x features
    sample_data : pandas.DataFrame, optional
    of : {"factors", "residuals"}, default="factors"

    Returns
    -------
    scores : ndarray of shape (n_samples, k)
    names : list of str, length k
    study : ExploredStudy
        Samples and their table; without data where these are not needed.

    Raises
    ------
    InputError
        An unknown `of`, or residuals of a matrix, which has no design.

    Examples
    --------
    >>> scores_of(np.outer(np.arange(6.0), np.ones(5)))[1]
    ['component 1']
    """
    if of not in ("factors", "residuals"):
        raise InputError(f"of={of!r} is unknown; choose 'factors' or 'residuals'.")
    if of == "residuals":
        return _residual_scores(data, sample_data)
    if isinstance(data, AdjustmentResult) and data.n_factors:
        known = sample_data is not None or data.sample_data is not None
        table = aligned_table(data, sample_data) if known else None
        study = ExploredStudy({}, data.sample_ids, data.feature_ids, table, data.n_factors)
        return _standardised(data.factors.to_numpy()), list(map(str, data.factors.columns)), study
    study = explored_study(data, sample_data, what="Drift of components")
    before = study.complete_panels()["before"]
    found = sample_components(before, np.empty((study.n_samples, 0)), None, N_COMPONENTS)
    kept = found.shares > 1e-12
    names = [f"component {i + 1}" for i in np.flatnonzero(kept)]
    return _standardised(found.scores[:, kept]), names, study


def _residual_scores(data: Any, sample_data: pd.DataFrame | None) -> tuple[Array, list[str], ExploredStudy]:
    if not isinstance(data, AdjustmentResult):
        raise InputError("of='residuals' needs a result, which has a design; a matrix has none.")
    found = residual_components(data, N_COMPONENTS)
    study = explored_study(data, sample_data, what="Drift of residuals")
    return _standardised(found.scores.to_numpy()), list(map(str, found.scores.columns)), study


def drift_curve(order: pd.Series, score: pd.Series, n_points: int = 200) -> tuple[NDArray[Any], Array]:
    """Evaluate the polynomial that is tested along the order.

    Parameters
    ----------
    order : Series of length n
        Numbers or dates.
    score : Series of length n
    n_points : int, default=200

    Returns
    -------
    order, score : ndarray of shape (n_points,)

    Examples
    --------
    >>> drift_curve(pd.Series([1.0, 2.0, 3.0]), pd.Series([2.0, 4.0, 6.0]), 3)[1].round(12)
    array([2., 4., 6.])
    """
    dates = pd.api.types.is_datetime64_any_dtype(order.dtype)
    position = np.asarray((order - order.min()) / pd.Timedelta(days=1) if dates else order, dtype=np.float64)
    across = np.linspace(position.min(), position.max(), n_points)
    columns = _polynomial(np.concatenate([position, across]), len(np.unique(position)) - 1)
    design = np.column_stack([np.ones(len(columns)), columns])
    basis = design_basis(design[: len(position)])
    coefficients = basis.r_inverse @ (basis.q.T @ score.to_numpy(dtype=np.float64))
    fitted: Array = design[len(position) :, list(basis.kept)] @ coefficients
    shown = order.min() + pd.to_timedelta(across, unit="D") if dates else across
    return np.asarray(shown), fitted


def _standardised(scores: Array) -> Array:
    centred = scores - scores.mean(axis=0)
    spread = centred.std(axis=0, ddof=1)
    out: Array = centred / np.where(spread > 0, spread, 1.0)
    return out


def _polynomial(position: Array, most: int | None = None) -> Array:
    """Powers of the position, as far as distinct values allow; on [-1, 1], so that they do not run together."""
    degree = min(DEGREE, len(np.unique(position)) - 1 if most is None else most)
    low, high = position.min(), position.max()
    return np.polynomial.legendre.legvander(2.0 * (position - low) / (high - low) - 1.0, degree)[:, 1:]
