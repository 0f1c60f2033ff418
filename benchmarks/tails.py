"""Tail probabilities against SciPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special

from benchmarks.measure import Case
from latentadj.core import tails

Numbers = Callable[[], np.ndarray]


def case(name: str, ours: Numbers, peer: Numbers, min_ratio: float | None = None, rtol: float = 1e-11) -> Case:
    """A case whose two sides must give the same numbers."""

    def check() -> None:
        np.testing.assert_allclose(ours(), peer(), rtol=rtol, atol=1e-11 if rtol == 0 else 0)

    return Case(name, "SciPy", ours, peer, min_ratio=min_ratio, check=check)


def probit_by_scipy(f: np.ndarray, df1: float, df2: float) -> np.ndarray:
    """Clipped probit of the upper tail, from whichever tail is the smaller."""
    upper = np.maximum(special.fdtrc(df1, df2, f), 1e-8)
    lower = np.maximum(special.fdtr(df1, df2, f), 1e-8)
    return np.where(upper < 0.5, special.ndtri(upper), -special.ndtri(lower))


def cases(n: int = 1_000_000) -> list[Case]:
    """t and F p-values and the probit table of SVA."""
    rng = np.random.default_rng(0)
    t = rng.standard_t(90, size=n) * 1.5
    f = rng.f(3, 50, size=n) * 1.5
    few_t, few_f = t[:20_000], f[:20_000]
    table = tails.FProbitTable(3, 50)
    return [
        case(
            f"t p-values, {n:,}, df 90",
            lambda: tails.t_two_sided_p(t, 90),
            lambda: 2 * special.stdtr(90, -np.abs(t)),
            min_ratio=12,
            rtol=1e-12,
        ),
        case(
            "t p-values, 20,000, df 90",
            lambda: tails.t_two_sided_p(few_t, 90),
            lambda: 2 * special.stdtr(90, -np.abs(few_t)),
        ),
        case(f"F p-values, {n:,}, df 3 and 50", lambda: tails.f_upper_p(f, 3, 50), lambda: special.fdtrc(3, 50, f)),
        case("F to normal scores, 20,000", lambda: table(few_f), lambda: probit_by_scipy(few_f, 3, 50), rtol=0),
    ]
