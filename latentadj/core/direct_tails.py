"""Tail probabilities of t and F statistics without tables, on the scale ``s = sqrt(df1 F)`` of `core.tails`."""

from __future__ import annotations

import numpy as np
from scipy import special

from latentadj.core.piecewise import Reals

_FAR_TAIL = 1e-200  # below, p comes from the continued fraction: fdtrc starts to lose digits at 1e-250
_FRACTION_TERMS = 10  # so far out six give every digit, whatever the degrees of freedom


def direct_tail(s: Reals, df1: float, df2: Reals | float, log: bool) -> Reals:
    """Upper tail without a table: p, or log p, at s (n,) for df2 (n,) or scalar."""
    nu = np.broadcast_to(df2, s.shape)
    p = _special_tail(s, df1, nu)
    far = p < _FAR_TAIL
    result = np.log(p) if log else p
    if far.any():
        log_far = _log_far_tail(s[far], df1, nu[far])
        result[far] = log_far if log else np.exp(log_far)
    return result


def _special_tail(s: Reals, df1: float, df2: Reals) -> Reals:
    """Upper tail by SciPy's functions, good above `_FAR_TAIL`."""
    infinite, large = np.isposinf(df2), (df2 > 1e4) & (df2 < np.inf) & (df1 > 2.0)
    p = special.fdtrc(df1, np.where(infinite, 1.0, df2), np.where(infinite, 0.0, s * s / df1))
    if infinite.any():
        chi = 2.0 * special.ndtr(-s) if df1 == 1.0 else special.gammaincc(df1 / 2, s * s / 2)
        p = np.where(infinite, chi, p)
    if large.any():  # where fdtrc loses digits in proportion to df2
        square, a = s[large] ** 2, df2[large] / 2
        p[large] = special.betaincc(df1 / 2, a, square / (2 * a + square))
    if df1 == 1.0 and (df2 == 1.0).any():  # Cauchy: fdtrc loses digits near p = 1
        p = np.where(df2 == 1.0, np.arctan2(1.0, s) * (2 / np.pi), p)
    return p


def _log_far_tail(s: Reals, df1: float, df2: Reals) -> Reals:
    """Log p far in the upper tail, where p itself may underflow.

    With a = df2 / 2, b = df1 / 2, x = df2 / (df2 + s^2): p = x^a (1 - x)^b / (B(a, b) K), K the continued
    fraction of DiDonato and Morris (1992, ACM TOMS 18: 360-373), written here in 1 / a so that an infinite
    df2 needs no case of its own (K is then Legendre's fraction of the incomplete gamma function).
    """
    a, b, z = np.minimum(df2 / 2, 1e300), df1 / 2, s * s / 2
    log_z = 2.0 * np.log(s) - np.log(2.0)
    log_inverse_x = np.where(np.isfinite(z), np.log1p(z / a), log_z - np.log(a))
    log_xz = log_z - log_inverse_x
    log_kernel = b * log_xz - a * log_inverse_x + _log_gamma_ratio(a, b) - special.gammaln(b)
    log_p = log_kernel - np.log(_beta_fraction(np.exp(-log_inverse_x), np.exp(log_xz), 1.0 / a, b))
    return np.where(np.isposinf(s), -np.inf, log_p)


def _log_gamma_ratio(a: Reals, b: float) -> Reals:
    """Log of Gamma(a + b) / (Gamma(a) a^b), by Stirling's series where logarithms would cancel."""
    x = np.stack([a, a + b])
    correction = (1 / 12 - (1 / 360 - (1 / 1260 - 1 / 1680 / x**2) / x**2) / x**2) / x
    stirling = (a + b - 0.5) * np.log1p(b / a) - b + correction[1] - correction[0]
    plain = special.gammaln(a + b) - special.gammaln(a) - b * np.log(a)
    return np.where(a > 30.0, stirling, plain)


def _beta_fraction(x: Reals, xz: Reals, nu: Reals, b: float) -> Reals:
    """Continued fraction K of :func:`_log_far_tail`, from the inside out; xz = a (1 - x), nu = 1 / a."""
    start = xz - b * x + 1.0
    tail = np.zeros_like(x)
    for m in range(_FRACTION_TERMS, 0, -1):
        step = 1.0 + (2 * m - 1) * nu
        own = m + m * (b - m) * x * nu / step
        own += (1.0 + m * nu) / (step + 2.0 * nu) * (start + m * (2.0 - x))
        above = (1.0 + (m - 1) * nu) * (1.0 + (b + m - 1) * nu) * m * (b - m) * (x / step) ** 2
        tail = above / (own + tail)
    return start / (1.0 + nu) + tail
