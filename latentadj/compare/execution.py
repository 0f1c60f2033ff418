"""Running the cells of a comparison: in this process, in others, or wherever a client sends them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from latentadj.compare.cell import Cell, Measurement, Row, cell_row
from latentadj.compare.cell_store import CellStore
from latentadj.compare.naming import derived_seed
from latentadj.core.passes import pass_options
from latentadj.simulation import Scenario, SimulatedStudy, StudySource, simulate

Keyed = list[tuple[str, Row]]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class StudyTask:
    """The cells of one study that are still to be run.

    Attributes
    ----------
    scenario : Scenario or StudySource
    repeat : int
    cells : tuple of (str, Cell)
        With their keys.
    how : Measurement
    folder : Path or None
        Where finished cells are kept.
    """

    scenario: Scenario | StudySource
    repeat: int
    cells: tuple[tuple[str, Cell], ...]
    how: Measurement
    folder: Path | None


def run_task(task: StudyTask) -> Keyed:
    """Draw a study and run its cells, each kept as soon as it is finished; one thread.

    Parameters
    ----------
    task : StudyTask

    Returns
    -------
    list of (str, dict)
        Keys and rows.

    Raises
    ------
    OutputError
        A finished cell cannot be written.
    """
    store = None if task.folder is None else CellStore(task.folder)
    done: Keyed = []
    with threadpool_limits(1), pass_options(n_threads=1):
        study = _drawn(task)
        for key, cell in task.cells:
            row = _named(task, cell) | cell_row(cell, study, task.repeat, task.how)
            if store is not None:
                store.write(key, row)
            done.append((key, row))
    return done


def _named(task: StudyTask, cell: Cell) -> Row:
    return {
        "scenario": task.scenario.name,
        "repeat": task.repeat,
        "method": cell.contestant.name,
        "rule": cell.rule,
    }


def _drawn(task: StudyTask) -> SimulatedStudy | Exception:
    seed = derived_seed(task.how.seed, "study", task.scenario.name, task.repeat)
    try:
        return simulate(task.scenario, np.random.default_rng(seed))
    except Exception as error:  # every cell of the study says so
        return error


def run_tasks(
    tasks: list[StudyTask], n_jobs: int = 1, client: Any = None, progress: Progress | None = None
) -> dict[str, Row]:
    """Run all tasks.

    Parameters
    ----------
    tasks : list of StudyTask
    n_jobs : int, default=1
        Processes of joblib.
    client : object with ``submit``, optional
        In place of joblib: a ``dask.distributed.Client``, or an executor of `concurrent.futures`.
    progress : callable, optional
        Called with the number of finished cells and of all cells.

    Returns
    -------
    dict of str to dict
        Rows by key.
    """
    total = sum(len(task.cells) for task in tasks)
    rows: dict[str, Row] = {}
    for done in _finished(tasks, n_jobs, client):
        rows.update(done)
        if progress is not None:
            progress(len(rows), total)
    return rows


def _finished(tasks: list[StudyTask], n_jobs: int, client: Any) -> Iterator[Keyed]:
    if client is not None:
        yield from _submitted(tasks, client)
    elif n_jobs == 1:
        yield from map(run_task, tasks)
    else:
        found: Iterable[Keyed] = Parallel(n_jobs=n_jobs, return_as="generator_unordered")(
            delayed(run_task)(task) for task in tasks
        )
        yield from found


def _submitted(tasks: list[StudyTask], client: Any) -> Iterator[Keyed]:
    """Send tasks out and take them in one after the other; dask is never imported here."""
    futures = [client.submit(run_task, task) for task in tasks]
    for future in futures:
        yield future.result()
