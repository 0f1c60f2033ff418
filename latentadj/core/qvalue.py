"""Share of true null hypotheses and q-values (Storey)."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from latentadj.core.penalized_spline import evaluate, fit_by_df
from latentadj.core.pvalues import FloatArray, fill_missing, split_missing
from latentadj.core.spline_system import SplineSystem, spline_system
from latentadj.exceptions import InputError, MethodError

STOREY_LAMBDAS: FloatArray = np.minimum(0.05 + 0.05 * np.arange(19), 0.95)
"""Default cut-offs 0.05, 0.10, ..., 0.95."""
STOREY_LAMBDAS.setflags(write=False)

_SMOOTHER_DF = 3.0
_METHODS = ("smoother", "bootstrap")


@dataclass(frozen=True, slots=True)
class Pi0Result:
    """Estimated share of true null hypotheses.

    Attributes
    ----------
    pi0 : float
        The estimate, in (0, 1].
    lambdas : ndarray, shape (q,)
        Cut-offs used, in increasing order.
    pi0_lambda : ndarray, shape (q,)
        ``#{p >= lambda} / (m (1 - lambda))`` at every cut-off.
    pi0_smooth : ndarray, shape (q,), or None
        The smoothed curve; None unless ``method="smoother"`` and q > 1.
    """

    pi0: float
    lambdas: FloatArray
    pi0_lambda: FloatArray
    pi0_smooth: FloatArray | None


def _valid_lambdas(lambdas: ArrayLike) -> FloatArray:
    values = np.sort(np.atleast_1d(np.asarray(lambdas, dtype=np.float64)))
    if values.ndim != 1 or not (values.size == 1 or values.size >= 4):
        raise InputError(
            f"lambdas has shape {np.shape(lambdas)}; give one cut-off, or at least four to smooth or choose over."
        )
    if not (values[0] >= 0.0 and values[-1] < 1.0):
        raise InputError(
            f"lambdas run from {values[0]:g} to {values[-1]:g}; every cut-off must lie in [0, 1). "
            "The default is 0.05, 0.10, ..., 0.95."
        )
    if np.any(np.diff(values) <= 0.0):
        raise InputError("lambdas holds a cut-off twice; give each once, e.g. through np.unique.")
    return values


@functools.lru_cache(maxsize=16)
def _scaled_system(lambdas: tuple[float, ...]) -> SplineSystem:
    return spline_system(_scaled(np.array(lambdas)))


def _scaled(lambdas: FloatArray) -> FloatArray:
    scaled: FloatArray = (lambdas - lambdas[0]) / (lambdas[-1] - lambdas[0])
    return scaled


def _smooth_curve(lambdas: FloatArray, curve: FloatArray) -> FloatArray:
    fit = fit_by_df(_scaled_system(tuple(lambdas.tolist())), curve, _SMOOTHER_DF)
    return evaluate(fit, _scaled(lambdas))


def _smoother(lambdas: FloatArray, pi0_lambda: FloatArray, smooth_log: bool) -> FloatArray:
    """Smooth pi0(lambda) with 3 degrees of freedom (Storey & Tibshirani 2003)."""
    if not smooth_log:
        return _smooth_curve(lambdas, pi0_lambda)
    if np.any(pi0_lambda <= 0.0):
        raise InputError(
            f"No p-value reaches lambda={lambdas[np.argmax(pi0_lambda <= 0.0)]:g}, "
            "so log pi0 is not finite there. "
            "Use smooth_log=False, smaller lambdas, or give pi0 yourself."
        )
    return np.exp(_smooth_curve(lambdas, np.log(pi0_lambda)))


def _bootstrap(lambdas: FloatArray, pi0_lambda: FloatArray, m: int) -> float:
    """Return pi0 at the cut-off of least mean squared error.

    Bias is measured from the 10% quantile of the curve, the variance is that of a binomial share; this is the
    limit of the bootstrap of Storey, Taylor & Siegmund (2004, sec. 6).
    """
    share = pi0_lambda * (1.0 - lambdas)
    variance = share * (1.0 - share) / (m * (1.0 - lambdas) ** 2)
    error = variance + (pi0_lambda - np.quantile(pi0_lambda, 0.1)) ** 2
    return float(pi0_lambda[error == error.min()].min())


def _pi0_of_present(p: FloatArray, lambdas: FloatArray, method: str, smooth_log: bool) -> Pi0Result:
    reached = p.size - np.searchsorted(np.sort(p), lambdas, side="left")
    pi0_lambda = reached / (p.size * (1.0 - lambdas))
    smooth = None
    if lambdas.size == 1:
        pi0 = float(pi0_lambda[0])
    elif method == "bootstrap":
        pi0 = _bootstrap(lambdas, pi0_lambda, p.size)
    else:
        smooth = _smoother(lambdas, pi0_lambda, smooth_log)
        pi0 = float(smooth[-1])
    if pi0 <= 0.0:
        raise InputError(
            f"The estimated share of true nulls is {pi0:.3g}; it must be positive. "
            "Check that the p-values reach up to 1 (truncated ones do not), use smaller lambdas, "
            "or give pi0 yourself (pi0=1 is safe)."
        )
    return Pi0Result(min(pi0, 1.0), lambdas, pi0_lambda, smooth)


def pi0_estimate(
    p: ArrayLike,
    *,
    lambdas: ArrayLike = STOREY_LAMBDAS,
    method: str = "smoother",
    smooth_log: bool = False,
) -> Pi0Result:
    """Estimate the share of true null hypotheses from p-values.

    Parameters
    ----------
    p : array_like, shape (p,)
        P-values in [0, 1]; NaN is left out.
    lambdas : array_like, shape (q,)
        Cut-offs in [0, 1): one, or at least four.
    method : {"smoother", "bootstrap"}
        ``"smoother"`` reads a cubic smoothing spline with 3 degrees of freedom at the largest cut-off;
        ``"bootstrap"`` takes the cut-off whose mean squared error, in closed form, is least.
    smooth_log : bool
        Smooth log pi0 instead of pi0; for the smoother only.

    Returns
    -------
    Pi0Result

    Raises
    ------
    InputError
        If there are no p-values, one is outside [0, 1], `lambdas` cannot be used, or the estimate is not
        positive.
    MethodError
        If `method` is unknown.

    References
    ----------
    Storey & Tibshirani (2003), PNAS 100, 9440-9445; Storey, Taylor & Siegmund (2004), J. R. Statist. Soc. B
    66, 187-205.

    Examples
    --------
    >>> import numpy as np
    >>> p = np.concatenate([np.linspace(0.0, 1.0, 801), np.full(200, 1e-4)])
    >>> round(pi0_estimate(p, method="bootstrap").pi0, 2)
    0.8
    """
    if method not in _METHODS:
        raise MethodError(f"method={method!r} does not estimate pi0. Allowed: 'smoother', 'bootstrap'.")
    present, _ = split_missing(p)
    if present.size == 0:
        raise InputError("There is no p-value to estimate pi0 from: the array is empty or all NaN.")
    return _pi0_of_present(present, _valid_lambdas(lambdas), method, smooth_log)


def resolve_pi0(p: FloatArray, pi0: float | None, method: str = "smoother") -> float:
    """Return a given `pi0` after checking it, or estimate it.

    Parameters
    ----------
    p : ndarray, shape (m,)
        P-values without NaN.
    pi0 : float or None
        A share in (0, 1], or None to estimate it.
    method : {"smoother", "bootstrap"}
        How to estimate it.

    Returns
    -------
    float

    Raises
    ------
    InputError
        If a given `pi0` is outside (0, 1], or the estimate fails.

    Examples
    --------
    >>> import numpy as np
    >>> resolve_pi0(np.array([0.1, 0.9]), 0.5)
    0.5
    """
    if pi0 is None:
        return pi0_estimate(p, method=method).pi0
    if not 0.0 < pi0 <= 1.0:
        raise InputError(f"pi0={pi0!r}; a share in (0, 1] is needed. Leave it None to estimate it, or give 1.")
    return float(pi0)


def _expected_rejections(p: FloatArray, rank: FloatArray, pfdr: bool) -> FloatArray:
    """Return m p / rank, for the pFDR divided by the chance of any rejection, 1 - (1 - p)^m."""
    m = p.size
    if not pfdr:
        return p * m / rank
    with np.errstate(divide="ignore"):
        any_rejection = -np.expm1(m * np.log1p(-p))
    ratio = np.ones_like(p)  # the limit of m p / (1 - (1 - p)^m) at p = 0
    np.divide(m * p, any_rejection, out=ratio, where=any_rejection > 0.0)
    return ratio / rank


def q_values(p: ArrayLike, *, pi0: float | None = None, method: str = "smoother", pfdr: bool = False) -> FloatArray:
    """Return q-values: the least false discovery rate at which each test would be called.

    Parameters
    ----------
    p : array_like, shape (p,)
        P-values in [0, 1]. NaN stays NaN and is not counted as a test.
    pi0 : float, optional
        Share of true nulls in (0, 1]; estimated when not given. ``pi0=1`` gives Benjamini-Hochberg.
    method : {"smoother", "bootstrap"}
        How `pi0` is estimated, see `pi0_estimate`.
    pfdr : bool
        Control the positive false discovery rate, which is conditional on at least one rejection; more robust
        when there are few tests.

    Returns
    -------
    ndarray, shape (p,)

    Raises
    ------
    InputError
        If a p-value or `pi0` is out of range, or the estimate of pi0 is not positive.
    MethodError
        If `method` is unknown.

    Notes
    -----
    ``q_(i) = min over k >= i of pi0 m p_(k) / k``. A p-value of exactly 0 has a finite
    pFDR here, its limit; the reference implementation returns NaN.

    References
    ----------
    Storey (2002), J. R. Statist. Soc. B 64, 479-498; Storey (2003), Ann. Statist. 31, 2013-2035.

    Examples
    --------
    >>> q_values([0.01, 0.02, float("nan"), 0.6], pi0=0.5)
    array([0.015, 0.015,   nan, 0.3  ])
    """
    if method not in _METHODS:
        raise MethodError(f"method={method!r} does not estimate pi0. Allowed: 'smoother', 'bootstrap'.")
    present, where = split_missing(p)
    if present.size == 0:
        return fill_missing(present, where)
    share = resolve_pi0(present, pi0, method)
    order = np.argsort(present)
    rank = np.arange(1.0, present.size + 1.0)
    rates = _expected_rejections(present[order], rank, pfdr)
    q = np.empty_like(present)
    q[order] = share * np.minimum(np.minimum.accumulate(rates[::-1])[::-1], 1.0)
    return fill_missing(q, where)
