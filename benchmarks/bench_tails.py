"""Time of tail probabilities: latentadj against SciPy, one thread, CPU time, both sides in turn.

Run ``python benchmarks/bench_tails.py``. Every case first checks that both sides give the same numbers, then
reports medians and their ratio beside the limit asked for. The exit status is 1 if a limit is missed, so that
the script can serve as a check. CPU time on a shared machine varies by 10 to 20 percent between runs.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from latentadj.core import tails

Work = Callable[[], np.ndarray]


@dataclass(frozen=True)
class Case:
    """Two ways of computing the same numbers, and a limit on the ratio or on our own time."""

    name: str
    ours: Work
    peer: Work
    min_ratio: float | None = None
    max_ms: float | None = None
    rtol: float = 1e-11
    atol: float = 0.0


def cpu_ms(work: Work) -> float:
    """CPU time of one call in milliseconds."""
    start = time.process_time()
    work()
    return 1e3 * (time.process_time() - start)


def measure(case: Case, repeats: int) -> tuple[float, float]:
    """Median time of both sides, run in turn."""
    np.testing.assert_allclose(case.ours(), case.peer(), rtol=case.rtol, atol=case.atol)
    times = np.array([(cpu_ms(case.ours), cpu_ms(case.peer)) for _ in range(repeats)])
    ours, peer = np.median(times, axis=0)
    return float(ours), float(peer)


def probit_by_scipy(f: np.ndarray, df1: float, df2: float) -> np.ndarray:
    """Clipped probit of the upper tail, from whichever tail is the smaller."""
    upper = np.maximum(special.fdtrc(df1, df2, f), 1e-8)
    lower = np.maximum(special.fdtr(df1, df2, f), 1e-8)
    return np.where(upper < 0.5, special.ndtri(upper), -special.ndtri(lower))


def after_clearing(build: Work) -> Work:
    """The same call with no table in the cache."""

    def cold() -> np.ndarray:
        tails._log_tail_table.cache_clear()
        tails._probit_table.cache_clear()
        return build()

    return cold


def t_cases(n: int) -> list[Case]:
    """P-values of t, one degree of freedom for all features unless said otherwise."""
    rng = np.random.default_rng(0)
    t = rng.standard_t(90, size=n) * 1.5
    few, df = t[:20_000], rng.uniform(80, 100, size=n)

    def peer(values: np.ndarray, df: float | np.ndarray) -> np.ndarray:
        return 2 * special.stdtr(df, -np.abs(values))

    cold = after_clearing(lambda: tails.t_two_sided_p(few, 90))
    return [
        Case(f"t p, {n:,}, df 90", lambda: tails.t_two_sided_p(t, 90), lambda: peer(t, 90), min_ratio=10),
        Case(f"t p, {n:,}, df 4", lambda: tails.t_two_sided_p(t, 4), lambda: peer(t, 4), min_ratio=10),
        Case(
            f"t log p, {n:,}, df 90",
            lambda: tails.t_two_sided_log_p(t, 90),
            lambda: np.log(peer(t, 90)),
            atol=1e-15,
        ),
        Case(f"t p, {n:,}, df per feature", lambda: tails.t_two_sided_p(t, df), lambda: peer(t, df)),
        Case("t p, 20,000, df 90", lambda: tails.t_two_sided_p(few, 90), lambda: peer(few, 90)),
        Case("t p, 20,000, df 90, table built", cold, lambda: peer(few, 90)),
    ]


def f_cases(n: int) -> list[Case]:
    """Upper tails and probits of F."""
    rng = np.random.default_rng(1)
    f = rng.f(3, 50, size=n) * 1.5
    cases = [Case(f"F p, {n:,}, df 3, 50", lambda: tails.f_upper_p(f, 3, 50), lambda: special.fdtrc(3, 50, f))]
    table = tails.FProbitTable(3, 50)
    for size, limit in ((20_000, 1.2), (100_000, 5.0)):
        part = f[:size]
        ours, peer = (lambda p=part: table(p)), (lambda p=part: probit_by_scipy(p, 3, 50))
        cases.append(Case(f"F probit, {size:,}", ours, peer, max_ms=limit, rtol=0, atol=1e-11))
    one = np.array([2.0])
    build = after_clearing(lambda: tails.FProbitTable(1, 50)(one))
    cases.append(
        Case("F probit table built", build, lambda: probit_by_scipy(one, 1, 50), max_ms=3.0, rtol=0, atol=1e-11)
    )
    return cases


def verdict(case: Case, ours: float, peer: float) -> tuple[str, bool]:
    """The limit in words, and whether it is kept."""
    if case.min_ratio is not None:
        return f"ratio >= {case.min_ratio:g}", peer / ours >= case.min_ratio
    if case.max_ms is not None:
        return f"time <= {case.max_ms:g} ms", ours <= case.max_ms
    return "-", True


def main() -> int:
    """Run all cases; 1 if a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=1_000_000, help="statistics in the large cases (>= 100000)")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    kept = True
    print(f"{'case':34} {'ours ms':>9} {'scipy ms':>9} {'ratio':>7}  limit")
    for case in t_cases(options.n) + f_cases(options.n):
        ours, peer = measure(case, options.repeats)
        limit, ok = verdict(case, ours, peer)
        kept &= ok
        print(f"{case.name:34} {ours:9.2f} {peer:9.2f} {peer / ours:7.1f}  {limit}{'' if ok else '  MISSED'}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
