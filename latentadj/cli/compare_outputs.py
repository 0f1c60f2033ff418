"""Files and tables of ``latentadj compare``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from latentadj.cli.terminal import Terminal
from latentadj.compare import Comparison, NullCheck
from latentadj.compare.comparison import contest_labels
from latentadj.data.writers import atomic_directory, write_json_atomic, write_table_atomic
from latentadj.exceptions import InputError, MissingExtraError

FIGURES = ("power_fdp", "type1_05", "fdp", "recovery", "cpu_seconds")
#: Every name the command may write; only these, and finished cells, are ever replaced.
OWNED = (
    "cells.csv", "summary.csv", "summary.md", "comparison.json", "null_check.csv", "null_summary.csv", "report.html",
    *(f"{name}.png" for name in FIGURES),
)  # fmt: skip
_DPI = 130


def claim(directory: Path, *, replace: bool) -> None:
    """Make the output folder, and see that it can be written to, before anything is computed.

    Parameters
    ----------
    directory : Path
    replace : bool
        Allow earlier output to be replaced.

    Raises
    ------
    OutputError
    """
    with atomic_directory(directory, overwrite=replace, owned=OWNED):
        pass


def write_comparison(
    found: Comparison, directory: Path, command: Mapping[str, Any], terminal: Terminal, *, report: bool, figures: bool
) -> list[str]:
    """Write all files of a comparison, or none.

    Parameters
    ----------
    found : Comparison
    directory : Path
    command : mapping
        What was asked for.
    terminal : Terminal
    report, figures : bool

    Returns
    -------
    list of str
        Names of the files.
    """
    with atomic_directory(directory, overwrite=True) as staging:
        write_table_atomic(found.summary(), staging / "summary.csv", index=False)
        write_table_atomic(found.frame, staging / "cells.csv", index=False)
        (staging / "summary.md").write_text(markdown_table(found), encoding="utf-8")
        about = {"seed": found.seed, "fdr": found.fdr, "repeats": found.n_repeats, "metrics": found.groups}
        settings = {"scenarios": found.scenarios, "methods": found.methods, "command": command}
        write_json_atomic({**about, **settings}, staging / "comparison.json")
        if report:
            _drawn(lambda: _report(found, staging), "report.html", terminal)
        if figures:
            _drawn(lambda: _figures(found, staging), "The pictures", terminal)
        return sorted(path.name for path in staging.iterdir() if path.is_file())


def write_null_check(check: NullCheck, directory: Path, terminal: Terminal, *, report: bool) -> list[str]:
    """Write all files of a check, or none.

    Parameters
    ----------
    check : NullCheck
    directory : Path
    terminal : Terminal
    report : bool

    Returns
    -------
    list of str
    """
    with atomic_directory(directory, overwrite=True) as staging:
        write_table_atomic(check.frame, staging / "null_check.csv", index=False)
        write_table_atomic(check.summary(), staging / "null_summary.csv", index=False)
        if report:
            _drawn(lambda: _null_report(check, staging), "report.html", terminal)
        return sorted(path.name for path in staging.iterdir() if path.is_file())


def _report(found: Comparison, folder: Path) -> None:
    from latentadj.report.comparison import write_comparison_report

    linked = [("summary.csv", "means over the studies of a scenario"), ("cells.csv", "a row per study and method")]
    write_comparison_report(found, folder / "report.html", linked=linked)


def _null_report(check: NullCheck, folder: Path) -> None:
    from latentadj.report.comparison import write_null_check_report

    linked = [("null_summary.csv", "means by kind of variable"), ("null_check.csv", "a row per variable")]
    write_null_check_report(check, folder / "report.html", linked=linked)


def _figures(found: Comparison, folder: Path) -> None:
    from latentadj.plots.comparison import comparison_metric, power_fdp
    from latentadj.plots.style import require_matplotlib

    for name in FIGURES:
        figure = require_matplotlib("matplotlib.figure").Figure(
            (7.5, 4.6), _DPI, facecolor="white", layout="constrained"
        )
        ax = figure.subplots()
        try:
            power_fdp(found, ax) if name == "power_fdp" else comparison_metric(found, name, ax)
        except InputError:  # not measured, or not known for any scenario
            continue
        figure.savefig(folder / f"{name}.png", metadata={"Software": None})


def _drawn(draw: Any, what: str, terminal: Terminal) -> None:
    try:
        with terminal.stage("Drawing"):
            draw()
    except MissingExtraError as error:
        terminal.warn(f"{what} was not written. {error}")


def show_comparison(terminal: Terminal, found: Comparison) -> None:
    """Print the averages and what failed.

    Parameters
    ----------
    terminal : Terminal
    found : Comparison
    """
    summary = found.summary()
    shown = ["scenario", "method", "rule", "n_ok", "type1_05", "fdp", "power", "recovery", "cpu_seconds", "verdict"]
    if summary["rule"].isin(["auto", "-"]).all():
        shown.remove("rule")
    terminal.table(summary[[name for name in shown if name in summary]], repr(found).strip("<>"))
    failures = found.failures()
    if len(failures):
        terminal.table(failures, "Analyses that failed")


def markdown_table(found: Comparison) -> str:
    """Return false discovery proportion, power and type-I error as Markdown, a row per scenario.

    Parameters
    ----------
    found : Comparison

    Returns
    -------
    str

    Examples
    --------
    >>> from latentadj.compare import compare
    >>> from latentadj.simulation import Scenario
    >>> small = Scenario("small", n_samples=20, n_features=200, n_factors=1)
    >>> markdown_table(compare(["none"], [small], "errors", n_repeats=1)).splitlines()[0]
    '| scenario | none |'
    """
    summary = found.summary()
    summary = summary.assign(label=contest_labels(summary))
    labels = list(dict.fromkeys(summary["label"]))
    lines = ["| scenario | " + " | ".join(labels) + " |", "|---" * (len(labels) + 1) + "|"]
    for scenario, rows in summary.groupby("scenario", sort=False):
        cells = {row["label"]: _cell(row) for _, row in rows.iterrows()}
        lines.append(f"| {scenario} | " + " | ".join(cells.get(label, "") for label in labels) + " |")
    return "\n".join(lines) + "\n"


def _cell(row: pd.Series[Any]) -> str:
    """``FDP/power (type-I error)``."""
    if not row["n_ok"]:
        return "fails"
    fdp, power, error = (row.get(name, np.nan) for name in ("fdp", "power", "type1_05"))
    return f"{_short(fdp, 2)}/{_short(power, 2)} ({_short(error, 3)})"


def _short(value: float, digits: int) -> str:
    return "-" if pd.isna(value) else f"{value:.{digits}f}".removeprefix("0")
