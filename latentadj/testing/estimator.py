"""The check of a factor method."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from latentadj.data.controls import resolve_controls
from latentadj.exceptions import InputError
from latentadj.factors import LatentFactorEstimator
from latentadj.testing.promises import PROMISES
from latentadj.testing.study import FORMULA, MadeUpStudy, made_up_study
from latentadj.testing.subject import Subject

#: Largest relative difference that rounding the data to single precision may make.
SINGLE = 1e-5


def check_latent_factor_estimator(
    estimator: LatentFactorEstimator,
    *,
    X: Any = None,
    sample_data: pd.DataFrame | None = None,
    formula: str = FORMULA,
    controls: Any = None,
    n_factors: int = 2,
    rounding: float | None = None,
    single: float = SINGLE,
    promises: tuple[str, ...] | None = None,
) -> dict[str, str]:
    """Hold a factor method to everything that methods of this package promise.

    Parameters
    ----------
    estimator : LatentFactorEstimator
        Settings as they are to be checked; it is cloned. The number of factors, the controls and, where it names
        `sample_parameters` that it needs, values per sample are set by the check.
    X : array-like or DataFrame of shape (n_samples, n_features), optional
        Data of your own; by default a made-up study of 30 samples and 400 features, of counts where the method
        works on counts. Features must vary, and the last nuisance column of the design must be numeric.
    sample_data : pandas.DataFrame, optional
        Sample table of your own data.
    formula : str, default="~ x | age"
    controls : array-like, optional
        Negative controls of your own data.
    n_factors : int, default=2
    rounding : float, optional
        Largest difference between answers whose sums were taken in another order, relative to the largest number
        of an array; by default what the method declares in ``method_info.rounding``, 1e-11 unless it says more.
    single : float, default=1e-5
        The same for values rounded to single precision.
    promises : tuple of str, optional
        Names of the promises to check; all of them by default.

    Returns
    -------
    dict of str to str
        For every promise, "kept", or why it was not asked for: what the method declares in
        ``method_info.not_promised``, or what kind of method it is.

    Raises
    ------
    ContractError
        The first promise that is broken, with the numbers. It is an `AssertionError`.
    InputError
        For a promise that does not exist, or data without a sample table.

    Notes
    -----
    The promises are listed, with a sentence each, in `latentadj.testing.PROMISES`. Whether a method finds the right
    factors is not among them: hold it against a reference implementation and against simulated truth
    (`latentadj.simulation`), and show its type-I error.

    Examples
    --------
    >>> from latentadj.factors import ResidualPCA
    >>> check_latent_factor_estimator(ResidualPCA(), promises=("block_width", "feature_order"))
    {'block_width': 'kept', 'feature_order': 'kept'}
    """
    study = _study(estimator, X, sample_data, controls, n_factors)
    rounding = estimator.method_info.rounding if rounding is None else rounding
    subject = Subject(estimator, study, formula, rounding, single)
    outcome: dict[str, str] = {}
    for promise in _chosen(promises):
        reason = promise.skipped(subject)
        if not reason:
            promise.hold(subject)
        outcome[promise.name] = reason or "kept"
    return outcome


def _chosen(names: tuple[str, ...] | None) -> list[Any]:
    known = [promise.name for promise in PROMISES]
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise InputError(f"{', '.join(unknown)}: no promise of that name. Promises are {', '.join(known)}.")
    return [promise for promise in PROMISES if names is None or promise.name in names]


def _study(
    estimator: LatentFactorEstimator, X: Any, sample_data: pd.DataFrame | None, controls: Any, n_factors: int
) -> MadeUpStudy:
    if X is None:
        built_in = made_up_study(estimator.method_info.input_scale)
        return MadeUpStudy(built_in.X, built_in.sample_data, built_in.controls, n_factors)
    if sample_data is None:
        raise InputError("X of your own needs sample_data=, a row per sample, with the columns of the formula.")
    names = [str(name) for name in X.columns] if isinstance(X, pd.DataFrame) else None
    values = np.array(X, dtype=np.float64)
    table = sample_data.set_axis([f"s{i}" for i in range(len(sample_data))])
    nobody = np.zeros(values.shape[1], dtype=bool)
    mask = nobody if controls is None else resolve_controls(controls, names, values.shape[1])
    values.flags.writeable = False
    return MadeUpStudy(values, table, mask, n_factors)
