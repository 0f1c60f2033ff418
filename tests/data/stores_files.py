"""One function per kind of file: writes a matrix (samples x features) and opens it again."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from scipy import sparse

from latentadj.data.stores import (
    AnnDataMatrix,
    Hdf5Matrix,
    NpyMatrix,
    ParquetMatrix,
    RawMatrix,
    SparseMatrix,
    ZarrMatrix,
)

ORIENTATIONS = ("samples", "features")


def turned(values, orientation):
    """The table as it is stored: samples or features in rows."""
    return np.ascontiguousarray(values if orientation == "samples" else values.T)


def raw(folder, values, orientation):
    path = folder / "values.bin"
    path.write_bytes(b"header" + turned(values, orientation).tobytes())
    return RawMatrix(path, values.shape, values.dtype, "C" if orientation == "samples" else "F", offset=6)


def npy(folder, values, orientation):
    np.save(folder / "a.npy", turned(values, orientation))
    return NpyMatrix(folder / "a.npy", orientation)


def npy_other_order(folder, values, orientation):
    np.save(folder / "f.npy", np.asfortranarray(turned(values, orientation)))
    return NpyMatrix(folder / "f.npy", orientation)


def _zarr(folder, values, orientation, chunks, **options):
    import zarr

    table = turned(values, orientation)
    chunks = chunks if orientation == "samples" else chunks[::-1]
    zarr.create_array(folder / "a.zarr", data=table, chunks=chunks, **options)
    return ZarrMatrix(folder / "a.zarr", orientation=orientation)


def zarr_plain(folder, values, orientation):
    return _zarr(folder, values, orientation, (values.shape[0], 50), compressors=None)


def zarr_chunked_both_ways(folder, values, orientation):
    return _zarr(folder, values, orientation, (7, 64))


def zarr_sharded(folder, values, orientation):
    return _zarr(folder, values, orientation, (10, 20), shards=(40, 400) if orientation == "samples" else (400, 40))


def zarr_version_2(folder, values, orientation):
    return _zarr(folder, values, orientation, (11, 90), zarr_format=2)


def _hdf5(folder, values, orientation, **options):
    import h5py

    with h5py.File(folder / "a.h5", "w") as file:
        file.create_dataset("group/values", data=turned(values, orientation), **options)
    return Hdf5Matrix(folder / "a.h5", "group/values", orientation)


def hdf5_contiguous(folder, values, orientation):
    return _hdf5(folder, values, orientation)


def hdf5_compressed(folder, values, orientation):
    return _hdf5(folder, values, orientation, chunks=(11, 12), compression="gzip", shuffle=True)


def parquet(folder, values, orientation):
    frame = pd.DataFrame(turned(values, orientation)).add_prefix("c").add_suffix(".1")
    frame.index = [f"r{i}" for i in range(len(frame))]
    frame.to_parquet(folder / "a.parquet", row_group_size=37)
    return ParquetMatrix(folder / "a.parquet", orientation)


def _h5ad(folder, values, orientation, kind):
    import anndata

    table = turned(values, orientation)
    data = anndata.AnnData(np.zeros((table.shape[0], table.shape[1]), dtype="float32"))
    data.layers["signal"] = kind(table)
    data.write_h5ad(folder / "a.h5ad")
    return AnnDataMatrix(folder / "a.h5ad", "signal", orientation)


def h5ad_dense(folder, values, orientation):
    return _h5ad(folder, values, orientation, np.asarray)


def h5ad_csr(folder, values, orientation):
    return _h5ad(folder, values, orientation, sparse.csr_matrix)


def h5ad_csc(folder, values, orientation):
    return _h5ad(folder, values, orientation, sparse.csc_matrix)


def anndata_zarr(folder, values, orientation):
    import anndata

    data = anndata.AnnData(sparse.csr_matrix(turned(values, orientation)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the version that is written will change
        data.write_zarr(folder / "study.zarr")
    return AnnDataMatrix(folder / "study.zarr", None, orientation)


def sparse_in_memory(folder, values, orientation):
    held = sparse.csr_array(values)
    return SparseMatrix(held.data, held.indices, held.indptr, values.shape, by_feature=False, name="X")


KINDS = (
    raw,
    npy,
    npy_other_order,
    zarr_plain,
    zarr_chunked_both_ways,
    zarr_sharded,
    zarr_version_2,
    hdf5_contiguous,
    hdf5_compressed,
    parquet,
    h5ad_dense,
    h5ad_csr,
    h5ad_csc,
    anndata_zarr,
    sparse_in_memory,
)
