"""Readers of measured matrices: text (also .gz), npy, parquet, h5ad, zarr, HDF5 and GEO series matrix files."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np

from ..core.matrix import collect
from ..exceptions import AlignmentError, FileFormatError, InputError, LatentAdjError
from .adapters import LabelledMatrix, Orientation, as_labelled_matrix, labelled, require_orientation
from .geo import is_series_matrix, read_series_matrix
from .identifiers import id_array
from .parquet import read_parquet_frame, require_extra
from .text_files import require_file, text_suffix
from .text_tables import read_layout, read_numeric

_KINDS = ".csv, .tsv, .txt (also .gz), .npy, .parquet, .h5ad, .zarr, .h5, or a GEO series matrix (.txt, .txt.gz)"
#: Kinds of files that are opened by `latentadj.data.stores`.
STORE_SUFFIXES = (".zarr", ".h5", ".hdf5", ".hdf", ".he5")
_ADVICE = {
    ".xlsx": " Save the sheet as .csv.",
    ".xls": " Save the sheet as .csv.",
    ".rds": " In R: write.csv(exprs(x), 'matrix.csv') and write.csv(pData(x), 'samples.csv').",
    ".rda": " In R: write.csv(exprs(x), 'matrix.csv') and write.csv(pData(x), 'samples.csv').",
    ".rdata": " In R: write.csv(exprs(x), 'matrix.csv') and write.csv(pData(x), 'samples.csv').",
    ".npz": " Save the matrix alone with numpy.save.",
}


def read_matrix(
    path: str | os.PathLike[str],
    *,
    orientation: Orientation = "samples",
    layer: str | None = None,
    dataset: str | None = None,
) -> LabelledMatrix:
    r"""Read a measured matrix from a file; the kind is taken from the suffix.

    In text files the first column holds the IDs of the rows and the first line those of the columns; a first
    line with one field fewer, as R writes it, is understood. IDs are never changed. Every number becomes the
    nearest double; empty cells and NA become NaN.

    Parameters
    ----------
    path : path
        .csv, .tsv, .txt (each also .gz), .npy (memory-mapped, with IDs from text files beside it), .parquet (needs
        pyarrow), .h5ad (needs anndata), .zarr (needs zarr), .h5 and .hdf5 (need h5py), or a GEO series matrix. The
        whole matrix is read; give the path itself to `adjust` to have it read by blocks.
    orientation : {"samples", "features"}
        What the rows of the file are. A series matrix has features in rows and is turned by itself.
    layer : str, optional
        Layer of an AnnData file.
    dataset : str, optional
        Name of the array inside a zarr group or an HDF5 file, if it holds several.

    Returns
    -------
    LabelledMatrix

    Raises
    ------
    FileFormatError, AlignmentError
        Missing, empty or damaged file, unknown kind, rows of unequal length, text in a cell, repeated IDs.
    InputError
        A layer or dataset of a file that has none, or not the one that is named.
    MissingExtraError
        An optional package is needed and not installed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "matrix.csv")
    ...     _ = path.write_text("id,s1,s2\ng1,1,2\ng2,3,4\ng3,5,6\n")
    ...     matrix = read_matrix(path, orientation="features")
    >>> matrix.sample_ids, matrix.values.tolist()
    (('s1', 's2'), [[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]])
    """
    require_orientation(orientation)
    path = Path(path)
    suffix = text_suffix(path)
    if suffix in STORE_SUFFIXES or path.name.lower().endswith(".zarr.zip"):
        return _read_store(path, orientation, layer, dataset)
    if dataset is not None:
        raise InputError(f"dataset={dataset!r} was given, but {path} is not a .zarr or .h5 file. Leave it out.")
    if layer is not None and suffix != ".h5ad":
        raise InputError(f"layer={layer!r} was given, but {path} is not an .h5ad file; only those have layers.")
    if suffix == ".h5ad":
        return _read_h5ad(path, orientation, layer)
    reader = _READERS.get(suffix)
    if reader is None:
        require_file(path)
        raise FileFormatError(
            f"{path}: files of kind {suffix or 'without suffix'} cannot be read. Allowed: {_KINDS}."
            f"{_ADVICE.get(suffix, '')}"
        )
    return reader(path, orientation)


def _read_store(path: Path, orientation: Orientation, layer: str | None, dataset: str | None) -> LabelledMatrix:
    """Read a whole zarr or HDF5 array, with the IDs that stand in it or beside it."""
    stores = import_module("latentadj.data.stores")  # which reads text files with this module
    marks = import_module("latentadj.data.stores.marks")
    opened = stores.open_matrix(path, orientation=orientation, layer=layer, dataset=dataset)
    values = collect(opened.matrix).astype(np.promote_types(opened.matrix.dtype, np.float32), copy=False)
    record = marks.stored_record(path)
    return LabelledMatrix(values, opened.sample_ids, opened.feature_ids, None, opened.sample_data, (), record)


def _read_text(path: Path, orientation: Orientation) -> LabelledMatrix:
    if text_suffix(path) == ".txt" and is_series_matrix(path):
        return read_series_matrix(path)
    layout = read_layout(path)
    names, values = read_numeric(layout)
    return labelled(values, names, id_array(layout.columns), orientation)


def _read_npy(path: Path, orientation: Orientation) -> LabelledMatrix:
    require_file(path)
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise FileFormatError(
            f"{path} is not a readable .npy file of numbers ({error}). Write it again with numpy.save, as an "
            f"array of floats."
        ) from error
    sidecars, marks = (import_module(f"latentadj.data.stores.{name}") for name in ("sidecars", "marks"))
    plain = as_labelled_matrix(values, orientation=orientation)
    ids = {kind: sidecars.read_sidecar(path, kind) for kind in ("samples", "features")}
    rows, columns = (ids[kind] for kind in ("samples", "features"))
    for found, count, kind in zip((rows, columns), plain.shape, ids, strict=True):
        if found is not None and len(found) != count:
            raise AlignmentError(f"{path} has {count} {kind}, but {len(found)} IDs stand beside it. Give one per line.")
    return replace(
        labelled(plain.values, rows, columns, "samples"), notes=plain.notes, record=marks.stored_record(path)
    )


def _read_parquet(path: Path, orientation: Orientation) -> LabelledMatrix:
    return as_labelled_matrix(read_parquet_frame(path), orientation=orientation)


def _read_h5ad(path: Path, orientation: Orientation, layer: str | None) -> LabelledMatrix:
    require_file(path)
    require_extra("anndata", "anndata", path)
    anndata = import_module("anndata")
    try:
        data = anndata.read_h5ad(path)
    except LatentAdjError:
        raise
    except Exception as error:  # h5py and anndata raise many kinds for a damaged file
        raise FileFormatError(f"{path} is not a readable .h5ad file ({error}). Write it again.") from error
    return as_labelled_matrix(data, orientation=orientation, layer=layer)


_READERS: dict[str, Callable[[Path, Orientation], LabelledMatrix]] = {
    ".csv": _read_text,
    ".tsv": _read_text,
    ".txt": _read_text,
    ".npy": _read_npy,
    ".parquet": _read_parquet,
    ".pq": _read_parquet,
}
