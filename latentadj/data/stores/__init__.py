"""Matrices larger than memory: one small adapter per kind of file, all read by blocks of features."""

from __future__ import annotations

from .anndata_file import AnnDataMatrix
from .conversion import copy_to_npy
from .dask_array import DaskMatrix
from .hdf5 import Hdf5Matrix
from .notices import MissingChunksWarning, SlowStorageWarning
from .npy import NpyMatrix
from .opened import OpenedMatrix
from .opening import open_matrix
from .parquet_table import ParquetMatrix
from .raw import RawMatrix
from .sparse import SparseMatrix
from .writing import write_matrix
from .zarr_array import ZarrMatrix

__all__ = [
    "AnnDataMatrix",
    "DaskMatrix",
    "Hdf5Matrix",
    "MissingChunksWarning",
    "NpyMatrix",
    "OpenedMatrix",
    "ParquetMatrix",
    "RawMatrix",
    "SlowStorageWarning",
    "SparseMatrix",
    "ZarrMatrix",
    "copy_to_npy",
    "open_matrix",
    "write_matrix",
]
