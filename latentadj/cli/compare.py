"""``latentadj compare``: methods over studies whose truth is known, or a check of one analysis on one's own data."""

from __future__ import annotations

import argparse
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from latentadj.cli.compare_inputs import matrix_scenarios, real_data, simulated_scenarios, usable_methods
from latentadj.cli.compare_outputs import claim, show_comparison, write_comparison, write_null_check
from latentadj.cli.progress import CellProgress
from latentadj.cli.terminal import Terminal
from latentadj.compare import DEFAULT_METHODS, DEFAULT_SCENARIOS, NullCheck, compare, contestants_of, null_check
from latentadj.compare.cell_store import CellStore
from latentadj.compare.metrics import metric_groups
from latentadj.compare.number import number_choices
from latentadj.exceptions import InputError
from latentadj.simulation import Scenario, StudySource

COMPARE_DIR = "latentadj-compare"
#: Simulated families are cut to so many features, so that the default study takes minutes.
MOST_FEATURES = 1000


def add_compare(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to a parser's commands.

    Parameters
    ----------
    commands : argparse action
        From ``add_subparsers``.
    """
    parser = commands.add_parser(
        "compare",
        help="compare methods over studies whose truth is known, or check one on your own data",
        description="Without MATRIX: simulated families. With MATRIX: variables without effect in place of the tested "
        "one, and, where there are any, thinned counts, controls and replicates. --null checks one method and says in "
        "a line whether its p-values can be trusted. Writes cells.csv, summary.csv, summary.md, comparison.json and "
        "report.html; finished cells are kept in DIR/cells, so that --resume goes on after any stop.",
        allow_abbrev=False,
    )
    parser.set_defaults(run=run_compare)
    _add_data(parser)
    _add_study(parser)
    _add_run(parser)


def _add_data(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("your own data (optional)")
    group.add_argument("matrix", metavar="MATRIX", nargs="?", help="a file, as for 'latentadj fit'")
    group.add_argument("--samples", metavar="FILE", help="sample table, first column = sample ID")
    group.add_argument("--formula", metavar="F", help='"~ tested | adjusted for"')
    group.add_argument("--orientation", choices=("samples", "features"), default="samples", help="rows of MATRIX")
    group.add_argument("--layer", metavar="NAME", help="layer of an .h5ad file")
    group.add_argument("--controls", metavar="FILE", help="negative-control features, one ID per line")
    group.add_argument("--positives", metavar="FILE", help="positive-control features, one ID per line")
    group.add_argument("--replicates", metavar="COLUMN", help="samples with the same value there are replicates")
    group.add_argument("--null", action="store_true", help="check one method with variables that have no effect")


def _add_study(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is compared")
    group.add_argument(
        "--methods", metavar="A,B,...", type=names, help=f"default: {','.join(DEFAULT_METHODS)}; with --null: auto"
    )
    group.add_argument("--rules", metavar="A,B,...", type=names, default=["auto"], help="numbers of factors: auto, "
                       "true, whole numbers, names of rules (default: auto)")  # fmt: skip
    group.add_argument(
        "--scenarios",
        metavar="A,B,...",
        type=names,
        help=f"simulated families (default: {','.join(DEFAULT_SCENARIOS)})",
    )
    group.add_argument(
        "--simulate", metavar="SPEC", action="append", default=[],
        help='a simulated family, or settings such as "n_samples=20,confounding=0.7"; may be repeated',
    )  # fmt: skip
    group.add_argument("--metrics", metavar="A,B,...", type=names, help="groups of metrics (default: all)")
    group.add_argument("--fdr", metavar="Q", type=float, default=0.1, help="level of discoveries (default: 0.1)")


def _add_run(parser: argparse.ArgumentParser) -> None:
    from latentadj.cli.parser import positive_number, whole_number  # the parser imports this module

    group = parser.add_argument_group("run and output")
    group.add_argument("--repeats", metavar="N", type=positive_number, default=20, help="studies per scenario")
    group.add_argument("--features", metavar="N", type=positive_number, default=MOST_FEATURES,
                       help=f"at most so many features per simulated study (default: {MOST_FEATURES})")  # fmt: skip
    group.add_argument("--jobs", metavar="N", type=positive_number, default=1, help="processes (default: 1)")
    group.add_argument("--seed", metavar="N", type=whole_number, default=0, help="random seed (default: 0)")
    group.add_argument("--out", metavar="DIR", default=COMPARE_DIR, help=f"default: {COMPARE_DIR}")
    group.add_argument("--resume", action="store_true", help="go on where an earlier run in DIR was stopped")
    group.add_argument("--overwrite", action="store_true", help="start anew in DIR")
    group.add_argument("--no-report", dest="report", action="store_false", help="do not write report.html")
    group.add_argument("--figures", action="store_true", help="write the pictures as .png too")


def names(text: str) -> list[str]:
    """Split names at commas.

    Parameters
    ----------
    text : str

    Returns
    -------
    list of str

    Raises
    ------
    argparse.ArgumentTypeError
        An empty name.

    Examples
    --------
    >>> names("sva, cate")
    ['sva', 'cate']
    """
    found = [part.strip() for part in text.split(",")]
    if not all(found):
        raise argparse.ArgumentTypeError(f"{text!r} holds an empty name")
    return found


def run_compare(args: Namespace, terminal: Terminal) -> None:
    """Compare methods, or check one on the user's matrix.

    Parameters
    ----------
    args : argparse.Namespace
    terminal : Terminal

    Raises
    ------
    LatentAdjError
    """
    if args.null:
        _run_null(args, terminal)
        return
    rules = number_choices(args.rules)
    groups = metric_groups(args.metrics)
    contestants_of(args.methods or DEFAULT_METHODS)
    simulated = simulated_scenarios(_simulated_names(args), args.simulate, args.features)
    directory, store = Path(args.out), CellStore(Path(args.out) / "cells")
    claim(directory, replace=args.overwrite or args.resume)
    if args.overwrite and not args.resume:
        store.clear()
    scenarios, methods = _with_matrix(args, simulated, terminal)
    with CellProgress(terminal) as progress:
        found = compare(
            methods, scenarios, groups, args.repeats, args.seed, rules={rule.name: rule.value for rule in rules},
            fdr=args.fdr, n_jobs=args.jobs, folder=store.folder, resume=args.resume, progress=progress,
        )  # fmt: skip
    command = {name: value for name, value in vars(args).items() if name not in ("run", "command")}
    written = write_comparison(found, directory, command, terminal, report=args.report, figures=args.figures)
    show_comparison(terminal, found)
    terminal.say(f"\nWritten to {args.out}: {', '.join(written)}")


def _simulated_names(args: Namespace) -> Sequence[str]:
    """Families that were asked for, or the default ones where nothing else is compared."""
    if args.scenarios is not None:
        return list(args.scenarios)
    return () if args.simulate or args.matrix else DEFAULT_SCENARIOS


def _with_matrix(
    args: Namespace, simulated: list[Scenario], terminal: Terminal
) -> tuple[list[Scenario | StudySource], list[str]]:
    """Scenarios of the user's matrix beside simulated ones, and the methods that can be run on them."""
    if args.matrix is None:
        return list(simulated), list(args.methods or DEFAULT_METHODS)
    data = real_data(args, terminal)
    with terminal.stage("Preparing studies from the matrix"):
        scenarios = matrix_scenarios(data, thinned=data.counts is not None, features=args.features, terminal=terminal)
    return [*scenarios, *simulated], usable_methods(args.methods, data, simulated=bool(simulated))


def _run_null(args: Namespace, terminal: Terminal) -> None:
    methods = args.methods or ["auto"]
    if args.matrix is None or args.formula is None:
        raise InputError("--null checks an analysis of your own data: give MATRIX and --formula.")
    if len(methods) > 1 or len(args.rules) > 1:
        raise InputError("--null checks one analysis: give one method and one rule.")
    contestants_of(methods)
    rule = number_choices(args.rules)[0].value
    directory = Path(args.out)
    claim(directory, replace=args.overwrite or args.resume)
    data = real_data(args, terminal)
    if data.counts is not None:
        terminal.note("the values are counts; log2 counts per million are analysed.")
    options: dict[str, Any] = {} if data.controls is None else {"controls": data.controls}
    with CellProgress(terminal) as progress:
        check = null_check(
            data.values, data.design, method=methods[0], n_factors=rule, n_repeats=args.repeats,
            random_state=args.seed, n_jobs=args.jobs, progress=progress, **options,
        )  # fmt: skip
    written = write_null_check(check, directory, terminal, report=args.report)
    _show_null(terminal, check)
    terminal.say(f"\nWritten to {args.out}: {', '.join(written)}")


def _show_null(terminal: Terminal, check: NullCheck) -> None:
    shown = ["kind", "n_ok", "type1_05", "type1_01", "type1_001", "lowest", "highest", "inflation", "shape", "status"]
    terminal.table(check.summary()[shown], "Type-I error over variables without effect")
    terminal.say(f"\n{check.verdict}")
