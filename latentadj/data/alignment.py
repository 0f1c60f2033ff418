"""Alignment of the sample table with the matrix: by ID, never by position when both sides have IDs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from ..exceptions import AlignmentError, InputError
from .identifiers import duplicated_ids, near_match_hint, require_unique, show_ids


@dataclass(frozen=True)
class AlignmentReport:
    """What the alignment of the sample table with the matrix did.

    Attributes
    ----------
    matched : int
        Number of samples of the matrix that have a row in the sample table.
    only_in_matrix : tuple of str
        IDs of the matrix without a row in the sample table (empty unless aligned by position).
    only_in_samples : tuple of str
        IDs of the sample table without a sample in the matrix; their rows were left out.
    by_position : bool
        True when one side has no IDs and the rows were taken in order.
    notes : tuple of str
        Sentences for the report and the manifest.

    Examples
    --------
    >>> AlignmentReport(matched=2, only_in_samples=("c",)).by_position
    False
    """

    matched: int
    only_in_matrix: tuple[str, ...] = ()
    only_in_samples: tuple[str, ...] = ()
    by_position: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Sides:
    """Both sides of the alignment, IDs as text."""

    matrix_ids: tuple[str, ...] | None
    table: pd.DataFrame
    table_ids: list[str]
    n_samples: int
    feature_ids: Sequence[str] | None
    n_features: int | None
    orientation: str


def align_samples(
    matrix_ids: Sequence[str] | None,
    sample_data: pd.DataFrame,
    n_samples: int,
    *,
    feature_ids: Sequence[str] | None = None,
    n_features: int | None = None,
    orientation: str = "samples",
) -> tuple[pd.DataFrame, AlignmentReport]:
    """Put the rows of the sample table into the order of the samples of the matrix.

    Every sample of the matrix must have a row. Rows of the table without a sample are left out and reported.
    If one side has no IDs (an array, or the running numbers 0, 1, 2 ... of a frame without an index), rows
    are taken by position, provided that the lengths agree, and the report says so.

    Parameters
    ----------
    matrix_ids : sequence of str, length n_samples, or None
        Sample IDs of the matrix.
    sample_data : DataFrame
        One row per sample, indexed by sample ID.
    n_samples : int
        Number of samples of the matrix.
    feature_ids, n_features : sequence of str and int, optional
        Feature IDs of the matrix and their number, used to recognise a transposed matrix.
    orientation : {"samples", "features"}
        How the matrix was read; only used to name the other one in a message.

    Returns
    -------
    aligned : DataFrame, n_samples rows
        New frame, indexed by sample ID as text, in the order of the matrix.
    report : AlignmentReport

    Raises
    ------
    AlignmentError
        Duplicated or missing IDs, different lengths without IDs, or tables that look transposed.
    InputError
        ``sample_data`` is not a DataFrame.

    Examples
    --------
    >>> table = pd.DataFrame({"age": [30, 40, 50]}, index=["a", "b", "c"])
    >>> aligned, report = align_samples(["c", "a"], table, 2)
    >>> aligned["age"].tolist(), report.only_in_samples
    ([50, 30], ('b',))
    """
    if not isinstance(sample_data, pd.DataFrame):
        raise InputError(
            f"sample_data is a {type(sample_data).__name__}; a pandas DataFrame with one row per sample, "
            f"indexed by sample ID, is needed."
        )
    ids = None if matrix_ids is None else tuple(str(i) for i in matrix_ids)
    table_ids = [str(i) for i in sample_data.index]
    sides = _Sides(ids, sample_data, table_ids, n_samples, feature_ids, n_features, orientation)
    if ids is None:
        return _by_position(sides, "The matrix has no sample IDs")
    if _are_running_numbers(ids) and _is_running_number(sample_data.index):
        return _by_position(sides, "Neither side has sample IDs")
    require_unique(ids, "sample", "the matrix")
    present = set(table_ids)
    if all(i in present for i in ids):
        return _by_id(sides, ids)
    return _without_common_ids(sides, ids)


def _without_common_ids(sides: _Sides, ids: tuple[str, ...]) -> tuple[pd.DataFrame, AlignmentReport]:
    """Go by position if one side has running numbers instead of IDs; else explain the mismatch."""
    _raise_if_transposed(sides, ids)
    if _is_running_number(sides.table.index):
        _raise_if_ids_in_column(sides, ids)
        return _by_position(sides, "The sample table has no sample IDs")
    if _are_running_numbers(ids):
        return _by_position(sides, "The matrix has no sample IDs")
    raise _mismatch(sides, ids)


def _is_running_number(index: pd.Index) -> bool:
    """Tell whether the index is the one pandas makes when none is given."""
    return isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1


def _are_running_numbers(ids: tuple[str, ...]) -> bool:
    return all(name == str(position) for position, name in enumerate(ids))


def _by_id(sides: _Sides, ids: tuple[str, ...]) -> tuple[pd.DataFrame, AlignmentReport]:
    wanted = set(ids)
    repeated = [i for i in duplicated_ids(sides.table_ids) if i in wanted]
    if repeated:
        raise AlignmentError(
            f"{len(repeated)} sample ID(s) occur more than once in the sample table: {show_ids(repeated)}. "
            f"Keep one row per sample."
        )
    position = {name: row for row, name in enumerate(sides.table_ids)}
    aligned = sides.table.iloc[[position[i] for i in ids]].set_axis(list(ids), axis=0)
    extra = tuple(i for i in sides.table_ids if i not in wanted)
    notes: tuple[str, ...] = ()
    if extra:
        notes = (
            f"{len(extra)} row(s) of the sample table have no sample in the matrix and were left out: "
            f"{show_ids(extra)}.",
        )
    return aligned, AlignmentReport(matched=len(ids), only_in_samples=extra, notes=notes)


def _by_position(sides: _Sides, reason: str) -> tuple[pd.DataFrame, AlignmentReport]:
    n_rows = len(sides.table)
    if n_rows != sides.n_samples:
        looks_transposed = n_rows == sides.n_features
        hint = f" The matrix looks transposed: {_other_orientation(sides)}." if looks_transposed else ""
        raise AlignmentError(
            f"{reason}, and the lengths differ: {sides.n_samples} samples in the matrix, {n_rows} rows in "
            f"the sample table.{hint} Give both sides sample IDs (the index of a DataFrame), or equal "
            f"lengths."
        )
    named = sides.matrix_ids is not None and _is_running_number(sides.table.index)
    index = list(sides.matrix_ids or ()) if named else sides.table_ids
    aligned = sides.table.set_axis(index, axis=0)
    note = f"{reason}: the rows of the sample table were matched by position."
    return aligned, AlignmentReport(matched=n_rows, by_position=True, notes=(note,))


def _other_orientation(sides: _Sides) -> str:
    other = "features" if sides.orientation == "samples" else "samples"
    return f'pass orientation="{other}" (command line: --orientation {other})'


def _raise_if_transposed(sides: _Sides, ids: tuple[str, ...]) -> None:
    """Recognise a matrix or a sample table given the wrong way round."""
    wanted, n_rows = set(ids), len(sides.table_ids)
    rows_hit = sum(i in wanted for i in sides.table_ids)
    if sides.feature_ids is not None:
        features = {str(i) for i in sides.feature_ids}
        hit = sum(i in features for i in sides.table_ids)
        if hit > rows_hit and 2 * hit >= n_rows:
            raise AlignmentError(
                f"The matrix looks transposed: {hit} of the {n_rows} IDs of the sample table are among its "
                f"{len(features)} features, {rows_hit} among its {len(ids)} samples. Matrices are samples x "
                f"features; {_other_orientation(sides)}."
            )
    columns_hit = len(wanted.intersection(str(c) for c in sides.table.columns))
    if columns_hit > rows_hit and 2 * columns_hit >= len(ids):
        raise AlignmentError(
            f"The sample table looks transposed: {columns_hit} of the {len(ids)} sample IDs of the matrix "
            f"are columns of the table, {rows_hit} are rows. Pass sample_data.T, one row per sample."
        )


def _raise_if_ids_in_column(sides: _Sides, ids: tuple[str, ...]) -> None:
    """The table has running numbers as its index, but a column that holds the sample IDs."""
    for column in sides.table.columns:
        if set(ids) <= set(sides.table[column].astype(str)):
            raise AlignmentError(
                f"The sample table is not indexed by sample ID (its index is 0, 1, 2 ...), but its column "
                f"{str(column)!r} holds the IDs of the matrix. Pass sample_data.set_index({str(column)!r})."
            )


def _mismatch(sides: _Sides, ids: tuple[str, ...]) -> AlignmentError:
    present, wanted = set(sides.table_ids), set(ids)
    missing = [i for i in ids if i not in present]
    unused = [i for i in sides.table_ids if i not in wanted]
    other_side = f" The table has {len(unused)} other ID(s): {show_ids(unused)}." if unused else ""
    return AlignmentError(
        f"{len(missing)} of the {len(ids)} samples of the matrix have no row in the sample table: "
        f"{show_ids(missing)}.{other_side}{near_match_hint(missing, unused)} Correct the IDs, add the rows, "
        f"or leave these samples out of the matrix."
    )
