"""Arguments of every command."""

from __future__ import annotations

import argparse
from importlib.metadata import version
from typing import NoReturn

from latentadj.cli.catalogue import run_methods
from latentadj.cli.compare import add_compare
from latentadj.cli.demo import DEMO_DIR, run_demo
from latentadj.cli.explore import add_explore
from latentadj.cli.fit import run_fit
from latentadj.cli.settings import setting
from latentadj.exceptions import InputError

FIT_DIR = "latentadj-out"

_EPILOGUE = """\
examples:
  latentadj demo
  latentadj explore expression.csv --samples samples.csv
  latentadj fit expression.csv --samples samples.csv --formula "~ disease | age + sex"
  latentadj fit study.h5ad --formula "~ disease" --controls housekeeping.txt --method ruv4
  latentadj fit big.zarr --samples samples.csv --formula "~ dose" --format parquet --out DIR --resume
  latentadj compare --methods none,sva,cate --repeats 20 --jobs 2
  latentadj fit genes_in_rows.tsv.gz --orientation features --samples samples.tsv --formula "~ dose"
"""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are those of the package: one message, no usage dump.

    Examples
    --------
    >>> Parser(prog="latentadj").parse_args(["--no-such-flag"])
    Traceback (most recent call last):
    latentadj.exceptions.InputError: unrecognized arguments: --no-such-flag. See 'latentadj --help'.
    """

    def error(self, message: str) -> NoReturn:
        """Raise `InputError` with the parser's message."""
        raise InputError(f"{message}. See '{self.prog} --help'.")


def build_parser() -> Parser:
    """Return the parser of the whole command line.

    Returns
    -------
    Parser
        The parsed namespace has ``run``, a function of the namespace and a terminal.

    Examples
    --------
    >>> args = build_parser().parse_args(["fit", "m.csv", "--formula", "~ x", "--n-factors", "3"])
    >>> args.n_factors, args.method
    (3, 'auto')
    """
    parser = Parser(
        prog="latentadj",
        description="Confounder-aware regression of many features, with estimated hidden factors.",
        epilog=_EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"latentadj {version('latentadj')}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_demo(commands)
    _add_fit(commands)
    add_explore(commands, positive_number)
    add_compare(commands)
    _add_methods(commands)
    return parser


def _add_methods(commands: argparse._SubParsersAction[Parser]) -> None:
    methods = commands.add_parser(
        "methods",
        help="list the methods, or print the card of one",
        description="Lists what every method relies on, needs and is valid for; with NAME, everything about it.",
        allow_abbrev=False,
    )
    methods.add_argument("name", metavar="NAME", nargs="?", help="a method")
    methods.set_defaults(run=run_methods)


def _add_demo(commands: argparse._SubParsersAction[Parser]) -> None:
    demo = commands.add_parser(
        "demo",
        help="analyse the bundled bladder-cancer study with its batch hidden",
        description="Tests ~ cancer in the bundled bladder study without being told the batch, and shows that the "
        "estimated factors find it.",
        allow_abbrev=False,
    )
    demo.add_argument("--out", metavar="DIR", help=f"folder for the output (default: {DEMO_DIR}, which is replaced)")
    demo.add_argument("--overwrite", action="store_true", help="replace earlier output in DIR")
    demo.set_defaults(run=run_demo)


def _add_fit(commands: argparse._SubParsersAction[Parser]) -> None:
    fit = commands.add_parser(
        "fit",
        help="test every feature, adjusted for hidden factors",
        description="Writes results.csv (or .parquet, .zarr), factors.csv, manifest.json and report.html.",
        allow_abbrev=False,
    )
    fit.set_defaults(run=run_fit)
    _add_input(fit)
    _add_analysis(fit)
    _add_output(fit)


def _add_input(fit: Parser) -> None:
    group = fit.add_argument_group("input")
    group.add_argument(
        "matrix",
        metavar="MATRIX",
        help="csv, tsv, txt (also .gz), GEO series matrix; or npy, zarr, h5, h5ad, parquet, which are read by blocks",
    )
    group.add_argument(
        "--samples", metavar="FILE", help="sample table, first column = sample ID (not needed if MATRIX holds one)"
    )
    group.add_argument(
        "--orientation", choices=("samples", "features"), default="samples", help="what the rows of MATRIX are"
    )
    group.add_argument("--layer", metavar="NAME", help="layer of an AnnData file (.h5ad, .zarr)")
    group.add_argument("--dataset", metavar="NAME", help="array in a .zarr group or an .h5 file, if it has several")
    group.add_argument("--controls", metavar="FILE", help="negative-control features, one ID per line")
    group.add_argument(
        "--missing", choices=("error", "allow"), default="error", help="whether empty cells are an error (default)"
    )
    group.add_argument(
        "--observation-weights", metavar="FILE", help="a weight for every value of MATRIX, in a file like it"
    )
    group.add_argument("--blocks", metavar="COLUMN", help="samples with the same value there have correlated noise")
    group.add_argument(
        "--sample-covariance", metavar="FILE", help="known covariance of the samples' noise, samples x samples"
    )


def _add_analysis(fit: Parser) -> None:
    group = fit.add_argument_group("analysis")
    group.add_argument("--formula", metavar="F", required=True, help='"~ tested | adjusted for"')
    group.add_argument("--method", metavar="NAME", default="auto", help="see 'latentadj methods' (default: auto)")
    group.add_argument(
        "--n-factors",
        metavar="auto|INT|RULE",
        type=n_factors,
        default="auto",
        help="number of hidden factors, or the rule that chooses it (default: auto)",
    )
    group.add_argument(
        "--model",
        choices=("linear", "voom", "negative_binomial", "poisson", "binomial"),
        help="what features are fitted by; voom and negative_binomial are for counts (default: what the method asks "
        "for, which is linear for nearly all)",
    )
    group.add_argument(
        "--set",
        metavar="KEY=VALUE",
        dest="settings",
        action="append",
        type=setting,
        default=[],
        help="option of the method, e.g. --set max_iter=5; may be repeated",
    )
    _add_tests(group)
    group.add_argument("--seed", metavar="N", type=whole_number, default=0, help="random seed (default: 0)")
    group.add_argument("--threads", metavar="N", type=positive_number, help="worker threads (default: all cores)")


def _add_tests(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--inference",
        metavar="NAME",
        default="auto",
        help="moderated, moderated_trend, moderated_robust, ordinary or pooled (default: moderated; with --method auto "
        "towards a mean-variance trend where there is one); hc2 or hc3 for unequal variances, cluster with --clusters",
    )
    group.add_argument("--clusters", metavar="COLUMN", help="clusters of samples, for --inference cluster")
    group.add_argument(
        "--calibration",
        metavar="NAME",
        help="none, mad, empirical_null, bacon, control_variance, rsvar, control_ecdf or evar (default: what the "
        "method asks for)",
    )
    group.add_argument(
        "--sample-weights",
        metavar="NAME",
        choices=("auto", "none", "quality"),
        default="auto",
        help="weigh samples by their noise: quality or none (default: quality with --method auto)",
    )
    group.add_argument("--allow-invalid", action="store_true", help="test with a method that leaves confounding")
    group.add_argument(
        "--allow-adjusted",
        action="store_true",
        help="test data that remember an adjustment, with what was removed back in the design",
    )


def _add_output(fit: Parser) -> None:
    group = fit.add_argument_group("output")
    group.add_argument("--out", metavar="DIR", default=FIT_DIR, help=f"folder for the output (default: {FIT_DIR})")
    group.add_argument("--overwrite", action="store_true", help="replace earlier output in DIR")
    group.add_argument("--format", choices=("csv", "parquet", "zarr"), default="csv", help="of the results table")
    group.add_argument(
        "--adjusted",
        choices=("npy", "zarr", "h5"),
        help="also write the data with the hidden factors subtracted, for display: adjusted.npy, .zarr or .h5",
    )
    group.add_argument(
        "--resume",
        action="store_true",
        help="go on with an analysis of large data that was killed, and keep finished parts in DIR/.resume",
    )
    group.add_argument("--no-report", dest="report", action="store_false", help="do not write report.html")


def whole_number(text: str) -> int:
    """Read a whole number from 0 up.

    Parameters
    ----------
    text : str

    Returns
    -------
    int

    Raises
    ------
    argparse.ArgumentTypeError

    Examples
    --------
    >>> whole_number("12")
    12
    """
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 up")
    return int(text)


def positive_number(text: str) -> int:
    """Read a whole number from 1 up.

    Parameters
    ----------
    text : str

    Returns
    -------
    int

    Raises
    ------
    argparse.ArgumentTypeError

    Examples
    --------
    >>> positive_number("2")
    2
    """
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 up")
    return int(text)


def n_factors(text: str) -> int | str:
    """Read a number of factors: a whole number from 0 up, or a name that is looked up later.

    Parameters
    ----------
    text : str

    Returns
    -------
    int or str

    Raises
    ------
    argparse.ArgumentTypeError
        A number that is negative or not whole.

    Examples
    --------
    >>> n_factors("0"), n_factors("leek")
    (0, 'leek')
    """
    try:
        float(text)
    except ValueError:
        return text
    return whole_number(text)
