"""``latentadj fit``: files in, files out."""

from __future__ import annotations

import hashlib
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from latentadj._adjust import adjust, resolve_method
from latentadj.calibration import resolve_calibration
from latentadj.cli.outputs import OutputPlan, write_outputs
from latentadj.cli.requirements import say_what_is_needed
from latentadj.cli.resuming import UnfinishedRun
from latentadj.cli.settings import method_options, require_types
from latentadj.cli.summary import show_files, show_result
from latentadj.cli.terminal import Terminal
from latentadj.core.passes import pass_options
from latentadj.data import LabelledMatrix, read_controls, read_matrix, read_samples
from latentadj.data.file_facts import file_facts
from latentadj.data.stores import OpenedMatrix, open_matrix
from latentadj.data.stores.marks import with_stored_record
from latentadj.design.formula import parse_formula
from latentadj.exceptions import AlignmentError, ControlsError, FormulaError, InputError, InvalidForTestingError
from latentadj.inference import resolve_inference
from latentadj.num_factors.select import rule_from_name
from latentadj.results import AdjustmentResult

#: Endings of files that are read by blocks.
BY_BLOCKS = (".npy", ".zarr", ".zarr.zip", ".h5", ".hdf5", ".hdf", ".he5", ".h5ad", ".parquet", ".pq")
#: Larger files are told apart by size, time and the hash of all features' means and variances, not by their bytes.
HASHED_BYTES = 1 << 30


def run_fit(args: Namespace, terminal: Terminal) -> None:
    """Read the files, fit, and write the output.

    Whatever can be known to be wrong is found before the matrix is read: first the place of the output, then
    names of methods and options, then the sample table and the formula.

    Parameters
    ----------
    args : argparse.Namespace
        From `latentadj.cli.parser.build_parser`.
    terminal : Terminal

    Raises
    ------
    LatentAdjError
    """
    plan = OutputPlan(Path(args.out), args.overwrite, args.format, args.report, args.adjusted)
    inputs = _inputs(args).values()
    unfinished = UnfinishedRun(args, inputs, terminal)
    with _threads(args.threads), plan.staged(inputs) as staging, unfinished.kept():
        result = _fit(args, terminal)
        names = write_outputs(result, staging, plan, _command(args), terminal)
    unfinished.finish()
    show_result(terminal, result)
    show_files(terminal, args.out, names, plan.leftovers(names))


def _fit(args: Namespace, terminal: Terminal) -> AdjustmentResult:
    _check_request(args)
    samples = None if args.samples is None else read_samples(args.samples)
    if samples is not None:
        _check_formula(args.formula, samples, args.samples)
    with terminal.stage(f"Reading {args.matrix}"):
        matrix = _read(args)
    _require_samples(args, matrix, samples)
    controls = _read_controls(args, matrix)
    options = _checked_options(args, controls)
    weights = None if args.observation_weights is None else _frame(args.observation_weights)
    covariance = None if args.sample_covariance is None else _frame(args.sample_covariance)
    say_what_is_needed(args, matrix, samples, terminal)
    with terminal.work("Fitting {} samples x {} features".format(*_shape(matrix))):
        return adjust(
            matrix,
            args.formula,
            samples,
            method=args.method,
            n_factors=args.n_factors,
            controls=controls,
            inference=args.inference,
            clusters=args.clusters,
            calibration=args.calibration,
            sample_weights=args.sample_weights,
            observation_weights=weights,
            blocks=args.blocks,
            sample_covariance=covariance,
            missing=args.missing,
            random_state=args.seed,
            orientation=args.orientation,
            allow_invalid=args.allow_invalid,
            allow_adjusted=args.allow_adjusted,
            **options,
        )


def _read(args: Namespace) -> LabelledMatrix | OpenedMatrix:
    """Open what can be read by blocks, and read text."""
    place = {"orientation": args.orientation, "layer": args.layer, "dataset": args.dataset}
    if args.matrix.rstrip("/").lower().endswith(BY_BLOCKS):
        return with_stored_record(open_matrix(args.matrix, **place), args.matrix)
    return read_matrix(args.matrix, **place)


def _shape(matrix: LabelledMatrix | OpenedMatrix) -> tuple[int, int]:
    return matrix.matrix.shape if isinstance(matrix, OpenedMatrix) else matrix.shape


def _check_request(args: Namespace) -> None:
    """Find unknown names, and a method that lacks something, before anything is read."""
    if args.inference != "auto":
        resolve_inference(args.inference)
    resolve_calibration(args.calibration)
    if isinstance(args.n_factors, str) and args.n_factors.strip().lower() != "auto":
        rule_from_name(args.n_factors)
    if args.method == "auto":
        return
    _checked_options(args, None)
    info = resolve_method(args.method, None, "auto", args.seed, {})[0].method_info
    if "controls" in info.needs and args.controls is None:
        raise ControlsError(
            f"{info.title} needs negative controls: features whose true effect is zero. Name a file of their IDs "
            "with --controls, or use --method cate or sva, which need none."
        )
    if not info.valid_for_testing and not args.allow_invalid:
        raise InvalidForTestingError(
            f"--method {info.name}: {info.title} does not remove confounding, so its p-values are not valid tests. Use "
            "--method cate (or ruv4 with --controls, or sva), or add --allow-invalid to get them all the same."
        )


def _checked_options(args: Namespace, controls: NDArray[np.bool_] | None) -> dict[str, Any]:
    options = method_options(args.settings)
    if args.model is not None:
        options["model"] = args.model
    estimator, _ = resolve_method(args.method, controls, args.n_factors, args.seed, options)
    require_types(type(estimator), options)
    return options


def _frame(path: str) -> pd.DataFrame | NDArray[Any]:
    """Read a file of numbers as its rows are, labelled where it is."""
    read = read_matrix(path)
    if read.sample_ids is None or read.feature_ids is None:
        return read.values
    return pd.DataFrame(read.values, index=list(read.sample_ids), columns=list(read.feature_ids))


def _require_samples(args: Namespace, matrix: LabelledMatrix | OpenedMatrix, samples: pd.DataFrame | None) -> None:
    if samples is not None:
        return
    if matrix.sample_data is None or not len(matrix.sample_data.columns):
        raise InputError(f"{args.matrix} holds no sample table. Give one with --samples FILE.")
    _check_formula(args.formula, matrix.sample_data, args.matrix)


def _check_formula(formula: str, samples: pd.DataFrame, source: str) -> None:
    """Raise if the formula does not fit the sample table, would fit it the other way round, or tests nothing."""
    try:
        parsed = parse_formula(formula, [str(name) for name in samples.columns])
    except FormulaError as error:
        with suppress(FormulaError):
            parse_formula(formula, [str(name) for name in samples.index])
            raise AlignmentError(
                f"The sample table looks transposed: the variables of {formula!r} are rows of {source}, not columns. "
                "Write one row per sample and one column per variable."
            ) from error
        raise
    if not parsed.primary:
        raise FormulaError(
            f"The formula {formula!r} tests nothing. Name what is tested before the bar: '~ tested | age'."
        )


def _read_controls(args: Namespace, matrix: LabelledMatrix | OpenedMatrix) -> NDArray[np.bool_] | None:
    if args.controls is None:
        return None
    if matrix.feature_ids is None:
        raise ControlsError(f"--controls names features, but the features of {args.matrix} have no IDs.")
    return read_controls(args.controls, matrix.feature_ids.tolist())


@contextmanager
def _threads(n_threads: int | None) -> Iterator[None]:
    blas = nullcontext() if n_threads is None else threadpool_limits(n_threads)
    with blas, pass_options(n_threads=n_threads):
        yield


def _inputs(args: Namespace) -> dict[str, Path]:
    files = ("matrix", "samples", "controls", "observation_weights", "sample_covariance")
    given = {name: getattr(args, name) for name in files}
    return {name: Path(path) for name, path in given.items() if path is not None}


def _command(args: Namespace) -> dict[str, Any]:
    """What was asked for, and the size and hash of every file that was read."""
    given = {name: value for name, value in vars(args).items() if name not in ("run", "command", "settings", "resume")}
    files = {name: _file_record(path) for name, path in _inputs(args).items()}
    return {"name": "fit", **given, "set": method_options(args.settings), "inputs": files}


def _file_record(path: Path) -> dict[str, Any]:
    """Size and hash of a file; of what is larger or a folder the time of the last change."""
    facts = file_facts(path)
    if path.is_file() and facts["bytes"] <= HASHED_BYTES:
        return {"path": str(path), "bytes": facts["bytes"], "sha256": _sha256(path)}
    return {"path": str(path), **facts}


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
