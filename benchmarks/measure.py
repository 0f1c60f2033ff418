"""Timing of two sides in turn, one thread, CPU time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from latentadj import pass_options
from latentadj.core.passes import one_blas_thread

Work = Callable[[], object]


@dataclass(frozen=True)
class Case:
    """Our work beside another piece of work.

    Attributes
    ----------
    name, against : str
    ours, other : callable
        Ours runs with one thread on both sides.
    max_multiple : float, optional
        Ours may take this many times the other's time (the other is a lower bound).
    min_ratio : float, optional
        Ours must be this many times faster (the other is a rival).
    check : callable, optional
        Raises when the numbers are wrong; run first.
    """

    name: str
    against: str
    ours: Work
    other: Work
    max_multiple: float | None = None
    min_ratio: float | None = None
    check: Work | None = None


@dataclass(frozen=True)
class Row:
    """One line of the table; times in milliseconds."""

    name: str
    against: str
    ours: float
    other: float
    limit: str
    kept: bool
    wall_two_threads: float | None = None

    @property
    def ratio(self) -> float:
        """Ours over the other."""
        return self.ours / self.other


def cpu_ms(work: Work) -> float:
    """CPU time of one call in milliseconds."""
    start = time.process_time()
    work()
    return 1e3 * (time.process_time() - start)


def wall_ms(work: Work) -> float:
    """Wall time of one call in milliseconds."""
    start = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - start)


def measure(case: Case, repeats: int) -> Row:
    """Check, then time both sides in turn and take medians."""
    with threadpool_limits(1), pass_options(n_threads=1):
        if case.check is not None:
            case.check()
        case.ours()
        case.other()
        times = np.array([(cpu_ms(case.ours), cpu_ms(case.other)) for _ in range(repeats)])
    ours, other = (float(t) for t in np.median(times, axis=0))
    with one_blas_thread(), pass_options(n_threads=2):
        wall = float(np.median([wall_ms(case.ours) for _ in range(repeats)]))
    return Row(case.name, case.against, ours, other, *verdict(case, ours / other), wall)


def verdict(case: Case, ratio: float) -> tuple[str, bool]:
    """The limit in words, and whether it is kept."""
    if case.max_multiple is not None:
        return f"<= {case.max_multiple:g}x", ratio <= case.max_multiple
    if case.min_ratio is not None:
        return f"<= 1/{case.min_ratio:g}", 1.0 / ratio >= case.min_ratio
    return "", True


#: Of the Markdown table that rows are printed in.
COLUMNS = ("case", "against", "ours", "other", "ratio", "limit", "wall, 2 threads")


def line(row: Row) -> str:
    """One line of the Markdown table."""
    wall = "" if row.wall_two_threads is None else f"{row.wall_two_threads:.1f}"
    limit = row.limit + ("" if row.kept else " MISSED")
    cells = (row.name, row.against, f"{row.ours:.2f}", f"{row.other:.2f}", f"{row.ratio:.3g}", limit, wall)
    return "| " + " | ".join(cells) + " |"
