"""What a large analysis needs, said before it starts."""

from __future__ import annotations

import warnings
from argparse import Namespace
from collections.abc import Iterable
from typing import Any

import pandas as pd

from latentadj.cli.terminal import Terminal
from latentadj.data import LabelledMatrix
from latentadj.data.stores import OpenedMatrix
from latentadj.design.formula import ParsedFormula, parse_formula
from latentadj.execution import MemoryWarning, ResourceEstimate, available_memory, estimate_resources

#: Values of a matrix from which on memory and reading are estimated.
LARGE = 100_000_000
#: Factors that are reckoned with where their number is to be estimated.
_USUAL_FACTORS = 10


def say_what_is_needed(
    args: Namespace, matrix: LabelledMatrix | OpenedMatrix, samples: pd.DataFrame | None, terminal: Terminal
) -> None:
    """Say what a large analysis needs, and warn if there is less memory than that; nothing for a small one.

    Parameters
    ----------
    args : argparse.Namespace
    matrix : LabelledMatrix or OpenedMatrix
    samples : pandas.DataFrame or None
        Sample table; by default the one that came with the matrix.
    terminal : Terminal

    Warns
    -----
    MemoryWarning
    """
    values: Any = matrix.matrix if isinstance(matrix, OpenedMatrix) else matrix.values
    n_samples, n_features = values.shape
    if n_samples * n_features < LARGE:
        return
    table = matrix.sample_data if samples is None else samples
    estimate = _estimate(args, matrix, values, pd.DataFrame() if table is None else table)
    terminal.note(f"{n_samples} samples x {n_features} features: {estimate.text()}.")
    shortage = estimate.shortage(available_memory())
    if shortage is not None:
        warnings.warn(shortage, MemoryWarning, stacklevel=2)


def _estimate(
    args: Namespace, matrix: LabelledMatrix | OpenedMatrix, values: Any, samples: pd.DataFrame
) -> ResourceEstimate:
    parsed = parse_formula(args.formula, [str(name) for name in samples.columns])
    tested, adjusted = (_n_columns(parsed, terms, samples) for terms in (parsed.primary, parsed.nuisance))
    return estimate_resources(
        *values.shape,
        itemsize=values.dtype.itemsize,
        n_columns=1 + tested + adjusted,
        n_factors=args.n_factors if isinstance(args.n_factors, int) else _USUAL_FACTORS,
        n_tests=tested,
        n_threads=args.threads,
        named=matrix.feature_ids is not None,
        in_memory=not isinstance(matrix, OpenedMatrix),
    )


def _n_columns(parsed: ParsedFormula, terms: Iterable[Any], samples: pd.DataFrame) -> int:
    """Columns of some terms, roughly: one for a number, one less than its levels for anything else."""
    count = 0
    for term in terms:
        columns = 1
        for name in parsed.variables_of(term):
            column = samples[name]
            columns *= 1 if pd.api.types.is_numeric_dtype(column) else max(column.nunique() - 1, 1)
        count += columns
    return count
