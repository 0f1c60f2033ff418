"""``latentadj explore``: what the data show before any adjustment."""

from __future__ import annotations

import argparse
import hashlib
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pandas as pd
from threadpoolctl import threadpool_limits

from latentadj.cli.terminal import Terminal
from latentadj.core.passes import pass_options
from latentadj.data import read_matrix, read_samples
from latentadj.data.writers import atomic_directory, write_json_atomic, write_table_atomic
from latentadj.diagnostics import Exploration
from latentadj.diagnostics.exploring import explore
from latentadj.exceptions import MissingExtraError, OutputError
from latentadj.report.exploration import TABLES, write_exploration

EXPLORE_DIR = "latentadj-explore"
PAGE, FACTS = "explore.html", "explore.json"
#: Tables that may be written, each as NAME.tsv.
NAMES = ("columns", "relations", "associations", "variance", "pvca", "levels", "components", "drift", "design")
OWNED = (PAGE, FACTS, *(f"{name}.tsv" for name in NAMES))


def add_explore(commands: Any, whole_number: Callable[[str], int]) -> None:
    """Add the command to the parser of the command line.

    Parameters
    ----------
    commands : argparse subparsers
    whole_number : Callable
        Reads a whole number from 1 up.
    """
    parser = commands.add_parser(
        "explore",
        help="look for batch effects before any adjustment; nothing is tested",
        description="Says what the samples follow, which covariates cannot be told apart and which samples are odd, "
        f"and suggests a formula. Writes {PAGE}, {FACTS} and a table for each part.",
        allow_abbrev=False,
    )
    _add_input(parser.add_argument_group("input"))
    _add_output(parser.add_argument_group("output"), whole_number)
    parser.set_defaults(run=run_explore)


def _add_input(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "matrix", metavar="MATRIX", help="csv, tsv, txt (also .gz), npy, parquet, h5ad or GEO series matrix"
    )
    group.add_argument(
        "--samples", metavar="FILE", help="sample table, first column = sample ID (not needed if MATRIX holds one)"
    )
    group.add_argument(
        "--orientation", choices=("samples", "features"), default="samples", help="what the rows of MATRIX are"
    )
    group.add_argument("--layer", metavar="NAME", help="layer of an .h5ad file")
    group.add_argument("--formula", metavar="F", help='what is to be tested: "~ tested | adjusted for"')
    group.add_argument("--order", metavar="COLUMN", help="order or date of the runs (default: the first dates)")


def _add_output(group: argparse._ArgumentGroup, whole_number: Callable[[str], int]) -> None:
    group.add_argument(
        "--out", metavar="DIR", default=EXPLORE_DIR, help=f"folder for the output (default: {EXPLORE_DIR})"
    )
    group.add_argument("--overwrite", action="store_true", help="replace earlier output in DIR")
    group.add_argument("--no-report", dest="report", action="store_false", help=f"do not write {PAGE}")
    group.add_argument("--threads", metavar="N", type=whole_number, help="worker threads (default: all cores)")


def run_explore(args: Namespace, terminal: Terminal) -> None:
    """Read the files, look, and write the output.

    Parameters
    ----------
    args : argparse.Namespace
    terminal : Terminal

    Raises
    ------
    LatentAdjError
    """
    directory = Path(args.out)
    inputs = [Path(path) for path in (args.matrix, args.samples) if path is not None]
    _spare(directory, inputs)
    with _threads(args.threads), atomic_directory(directory, overwrite=args.overwrite, owned=OWNED) as staging:
        found = _explored(args, terminal)
        names = _write(found, staging, args, terminal)
    show_exploration(terminal, found, args)
    terminal.say("")
    terminal.say(f"Written to {args.out}: {', '.join(names)}")
    left = [name for name in OWNED if name not in names and (directory / name).exists()]
    if left:
        terminal.note(f"{args.out} still holds {', '.join(left)} of an earlier run.")


def show_exploration(terminal: Terminal, found: Exploration, args: Namespace) -> None:
    """Print the sample table, the findings, what components follow, and the next command.

    Parameters
    ----------
    terminal : Terminal
    found : Exploration
    args : argparse.Namespace
        With ``matrix`` and ``samples``, for the command.
    """
    n, m = found.shape
    terminal.facts({"Data": f"{n} samples x {m} features", "Formula": found.formula or "none given"})
    for note in found.notes:
        terminal.note(note)
    described = found.tables["columns"]
    terminal.table(described.drop(columns="distinct"), "Sample table")
    _show_findings(terminal, found)
    followed = _followed(found)
    if len(followed):
        terminal.table(followed, "What do the leading components follow?")
    terminal.say("")
    terminal.facts({"Suggested formula": found.suggestion.formula or "none"})
    for reason in found.suggestion.reasons:
        terminal.say(f"  {reason}")
    terminal.say(f"Next: {found.command(args.matrix, args.samples)}{_format_flags(args)}")


def _show_findings(terminal: Terminal, found: Exploration) -> None:
    """Sentences on a terminal, where long cells would not fit; a table in a pipe."""
    if not terminal.interactive:
        terminal.table(found.summary().drop(columns="verdict"), "Findings")
        return
    terminal.say("\nFindings")
    for check in found.findings:
        terminal.say(f"  {check.level:<7}  {check.name}: {check.cause} {check.next_step}".rstrip())


def _explored(args: Namespace, terminal: Terminal) -> Exploration:
    samples = None if args.samples is None else read_samples(args.samples)
    with terminal.stage(f"Reading {args.matrix}"):
        matrix = read_matrix(args.matrix, orientation=args.orientation, layer=args.layer)
    with terminal.stage(f"Exploring {matrix.shape[0]} samples x {matrix.shape[1]} features"):
        return explore(matrix, samples, args.formula, order=args.order, orientation=args.orientation)


def _followed(found: Exploration) -> pd.DataFrame:
    """Pairs of components and covariates with the smallest p-values."""
    pairs = found.tables["associations"]
    best = pairs[pairs["p_adjusted"] < 0.05].sort_values("p_adjusted", kind="stable").head(10)
    return best[["component", "share", "covariate", "statistic", "p_adjusted"]].rename(columns={"statistic": "R2"})


def _write(found: Exploration, staging: Path, args: Namespace, terminal: Terminal) -> list[str]:
    kept = [name for name in NAMES if name in found.tables]
    names = [f"{name}.tsv" for name in kept]
    with terminal.stage("Writing the tables"):
        for name, file in zip(kept, names, strict=True):
            write_table_atomic(found.tables[name], staging / file, index=False)
    linked = [(file, TABLES[name]) for name, file in zip(kept, names, strict=True)]
    if args.report and _write_page(found, staging / PAGE, linked, terminal):
        names.insert(0, PAGE)
    names.append(FACTS)
    content = {**found.as_mapping(), "command": _command(args), "warnings": terminal.warnings, "files": names}
    write_json_atomic(content, staging / FACTS)
    return names


def _write_page(found: Exploration, path: Path, linked: list[tuple[str, str]], terminal: Terminal) -> bool:
    try:
        with terminal.stage("Drawing the page"):
            write_exploration(found, path, linked=[*linked, (FACTS, "findings, suggestion and command")])
    except MissingExtraError as error:
        terminal.warn(f"{PAGE} was not written. {error}")
        return False
    return True


def _command(args: Namespace) -> dict[str, Any]:
    given = {name: value for name, value in vars(args).items() if name not in ("run", "command")}
    files = {name: Path(path) for name in ("matrix", "samples") if (path := getattr(args, name)) is not None}
    inputs = {
        name: {"path": str(path), "bytes": path.stat().st_size, "sha256": _digest(path)} for name, path in files.items()
    }
    return {"name": "explore", **given, "inputs": inputs}


def _format_flags(args: Namespace) -> str:
    """Flags that the next command needs to read the same data."""
    turned = " --orientation features" if args.orientation == "features" else ""
    return turned + (f" --layer {args.layer}" if args.layer else "")


def _spare(directory: Path, inputs: Iterable[Path]) -> None:
    mine = {(directory / name).resolve() for name in OWNED}
    for path in inputs:
        if path.resolve() in mine:
            raise OutputError(f"{path} is an input and would be replaced by the output. Name another --out folder.")


@contextmanager
def _threads(n_threads: int | None) -> Iterator[None]:
    blas = nullcontext() if n_threads is None else threadpool_limits(n_threads)
    with blas, pass_options(n_threads=n_threads):
        yield


def _digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
