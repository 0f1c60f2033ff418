"""How well a result finds the truth of a simulated study."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latentadj.core.multiple import adjust_pvalues
from latentadj.results import AdjustmentResult
from latentadj.simulation.study import Truth


@dataclass(frozen=True)
class ErrorRates:
    """Error rates of one result.

    Attributes
    ----------
    type_one_error : float
        Share of the features without effect whose p-value is below `alpha`.
    fdp : float
        Share of false discoveries among the discoveries; 0 without discoveries.
    power : float
        Share of the features with an effect that are discovered; NaN without any.
    n_factors : int
        Factors the method used.
    """

    type_one_error: float
    fdp: float
    power: float
    n_factors: int


def error_rates(result: AdjustmentResult, truth: Truth, *, alpha: float = 0.05, fdr: float = 0.1) -> ErrorRates:
    """Compare the tests of the first tested column with the truth.

    Parameters
    ----------
    result : AdjustmentResult
    truth : Truth
    alpha : float, default=0.05
        Level of the type-I error.
    fdr : float, default=0.1
        Discoveries are the features whose Benjamini-Hochberg adjusted p-value is at most this.

    Returns
    -------
    ErrorRates

    Notes
    -----
    Benjamini and Hochberg (1995), Journal of the Royal Statistical Society B 57:289. A feature without a
    p-value counts as not discovered.

    Examples
    --------
    >>> import latentadj as la
    >>> from latentadj.simulation import Scenario, simulate
    >>> study = simulate(Scenario(n_factors=0, confounding=0.0), 0)
    >>> rates = error_rates(la.adjust(study.X, study.design, method="none"), study.truth)
    >>> 0.03 < rates.type_one_error < 0.07
    True
    """
    p_value = np.where(np.isnan(result.tests.p_value[:, 0]), 1.0, result.tests.p_value[:, 0])
    null, found = truth.is_null, adjust_pvalues(p_value) <= fdr
    false = float(np.sum(found & null))
    return ErrorRates(
        type_one_error=_share(p_value[null] < alpha),
        fdp=false / max(float(found.sum()), 1.0),
        power=_share(found[~null]),
        n_factors=result.n_factors,
    )


def _share(flags: np.ndarray) -> float:
    return float(flags.mean()) if flags.size else float("nan")
