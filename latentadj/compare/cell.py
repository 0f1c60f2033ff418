"""One cell of a comparison: a study, a method, a rule."""

from __future__ import annotations

import math
import time
import tracemalloc
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from latentadj.compare.contestant import Contestant
from latentadj.compare.findings import Findings
from latentadj.compare.metrics import measure
from latentadj.compare.naming import derived_seed
from latentadj.compare.number import NO_RULE, NumberChoice
from latentadj.simulation import SimulatedStudy

Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Cell:
    """What is run in a cell.

    Attributes
    ----------
    contestant : Contestant
    choice : NumberChoice or None
        None where the method has no number to choose.
    """

    contestant: Contestant
    choice: NumberChoice | None

    @property
    def rule(self) -> str:
        """Name of the rule in tables."""
        return NO_RULE if self.choice is None else self.choice.name


@dataclass(frozen=True)
class Measurement:
    """How cells are measured.

    Attributes
    ----------
    groups : tuple of str
        Groups of metrics.
    fdr : float
        Level of the discoveries.
    seed : int
        Of the whole comparison.
    """

    groups: tuple[str, ...]
    fdr: float
    seed: int


def cell_row(cell: Cell, study: SimulatedStudy | Exception, repeat: int, how: Measurement) -> Row:
    """Run a cell and measure it; a failure is a row with its message.

    Parameters
    ----------
    cell : Cell
    study : SimulatedStudy or Exception
        What drawing the study ended in.
    repeat : int
    how : Measurement

    Returns
    -------
    dict
        ``status`` ("ok" or "failed"), ``message``, and the metrics.
    """
    try:
        if isinstance(study, Exception):
            raise study
        return {"status": "ok", "message": "", **_measured(cell, study, repeat, how)}
    except Exception as error:  # a comparison outlives whatever a method raises
        text = " ".join(str(error).split())
        return {"status": "failed", "message": f"{type(error).__name__}: {text}"}


def _measured(cell: Cell, study: SimulatedStudy, repeat: int, how: Measurement) -> Row:
    seed = derived_seed(how.seed, "analysis", study.scenario.name, repeat, cell.contestant.name, cell.rule)
    number = "auto" if cell.choice is None else cell.choice.for_study(study)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start, clock = time.process_time(), time.perf_counter()
        found = cell.contestant.analyse(study, number, seed)
        seconds, elapsed = time.process_time() - start, time.perf_counter() - clock
    row: Row = {"cpu_seconds": seconds, "seconds": elapsed, "n_warnings": float(len(caught))}
    row |= measure(found, study, how.groups, how.fdr)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if "stability" in how.groups:
            row["jaccard"] = _stability(cell, study, found, seed, how.fdr)
        if "memory" in how.groups:
            row["peak_mb"] = peak_megabytes(cell, study, number, seed) if repeat == 0 else np.nan
    return {name: _plain(value) for name, value in row.items()}


def _stability(cell: Cell, study: SimulatedStudy, found: Findings, seed: int, fdr: float) -> float:
    """Mean overlap of the hit list with those of one factor fewer and one more; NaN where there is no number."""
    if cell.choice is None or found.n_factors is None:
        return float("nan")
    hits, overlaps = found.discoveries(fdr), []
    for k in (found.n_factors - 1, found.n_factors + 1):
        if k < 0:
            continue
        try:
            other = cell.contestant.analyse(study, k, seed).discoveries(fdr)
        except Exception:  # no room for another factor: the neighbours that exist are compared
            continue
        overlaps.append(jaccard([hits, other]))
    return float(np.mean(overlaps)) if overlaps else float("nan")


def jaccard(hits: Sequence[np.ndarray]) -> float:
    """Share of the features in all lists among those in any; 1 for empty lists.

    Parameters
    ----------
    hits : sequence of ndarray of bool, shape (n_features,)

    Returns
    -------
    float

    Examples
    --------
    >>> jaccard([np.array([True, True, False]), np.array([True, False, False])])
    0.5
    """
    either = int(np.logical_or.reduce(hits).sum())
    return float(np.logical_and.reduce(hits).sum() / either) if either else 1.0


def peak_megabytes(cell: Cell, study: SimulatedStudy, number: Any, seed: int) -> float:
    """Largest memory that an analysis of its own held beyond the study, in megabytes (10^6 bytes).

    Notes
    -----
    Traced by `tracemalloc`, to which NumPy reports its arrays; workspace inside LAPACK is not seen. Tracing slows an
    analysis down, so that this is a run beside the one that is timed.
    """
    if tracemalloc.is_tracing():
        return float("nan")
    tracemalloc.start()
    try:
        cell.contestant.analyse(study, number, seed)
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def _plain(value: Any) -> Any:
    """Numbers as Python has them; what is not finite becomes NaN, as it is when it is read back."""
    if isinstance(value, str):
        return value
    number = float(value)
    return number if math.isfinite(number) else float("nan")
