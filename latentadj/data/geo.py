"""GEO series matrix files: the table of values and the sample annotation above it.

References
----------
NCBI Gene Expression Omnibus, "Series Matrix" text files: lines that start with ``!`` describe series and
samples, the values stand between ``!series_matrix_table_begin`` and ``!series_matrix_table_end``.
"""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from ..exceptions import FileFormatError
from .adapters import LabelledMatrix, labelled
from .identifiers import id_array
from .sample_tables import typed_column
from .text_files import open_text
from .text_tables import TextLayout, read_numeric

_BEGIN, _END = "!series_matrix_table_begin", "!series_matrix_table_end"
_CHARACTERISTICS = "characteristics"


@dataclass
class _Outline:
    """What one look over the lines of the file finds."""

    begin: int | None = None
    end: int | None = None
    heading: str = ""
    annotation: list[str] = field(default_factory=list)


def is_series_matrix(path: Path) -> bool:
    r"""Tell whether a text file starts like a GEO series matrix.

    Parameters
    ----------
    path : Path

    Returns
    -------
    bool

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "a.txt")
    ...     _ = path.write_text('!Series_title\t"x"\n')
    ...     is_series_matrix(path)
    True
    """
    with open_text(path) as handle:
        for line in handle:
            if line.strip():
                return line.startswith(("!Series_", "!Sample_", _BEGIN))
    return False


def read_series_matrix(path: str | os.PathLike[str]) -> LabelledMatrix:
    r"""Read a local GEO series matrix file.

    The characteristics of the samples are split into ``key: value`` cell by cell, by key and never by
    position: a sample that lacks one has a missing value there, and the others do not shift. A line of
    annotation that does not fit is left out with a note; the matrix is never lost for it.

    Parameters
    ----------
    path : path
        ``GSE..._series_matrix.txt`` or ``.txt.gz``.

    Returns
    -------
    LabelledMatrix
        ``sample_data`` holds the annotation, indexed by the accession (GSM) of the sample.

    Raises
    ------
    FileFormatError
        Damaged or cut off, or a table without rows (usual for sequencing: the counts are in separate files).

    Examples
    --------
    >>> import tempfile
    >>> text = '''!Sample_geo_accession\t"GSM1"\t"GSM2"
    ... !Sample_characteristics_ch1\t"age: 30"\t"sex: F"
    ... !Sample_characteristics_ch1\t"sex: M"\t""
    ... !series_matrix_table_begin
    ... "ID_REF"\t"GSM1"\t"GSM2"
    ... "p1"\t1.5\t2.5
    ... !series_matrix_table_end
    ... '''
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "series_matrix.txt")
    ...     _ = path.write_text(text)
    ...     matrix = read_series_matrix(path)
    >>> matrix.values.tolist(), matrix.sample_data["sex"].tolist()
    ([[1.5], [2.5]], ['M', 'F'])
    """
    path = Path(path)
    outline = _outline(path)
    if outline.begin is None or outline.end is None:
        mark = _BEGIN if outline.begin is None else _END
        raise FileFormatError(f"{path} has no line {mark}: the file was cut off. Download it again.")
    n_rows = outline.end - outline.begin - 2
    if n_rows < 1:
        raise FileFormatError(
            f"{path} has no values in its table. For sequencing studies the counts are in separate files of "
            f"the series; read those instead."
        )
    columns = tuple(_cells(outline.heading)[1:])
    layout = TextLayout(path, "\t", columns, outline.begin + 1, len(columns) + 1)
    names, values = read_numeric(layout, n_rows)
    samples, notes = _annotation(outline.annotation, columns)
    return labelled(values, names, id_array(columns), "features", column_data=samples, notes=tuple(notes))


def _outline(path: Path) -> _Outline:
    """Number of the lines that begin and end the table (counted from 1), and the lines about samples."""
    outline = _Outline()
    with open_text(path) as handle:
        for number, line in enumerate(handle, start=1):
            if outline.begin is not None and number == outline.begin + 1:
                outline.heading = line
            elif line.startswith("!Sample_"):
                outline.annotation.append(line)
            elif line.startswith(_BEGIN):
                outline.begin = number
            elif line.startswith(_END):
                outline.end = number
                break
    return outline


def _cells(line: str) -> list[str]:
    return next(csv.reader([line.rstrip("\r\n")], delimiter="\t"), [])


def _annotation(lines: list[str], columns: tuple[str, ...]) -> tuple[pd.DataFrame, list[str]]:
    """Build the sample table; rows follow the columns of the matrix."""
    per_sample: list[dict[str, list[str]]] = [{} for _ in columns]
    notes: list[str] = []
    accession = list(columns)
    for line in lines:
        tag, *cells = _cells(line)
        tag = tag.removeprefix("!Sample_")
        if len(cells) != len(columns):
            notes.append(f"The annotation {tag} has {len(cells)} cells for {len(columns)} samples; left out.")
            continue
        if tag == "geo_accession":
            accession = cells
        for entries, cell in zip(per_sample, cells, strict=True):
            key, value = _key_and_value(tag, cell)
            if value:
                entries.setdefault(key, []).append(value)
    keys = list(dict.fromkeys(key for entries in per_sample for key in entries))
    data = {key: typed_column(["; ".join(entries.get(key, [])) for entries in per_sample]) for key in keys}
    table = pd.DataFrame(data).set_axis(accession, axis=0)
    if sorted(accession) == sorted(columns):
        return table.loc[list(columns)], notes
    return table.set_axis(list(columns), axis=0), [
        *notes,
        "Accessions and columns differ; matched by position.",
    ]


def _key_and_value(tag: str, cell: str) -> tuple[str, str]:
    """Split ``key: value`` of a characteristic; a second channel gets its own keys."""
    if not tag.startswith(_CHARACTERISTICS):
        return tag, cell.strip()
    key, colon, value = cell.partition(":")
    if not colon:
        return tag, cell.strip()
    channel = tag.removeprefix(_CHARACTERISTICS)
    suffix = "" if channel in ("", "_ch1") else channel
    return key.strip() + suffix, value.strip()
