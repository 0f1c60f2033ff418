"""Multiple testing: adjusted p-values, q-values, share of true nulls and local false discovery rates.

Only `adjust_pvalues` lives here; the rest is gathered from `latentadj.core.qvalue` and
`latentadj.core.local_fdr`, so that one import serves all. Every function takes arrays, keeps NaN where it was
given, and leaves NaN out of the number of tests.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from latentadj.core.local_fdr import edge_pi0, local_fdr, local_fdr_from_z
from latentadj.core.pvalues import FloatArray, fill_missing, split_missing
from latentadj.core.qvalue import STOREY_LAMBDAS, Pi0Result, pi0_estimate, q_values
from latentadj.exceptions import MethodError

__all__ = [
    "STOREY_LAMBDAS",
    "Pi0Result",
    "adjust_pvalues",
    "edge_pi0",
    "local_fdr",
    "local_fdr_from_z",
    "pi0_estimate",
    "q_values",
]


def _step_up(p: FloatArray, factor: float) -> FloatArray:
    """Adjust by min over k >= rank of ``factor * m * p_(k) / k`` (Benjamini & Hochberg 1995, eq. 1)."""
    m = p.size
    order = np.argsort(p)
    scaled = p[order] * (factor * m / np.arange(1, m + 1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return adjusted


def _benjamini_hochberg(p: FloatArray) -> FloatArray:
    return _step_up(p, 1.0)


def _benjamini_yekutieli(p: FloatArray) -> FloatArray:
    """Step up with the harmonic sum 1 + 1/2 + ... + 1/m (Benjamini & Yekutieli 2001, thm. 1.3)."""
    return _step_up(p, float(np.sum(1.0 / np.arange(1, p.size + 1))))


def _holm(p: FloatArray) -> FloatArray:
    """Step down: max over k <= rank of ``(m - k + 1) p_(k)`` (Holm 1979)."""
    m = p.size
    order = np.argsort(p)
    scaled = p[order] * np.arange(m, 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted


def _bonferroni(p: FloatArray) -> FloatArray:
    return np.minimum(p * p.size, 1.0)


_ADJUSTMENTS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "bh": _benjamini_hochberg,
    "by": _benjamini_yekutieli,
    "holm": _holm,
    "bonferroni": _bonferroni,
    "none": np.copy,
}


def adjust_pvalues(p: ArrayLike, method: str = "bh") -> FloatArray:
    """Adjust p-values for the number of tests.

    Parameters
    ----------
    p : array_like, shape (p,)
        P-values in [0, 1]. NaN stays NaN and is not counted as a test.
    method : {"bh", "by", "holm", "bonferroni", "none"}
        ``"bh"`` and ``"by"`` control the false discovery rate (independent or positively dependent tests, and
        any dependence); ``"holm"`` and ``"bonferroni"`` the family-wise error; ``"none"`` returns a copy.

    Returns
    -------
    ndarray, shape (p,)
        Adjusted p-values in [0, 1]; equal p-values get equal answers.

    Raises
    ------
    InputError
        If `p` is not one-dimensional or leaves [0, 1].
    MethodError
        If `method` is unknown.

    References
    ----------
    Benjamini & Hochberg (1995), J. R. Statist. Soc. B 57, 289-300; Benjamini & Yekutieli (2001), Ann.
    Statist. 29, 1165-1188; Holm (1979), Scand. J. Statist. 6, 65-70.

    Examples
    --------
    >>> adjust_pvalues([0.01, 0.04, float("nan"), 0.03])
    array([0.03, 0.04,  nan, 0.04])
    >>> adjust_pvalues([0.01, 0.04, 0.03], method="holm")
    array([0.03, 0.06, 0.06])
    """
    if method not in _ADJUSTMENTS:
        allowed = ", ".join(repr(name) for name in _ADJUSTMENTS)
        raise MethodError(
            f"method={method!r} is not a p-value adjustment. Allowed: {allowed}. "
            "For q-values call q_values(), which also estimates the share of true nulls."
        )
    present, where = split_missing(p)
    return fill_missing(_ADJUSTMENTS[method](present), where)
