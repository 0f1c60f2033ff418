"""Matrices in AnnData files: .h5ad and .zarr, dense and sparse."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...core.matrix import Array, FeatureMatrix
from ...exceptions import FileFormatError, InputError
from ..adapters import Orientation, require_orientation
from ..parquet import require_extra
from .base import oriented_shape
from .hdf5 import Hdf5Matrix, open_hdf5
from .sparse import SparseMatrix
from .zarr_array import ZarrMatrix, absolute_store, open_zarr


class AnnDataMatrix:
    """X or a layer of an AnnData file, read by blocks; a sparse one is never made dense as a whole.

    Parameters
    ----------
    source : path or backed AnnData
        A .h5ad file or a .zarr folder. A layer of an object that is backed is read from its file as well.
    layer : str, optional
        Without it, X.
    orientation : {"samples", "features"}, default="samples"
        What the observations are.

    Attributes
    ----------
    shape : tuple of int
        ``(n_samples, n_features)``.
    dtype : numpy.dtype
        Storage type; blocks are float64.

    Raises
    ------
    MissingExtraError
        h5py, zarr or anndata is not installed.
    FileFormatError
        Not an AnnData file, or one that is damaged.
    InputError
        No such layer, or an object that is not backed or is a view of one.

    Warns
    -----
    SlowStorageWarning
        A sparse matrix that is compressed the other way round (CSR, where observations are samples).

    Notes
    -----
    AnnData reads the layers of a backed file into memory; here they are read by blocks, like X.

    Examples
    --------
    >>> import anndata, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "study.h5ad")
    ...     anndata.AnnData(np.arange(6.0).reshape(2, 3)).write_h5ad(path)
    ...     AnnDataMatrix(path).read(slice(1, 3))
    array([[1., 2.],
           [4., 5.]])
    """

    def __init__(self, source: Any, layer: str | None = None, orientation: Orientation = "samples") -> None:
        require_orientation(orientation)
        self._place = _file_of(source)
        self._arguments = (self._place, layer, orientation)
        self._root = _open_root(self._place)
        key = _key(self._root, layer, self._place)
        self._inner = _matrix(self._root, self._place, key, orientation)
        self.name = f"{self._place}:{key}"

    @property
    def shape(self) -> tuple[int, int]:
        """``(n_samples, n_features)``."""
        return self._inner.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Storage type."""
        return self._inner.dtype

    @property
    def slab_edges(self) -> NDArray[np.int64] | None:
        """Where runs of features that are read together begin, and the number of features."""
        return getattr(self._inner, "slab_edges", None)

    def column_blocks(self, width: int | None = None) -> Iterator[slice]:
        """Yield slices of at most `width` features that cover all of them once and follow the storage.

        Parameters
        ----------
        width : int, optional

        Yields
        ------
        slice
        """
        return self._inner.column_blocks(width)

    def read(self, columns: slice) -> Array:
        """Return the block ``(n_samples, width)`` as float64.

        Parameters
        ----------
        columns : slice
            Consecutive features.

        Returns
        -------
        ndarray of shape (n_samples, width)
            Not to be written to.
        """
        return self._inner.read(columns)

    def tables(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Read the tables of the samples and of the features.

        Returns
        -------
        sample_data : DataFrame, n_samples rows
        feature_data : DataFrame, n_features rows
        """
        require_extra("anndata", "anndata", Path(self._place))
        try:
            read_element = import_module("anndata.io").read_elem
        except (ImportError, AttributeError):  # before 0.11
            read_element = import_module("anndata.experimental").read_elem
        try:
            obs, var = read_element(self._root["obs"]), read_element(self._root["var"])
        except Exception as error:  # h5py, zarr and anndata raise many kinds for a damaged file
            raise FileFormatError(f"{self._place}: obs or var cannot be read ({error}). Write it again.") from error
        return (obs, var) if self._arguments[2] == "samples" else (var, obs)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._arguments

    def __repr__(self) -> str:
        n_samples, n_features = self.shape
        return f"AnnDataMatrix({n_samples} samples x {n_features} features, {self.dtype}, {self.name!r})"


def is_anndata_root(root: Any) -> bool:
    """Whether an open group of an HDF5 or zarr file was written by AnnData.

    Parameters
    ----------
    root : h5py.Group or zarr.Group

    Returns
    -------
    bool

    Examples
    --------
    >>> is_anndata_root(None)
    False
    """
    return dict(getattr(root, "attrs", {})).get("encoding-type") == "anndata"


def _file_of(source: Any) -> str:
    if isinstance(source, str | os.PathLike):
        return str(absolute_store(source))
    if not getattr(source, "isbacked", False):
        raise InputError("The AnnData object is in memory. Give it to open_matrix, or write it to a file first.")
    if source.is_view:
        raise InputError(
            "The AnnData object is a view of a backed one. Write it to a file of its own with .copy('subset.h5ad'), or "
            "load it with .to_memory()."
        )
    return str(Path(source.filename).absolute())


def _open_root(place: str) -> Any:
    is_zarr = Path(place).is_dir() or ".zarr" in Path(place).name
    root = open_zarr(place) if is_zarr else open_hdf5(Path(place))
    if not is_anndata_root(root):
        raise FileFormatError(
            f"{place} was not written by AnnData 0.8 or later. Read it with anndata and write it again, or name the "
            f"array in it with dataset=."
        )
    return root


def _key(root: Any, layer: str | None, place: str) -> str:
    layers = sorted(root["layers"].keys()) if "layers" in root else []
    if layer is not None and layer not in layers:
        known = ", ".join(repr(name) for name in layers) or "none"
        raise InputError(f"layer={layer!r} is not in {place}. Its layers: {known}; without layer, X.")
    if layer is None and "X" not in root:
        raise InputError(f"{place} has no X. Name one of its layers with layer=: {', '.join(layers) or 'none'}.")
    return "X" if layer is None else f"layers/{layer}"


def _matrix(root: Any, place: str, key: str, orientation: Orientation) -> FeatureMatrix:
    element = root[key]
    if hasattr(element, "chunks"):
        if hasattr(element, "store"):
            return ZarrMatrix(place, key, orientation)
        return Hdf5Matrix(place, key, orientation)
    encoding = str(dict(element.attrs).get("encoding-type"))
    if encoding not in ("csr_matrix", "csc_matrix"):
        raise FileFormatError(
            f"{place}: {key} is stored as {encoding!r}. Dense arrays and sparse csr_matrix and csc_matrix can be read."
        )
    rows, columns = (int(n) for n in element.attrs["shape"])
    by_feature = (encoding == "csc_matrix") == (orientation == "samples")
    parts = (element["data"], element["indices"], element["indptr"])
    return SparseMatrix(*parts, oriented_shape(orientation, rows, columns), by_feature, f"{place}:{key}")
