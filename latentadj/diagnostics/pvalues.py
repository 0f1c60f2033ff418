"""The shape of a p-value histogram, and what usually causes it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtri

from latentadj.core.qvalue import pi0_estimate
from latentadj.diagnostics.check import CheckResult
from latentadj.exceptions import InputError
from latentadj.results import AdjustmentResult

Array = NDArray[np.float64]

#: Fewer p-values than this have no shape.
ENOUGH = 100
#: A density counts as higher than another when it is by this factor and by three standard errors.
FACTOR = 1.15
STANDARD_ERRORS = 3.0
#: Median of a chi-square variable with one degree of freedom.
MEDIAN_CHI2 = float(chdtri(1.0, 0.5))

_TEXTS: dict[str, tuple[str, str, str]] = {
    "uniform": (
        "ok",
        "Hardly any feature seems to depend on the variable.",
        "Expect few or no discoveries; that is an answer.",
    ),
    "uniform+spike": (
        "ok",
        "Features without effect make the flat part, those with one the peak near 0.",
        "The p-values can be read as they are.",
    ),
    "inflated": (
        "warning",
        "Either confounding is left, or most features truly respond; p-values alone cannot tell which.",
        "Look at the confounding test and the covariates, and vary the number of factors, before counting discoveries.",
    ),
    "conservative": (
        "warning",
        "A hidden factor that is balanced against the variable inflates the residual variances, or errors are "
        "correlated.",
        "Add factors, or a covariate that is missing from the design.",
    ),
    "u_shaped": (
        "warning",
        "True effects on top of null p-values that are too large, or tests that are one-sided or discrete.",
        "Add factors or a missing covariate; do not use q-values, whose share of nulls is then estimated near 1.",
    ),
    "discrete": (
        "note",
        "Ranks, counts or permutations allow only a few values.",
        "Read the small p-values, not the shape; more permutations or samples give more values.",
    ),
    "too_few": (
        "note",
        f"A shape needs at least {ENOUGH} p-values.",
        "Look at the p-values one by one.",
    ),
}


@dataclass(frozen=True)
class _Region:
    """A count and the width of the interval it came from."""

    count: int
    width: float

    def exceeds(self, other: _Region, factor: float = FACTOR, errors: float = STANDARD_ERRORS) -> bool:
        """Whether the density is higher by a factor, and by so many standard errors of both counts."""
        a, b = self.count + 0.5, other.count + 0.5
        log_ratio = np.log(a / self.width) - np.log(b / other.width)
        return bool(log_ratio > np.log(factor) and log_ratio > errors * np.sqrt(1 / a + 1 / b))


def classify_pvalues(p: ArrayLike, *, name: str = "p-values") -> CheckResult:
    """Name the shape of a p-value histogram, its usual cause, and the next step.

    Parameters
    ----------
    p : array-like of shape (n_features,)
        P-values in [0, 1]; NaN is left out.
    name : str, default="p-values"
        What they are of, for the message.

    Returns
    -------
    CheckResult
        `verdict` is "uniform", "uniform+spike", "inflated", "conservative", "u_shaped", "discrete" or
        "too_few". `statistics` holds ``n``, ``inflation`` (genomic inflation factor lambda), ``spread`` (its
        square root: the median absolute deviation of z about 0, 1 under the null), ``pi0`` (share of true
        nulls) and ``below_05`` (share of p-values below 0.05).

    Raises
    ------
    InputError
        When a p-value is outside [0, 1].

    Notes
    -----
    Densities are compared between intervals; one counts as higher when it is by 15 % and by three binomial
    standard errors, so that neither a large number of features nor a small one decides. In this order: more than
    half of the values tied, *discrete*; density over (0.05, 0.25] above that over (0.5, 1] by 30 %, and over
    (0.25, 0.5] by 8 % and one standard error, *inflated* (a normal null that is 1.2 times too wide gives 38 % and
    11 %); both ends above the centre (0.25, 0.75], *u_shaped*; the right end above the centre or the left end below
    it, *conservative*; the left end above (0.5, 1], *uniform+spike*; else *uniform*. The classes follow Breheny,
    Stromberg and Lambert (2018), High-Throughput 7:23. Lambda: Devlin and Roeder (1999), Biometrics 55:997.
    Features share samples, so the standard errors are too small when errors are correlated; the percentages are
    what then holds.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> classify_pvalues(rng.uniform(size=5000)).verdict
    'uniform'
    >>> classify_pvalues(np.r_[rng.uniform(size=5000), rng.uniform(0, 1e-4, size=500)]).verdict
    'uniform+spike'
    """
    p = _finite(p)
    verdict = _verdict(p)
    level, cause, next_step = _TEXTS[verdict]
    return CheckResult(name, verdict, level, cause, next_step, _statistics(p))


def _finite(p: ArrayLike) -> Array:
    values = np.asarray(p, dtype=np.float64).ravel()
    values = values[~np.isnan(values)]
    outside = (values < 0) | (values > 1)
    if outside.any():
        raise InputError(
            f"{int(outside.sum())} of {values.size} p-values are outside [0, 1], e.g. {values[outside][0]:.4g}. "
            "Give p-values, not statistics or their logarithms."
        )
    return values


def _region(p: Array, low: float, high: float) -> _Region:
    inside = (p > low) & (p <= high) if low > 0 else p <= high
    return _Region(int(np.count_nonzero(inside)), high - low)


def _verdict(p: Array) -> str:
    if p.size < ENOUGH:
        return "too_few"
    if _is_discrete(p):
        return "discrete"
    left, centre, right = _region(p, 0.0, 0.05), _region(p, 0.25, 0.75), _region(p, 0.75, 1.0)
    if _keeps_falling(p):
        return "inflated"
    rises = right.exceeds(centre) or _region(p, 0.95, 1.0).exceeds(centre)
    if rises:
        return "u_shaped" if left.exceeds(centre) else "conservative"
    if centre.exceeds(left):
        return "conservative"
    return "uniform+spike" if _has_spike(p, left) else "uniform"


def _keeps_falling(p: Array) -> bool:
    """Whether the density falls beyond the peak of clear effects, and goes on falling in the middle."""
    shoulder, middle, far = _region(p, 0.05, 0.25), _region(p, 0.25, 0.5), _region(p, 0.5, 1.0)
    return shoulder.exceeds(far, factor=1.3) and middle.exceeds(far, factor=1.08, errors=1.0)


def _is_discrete(p: Array) -> bool:
    """Whether more than half of the p-values that did not underflow are tied."""
    present = p[p > 0]
    return bool(present.size and np.unique(present).size < 0.5 * present.size)


def _has_spike(p: Array, left: _Region) -> bool:
    flat = _region(p, 0.5, 1.0)
    return left.exceeds(flat) or _region(p, 0.0, 0.001).exceeds(flat, 2.0)


def _statistics(p: Array) -> dict[str, float]:
    if p.size == 0:
        return {"n": 0.0, "inflation": np.nan, "spread": np.nan, "pi0": np.nan, "below_05": np.nan}
    inflation = float(chdtri(1.0, max(float(np.median(p)), np.finfo(float).tiny))) / MEDIAN_CHI2
    return {
        "n": float(p.size),
        "inflation": inflation,
        "spread": float(np.sqrt(inflation)),
        "pi0": share_of_nulls(p),
        "below_05": float(np.mean(p < 0.05)),
    }


def share_of_nulls(p: Array) -> float:
    """Estimate the share of true nulls (Storey); NaN where the estimate is not positive or there are few p-values.

    Parameters
    ----------
    p : ndarray of shape (n_features,)
        Without NaN.

    Returns
    -------
    float

    Examples
    --------
    >>> round(share_of_nulls(np.linspace(0, 1, 1001)), 2)
    1.0
    """
    if p.size < ENOUGH:
        return float("nan")
    try:
        return pi0_estimate(p).pi0
    except InputError:
        return float("nan")


def term_pvalues(result: AdjustmentResult, term: str | None = None, which: str = "adjusted") -> tuple[str, Array]:
    """Return the p-values of one tested term.

    Parameters
    ----------
    result : AdjustmentResult
    term : str, optional
        A tested column, or a formula term; a term with several columns gives the joint F test. By default the
        first formula term.
    which : {"adjusted", "unadjusted", "uncalibrated"}, default="adjusted"

    Returns
    -------
    name : str
        The term, with "(joint F test)" where it is one.
    p : ndarray of shape (n_features,)

    Raises
    ------
    InputError
        For a term that was not tested, or when nothing was.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 30))
    >>> res = la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=0)
    >>> name, p = term_pvalues(res)
    >>> p.shape
    (30,)
    """
    if not result.tests.names:
        raise InputError("No column of the design was tested, so there are no p-values to look at.")
    design = result.design
    term = design.terms[design.names.index(result.tests.names[0])] if term is None else term
    table = result.tidy(term, which=which)
    names = table["term"].unique()
    if len(names) == 1:
        return str(names[0]), table["p_value"].to_numpy(dtype=np.float64)
    joint = result.tidy(term, which=which, joint=True)
    return f"{term} (joint F test)", joint["p_value"].to_numpy(dtype=np.float64)


def pvalue_counts(result: AdjustmentResult, term: str | None = None, bins: int = 40) -> pd.DataFrame:
    """Count p-values in bins of equal width, with and without factors.

    Parameters
    ----------
    result : AdjustmentResult
    term : str, optional
        As in `term_pvalues`.
    bins : int, default=40

    Returns
    -------
    pandas.DataFrame
        A row per bin: ``low, high, adjusted, unadjusted`` (counts) and ``expected``, the count per bin if no
        feature depended on the term.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 30))
    >>> res = la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=0)
    >>> int(pvalue_counts(res)["adjusted"].sum())
    30
    """
    edges = np.linspace(0.0, 1.0, bins + 1)
    counts = {
        which: np.histogram(_finite(term_pvalues(result, term, which)[1]), edges)[0]
        for which in ("adjusted", "unadjusted")
    }
    expected = counts["adjusted"].sum() / bins
    return pd.DataFrame({"low": edges[:-1], "high": edges[1:], **counts, "expected": expected})
