"""The one-call front of method comparisons."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from numbers import Integral
from pathlib import Path
from typing import Any

import pandas as pd

from latentadj.compare.cell import Cell, Measurement
from latentadj.compare.cell_store import CellStore
from latentadj.compare.comparison import KEYS, Comparison
from latentadj.compare.contestant import Contestant, contestants_of, require_distinct
from latentadj.compare.execution import Progress, StudyTask, run_tasks
from latentadj.compare.metrics import metric_groups
from latentadj.compare.naming import digest
from latentadj.compare.number import NumberChoice, number_choices
from latentadj.exceptions import InputError, MethodError, OutputError
from latentadj.simulation import FAMILIES, OPEN_FAMILIES, Scenario, StudySource

#: What is compared unless the caller says otherwise.
DEFAULT_METHODS = ("oracle", "none", "residual_pca", "sva", "cate", "dsva", "bcconf", "ruv2", "ruv4")
DEFAULT_SCENARIOS = (
    "base", "balanced factors", "strong confounding", "weak factors", "dense effects", "small n",
)  # fmt: skip


def compare(
    methods: Any = DEFAULT_METHODS,
    scenarios: Any = DEFAULT_SCENARIOS,
    metrics: str | Sequence[str] | None = None,
    n_repeats: int = 20,
    random_state: int = 0,
    *,
    rules: Any = "auto",
    fdr: float = 0.1,
    n_jobs: int = 1,
    client: Any = None,
    folder: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Comparison:
    """Compare methods, and rules for the number of factors, over studies whose truth is known.

    Parameters
    ----------
    methods : sequence or mapping
        Names of methods, "auto", "oracle" (the plain regression that is given the true factors), estimators; or a
        mapping of names to methods, estimators, dicts of options of `adjust`, or callables (`contestants_of`).
    scenarios : sequence
        Names of simulated families (`simulation.FAMILIES`), `Scenario`, `ThinnedCounts`, `PermutedPrimary`,
        `ControlledStudy`, `ReplicateSplit`, or anything else with ``name``, ``draw`` and ``settings``.
    metrics : str or sequence of str, optional
        Groups among "errors", "ranking", "calibration", "intervals", "factors", "controls", "stability" (runs every
        analysis with one factor fewer and one more), "memory" (runs one repeat again) and "histogram"; all but the
        last by default.
    n_repeats : int, default=20
        Studies per scenario.
    random_state : int, default=0
    rules : str, int, NumFactorsRule, sequence or mapping, default="auto"
        Numbers of factors: "auto", "true", whole numbers, rules or their names. Methods without a number to choose are
        run once.
    fdr : float, default=0.1
        Discoveries are the features whose Benjamini-Hochberg adjusted p-value is at most this.
    n_jobs : int, default=1
        Processes (joblib).
    client : object with ``submit``, optional
        In place of joblib: a ``dask.distributed.Client``, or an executor of `concurrent.futures`.
    folder : path, optional
        Every finished cell is kept there at once, a small file each, so that a comparison can be stopped at any moment.
    resume : bool, default=False
        Take cells from `folder` that are finished; only those of the same study, method, options and version count.
    progress : callable, optional
        Called with the number of finished cells and of all cells to run.

    Returns
    -------
    Comparison

    Raises
    ------
    MethodError
        Unknown or repeated names.
    InputError
        Numbers out of range.
    OutputError
        `folder` holds finished cells and `resume` is False, or cannot be written to.

    Notes
    -----
    A study is drawn from a seed that is a hash of `random_state`, the scenario's name and the repeat, and analysed with
    one that also holds the names of method and rule. All methods therefore see the same studies, and adding a method,
    rule, scenario or repeat changes no other row. A method that fails is a row with its message. The metrics are
    described in `latentadj.compare.metrics`.

    Examples
    --------
    >>> from latentadj.simulation import Scenario
    >>> small = Scenario("small", n_samples=20, n_features=200, n_factors=1)
    >>> found = compare(["none", "cate", "ruv4"], [small], n_repeats=2)
    >>> found.frame.shape[0], found.table("type1_05").columns.tolist()
    (6, ['none', 'cate', 'ruv4'])
    """
    seed, repeats = _whole("random_state", random_state, 0), _whole("n_repeats", n_repeats, 1)
    if not 0 < fdr < 1:
        raise InputError(f"fdr={fdr!r} is no false discovery rate; give a number between 0 and 1.")
    contestants, choices, sources = contestants_of(methods), number_choices(rules), scenarios_of(scenarios)
    how = Measurement(metric_groups(metrics), float(fdr), seed)
    store = None if folder is None else _opened(Path(folder), resume)
    keyed = keyed_cells(sources, contestants, choices, repeats, how)
    rows = _finished_before(keyed, store)
    tasks = _tasks(keyed, rows, how, store)
    done = len(rows)
    shifted = None if progress is None else lambda n, total: progress(n + done, total + done)
    rows |= run_tasks(tasks, _whole("n_jobs", n_jobs, -1), client, shifted)
    frame = _framed([rows[key] for _, _, cells in keyed for key, _ in cells])
    return Comparison(
        frame,
        how.fdr,
        seed,
        how.groups,
        {source.name: source.settings() for source in sources},
        {contestant.name: contestant.settings() for contestant in contestants},
    )


Study = tuple[Scenario | StudySource, int, list[tuple[str, Cell]]]


def scenarios_of(scenarios: Any) -> list[Scenario | StudySource]:
    """Return scenarios from names and objects.

    Parameters
    ----------
    scenarios : str, Scenario, StudySource, or a sequence or mapping of these
        Names are those of `FAMILIES` and `OPEN_FAMILIES`.

    Returns
    -------
    list

    Raises
    ------
    MethodError
        An unknown name, or the same name twice.

    Examples
    --------
    >>> [scenario.n_samples for scenario in scenarios_of(["base", "small n"])]
    [60, 16]
    """
    families = {**FAMILIES, **OPEN_FAMILIES}
    single = isinstance(scenarios, str) or hasattr(scenarios, "settings")
    listed: Iterable[Any] = [scenarios] if single else scenarios
    if isinstance(listed, Mapping):
        listed = listed.values()
    found = []
    for item in listed:
        if isinstance(item, str):
            if item not in families:
                raise MethodError(f"scenario {item!r} is unknown; choose among {', '.join(families)}.")
            item = families[item]
        if not (hasattr(item, "name") and hasattr(item, "settings")):
            raise MethodError(f"{item!r} is no scenario: it needs a name, draw(rng) and settings().")
        found.append(item)
    require_distinct("scenarios", [source.name for source in found])
    return found


def keyed_cells(
    sources: Sequence[Scenario | StudySource],
    contestants: Sequence[Contestant],
    choices: Sequence[NumberChoice],
    n_repeats: int,
    how: Measurement,
) -> list[Study]:
    """List every cell by study, each with the key of its file.

    Parameters
    ----------
    sources, contestants, choices : sequences
    n_repeats : int
    how : Measurement

    Returns
    -------
    list of (source, repeat, list of (str, Cell))

    Notes
    -----
    The key is a hash of everything that decides the numbers: names, settings, seed, metrics and version.
    """
    cells = [
        Cell(contestant, choice)
        for contestant in contestants
        for choice in (choices if contestant.takes_number else [None])
    ]
    common = [version("latentadj"), how.seed, how.fdr, how.groups]
    named = [(digest([c.contestant.name, c.contestant.settings(), c.rule, _rule_text(c)]), c) for c in cells]
    studies: list[Study] = []
    for source in sources:
        about = digest([common, source.name, source.settings()])
        for repeat in range(n_repeats):
            studies.append((source, repeat, [(digest([about, repeat, name]), cell) for name, cell in named]))
    return studies


def _rule_text(cell: Cell) -> str:
    if cell.choice is None:
        return ""
    value = cell.choice.value
    return str(value) if isinstance(value, str | int) else f"{type(value).__name__} {vars(value)}"


def _opened(folder: Path, resume: bool) -> CellStore:
    store = CellStore(folder)
    if store.holds_cells() and not resume:
        raise OutputError(
            f"{folder} holds finished cells of a comparison. Go on with resume=True (command line: --resume), or name "
            "another folder."
        )
    store.prepare()
    return store


def _finished_before(keyed: list[Study], store: CellStore | None) -> dict[str, Any]:
    if store is None:
        return {}
    found = {key: store.read(key) for _, _, cells in keyed for key, _ in cells}
    return {key: row for key, row in found.items() if row is not None}


def _tasks(keyed: list[Study], rows: Mapping[str, Any], how: Measurement, store: CellStore | None) -> list[StudyTask]:
    folder = None if store is None else store.folder
    tasks = []
    for source, repeat, cells in keyed:
        left = tuple((key, cell) for key, cell in cells if key not in rows)
        if left:
            tasks.append(StudyTask(source, repeat, left, how, folder))
    return tasks


def _framed(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows as a frame; failed ones have NaN in every metric."""
    first = [*KEYS, "status", "message"]
    names = dict.fromkeys(name for row in rows for name in row)
    frame = pd.DataFrame(rows, columns=[*first, *(name for name in names if name not in first)])
    return frame.astype({"repeat": "int64"})


def _whole(name: str, value: Any, least: int) -> int:
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise InputError(f"{name}={value!r} cannot be used; give a whole number from {least} up.")
    return int(value)
