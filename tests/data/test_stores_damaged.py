"""One clear error for every damaged file or wrong argument, and a warning for what is slow or missing."""

from __future__ import annotations

import builtins
import importlib
import os
import warnings

import h5py
import numpy as np
import pandas as pd
import pytest
import zarr
from scipy import sparse

from latentadj.core.kernels import GramKernel
from latentadj.core.passes import run_pass
from latentadj.data import parquet as parquet_check
from latentadj.data.stores import (
    AnnDataMatrix,
    Hdf5Matrix,
    MissingChunksWarning,
    NpyMatrix,
    ParquetMatrix,
    RawMatrix,
    SlowStorageWarning,
    SparseMatrix,
    ZarrMatrix,
    copy_to_npy,
)
from latentadj.exceptions import FileFormatError, InputError, MissingExtraError
from tests.data.stores_files import ORIENTATIONS, h5ad_csr, hdf5_compressed, npy, parquet, raw, zarr_plain

VALUES = np.random.default_rng(0).normal(size=(12, 60)).astype("float32")


def cut(path, n_bytes):
    os.truncate(path, path.stat().st_size - n_bytes)


def chunk_files(folder):
    return [p for p in folder.rglob("*") if p.is_file() and p.name != "zarr.json"]


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize(
    ("kind", "name", "again"),
    [
        (npy, "a.npy", NpyMatrix),
        (hdf5_compressed, "a.h5", lambda path, orientation: Hdf5Matrix(path, None, orientation)),
        (parquet, "a.parquet", ParquetMatrix),
        (h5ad_csr, "a.h5ad", lambda path, orientation: AnnDataMatrix(path, "signal", orientation)),
        (raw, "values.bin", lambda path, orientation: RawMatrix(path, VALUES.shape, "float32", "F", 6)),
    ],
)
@pytest.mark.parametrize("n_bytes", [1, 500])
def test_a_file_that_was_cut_is_found_when_it_is_opened(tmp_path, orientation, kind, name, again, n_bytes):
    kind(tmp_path, VALUES, orientation)
    cut(tmp_path / name, n_bytes)
    with pytest.raises(FileFormatError, match=rf"{name}.*(again|cut|whole)"):
        again(tmp_path / name, orientation)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("kind", [npy, raw])
def test_a_file_that_is_cut_during_the_pass(tmp_path, orientation, kind):
    X = kind(tmp_path, VALUES, orientation)
    cut(next(tmp_path.iterdir()), 5)
    with pytest.raises(FileFormatError, match=r"ends at byte \d+, 5 bytes early"):
        run_pass(X, GramKernel(12))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_damaged_zarr_chunk_names_the_features(tmp_path, orientation):
    table = VALUES if orientation == "samples" else VALUES.T
    chunks = (12, 20) if orientation == "samples" else (20, 12)
    zarr.create_array(tmp_path / "a.zarr", data=table, chunks=chunks)
    cut(sorted(chunk_files(tmp_path / "a.zarr"))[-1], 50)
    X = ZarrMatrix(tmp_path / "a.zarr", orientation=orientation)
    with pytest.raises(FileFormatError, match=r"features 0 to 59 cannot be read .*copy or write it again"):
        run_pass(X, GramKernel(12))


def test_a_damaged_hdf5_chunk_names_the_features(tmp_path):
    X = hdf5_compressed(tmp_path, VALUES, "samples")
    with h5py.File(tmp_path / "a.h5", "r") as file:
        place = file["group/values"].id.get_chunk_info(0).byte_offset
    del X
    with (tmp_path / "a.h5").open("r+b") as file:
        file.seek(place)
        file.write(b"\xff" * 40)
    with pytest.raises(FileFormatError, match=r"a.h5:group/values: features \d+ to \d+ cannot be read"):
        run_pass(Hdf5Matrix(tmp_path / "a.h5"), GramKernel(12))


def test_a_zarr_array_that_shrinks_after_it_was_opened(tmp_path):
    X = zarr_plain(tmp_path, VALUES, "samples")
    zarr.open_array(tmp_path / "a.zarr", mode="r+").resize((12, 30))
    again = ZarrMatrix(tmp_path / "a.zarr")
    assert again.shape == (12, 30)
    X._array = again._array
    with pytest.raises(FileFormatError, match="has changed since it was opened"):
        X.read(slice(0, 60))


@pytest.mark.parametrize("make", [NpyMatrix, ParquetMatrix, Hdf5Matrix, AnnDataMatrix, ZarrMatrix])
def test_no_such_file(tmp_path, make):
    with pytest.raises(FileFormatError, match=r"There is no file .*none\.x"):
        make(tmp_path / "none.x")


@pytest.mark.parametrize("make", [NpyMatrix, ParquetMatrix, Hdf5Matrix, AnnDataMatrix])
def test_another_kind_of_file(tmp_path, make):
    path = tmp_path / "other.x"
    path.write_text("not a matrix\n" * 50)
    with pytest.raises(FileFormatError, match=r"other\.x is not a"):
        make(path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((12, 61), "float32", "C"), "has 2886 bytes; 12 samples x 61 features .* too short"),
        (((12, 59), "float32", "C", 6), "too long"),
        (((12, 60), "float64", "F", 6), "too short"),
        (((12, 60), "float32", "K", 6), "order='K' is not known"),
        (((12, 60), "float32", "C", -1), "offset=-1 is negative"),
        (((12, 60), "complex64", "C", 6), "complex64; real numbers are needed"),
        (((12, 60), "floaty", "C", 6), "'floaty' is not a NumPy type"),
        (((12, 60, 1), "float32", "C", 6), "two dimensions are needed"),
        (((0, 60), "float32", "C", 6), "at least one sample"),
    ],
)
def test_raw_arguments(tmp_path, arguments, message):
    raw(tmp_path, VALUES, "samples")
    with pytest.raises(InputError, match=message):
        RawMatrix(tmp_path / "values.bin", *arguments)


@pytest.mark.filterwarnings("ignore::latentadj.data.stores.MissingChunksWarning", "ignore:The data type")
@pytest.mark.parametrize("values", [np.ones(3), np.ones((2, 2, 2)), np.ones((2, 2), "complex64"), np.array([["a"]])])
def test_arrays_that_are_no_matrix(tmp_path, values):
    np.save(tmp_path / "a.npy", values)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = values.astype("S1") if values.dtype.kind == "U" else values
    zarr.create_array(tmp_path / "a.zarr", shape=values.shape, dtype=values.dtype.str, chunks=values.shape)
    for make in (NpyMatrix, lambda path: Hdf5Matrix(path, "x"), ZarrMatrix):
        suffix = {NpyMatrix: "npy", ZarrMatrix: "zarr"}.get(make, "h5")
        with pytest.raises(InputError, match=r"two dimensions are|real numbers are"):
            make(tmp_path / f"a.{suffix}")


def test_npy_of_objects(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[1, None]], dtype=object))
    with pytest.raises(FileFormatError, match="as an array of floats"):
        NpyMatrix(tmp_path / "a.npy")


def test_parquet_columns_that_are_not_numbers(tmp_path):
    pd.DataFrame({"id": ["a"], "x": [1.0], "y": ["b"], "z": ["c"]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"2 column\(s\) do not hold numbers: 'y', 'z'"):
        ParquetMatrix(tmp_path / "a.parquet")
    frame = pd.DataFrame({"x": [1.0]}, index=pd.MultiIndex.from_tuples([("a", "b")], names=["p", "q"]))
    frame.to_parquet(tmp_path / "b.parquet")
    with pytest.raises(InputError, match="index of 2 levels"):
        ParquetMatrix(tmp_path / "b.parquet")


def test_parquet_of_mixed_numbers_with_missing_values(tmp_path):
    frame = pd.DataFrame({"a": [1.5, None], "b": pd.array([3, None], dtype="Int64"), "c": [True, False]})
    frame["d"] = pd.array([True, None], dtype="boolean")
    frame.to_parquet(tmp_path / "a.parquet")
    expected = np.array([[1.5, 3.0, 1.0, 1.0], [np.nan, np.nan, 0.0, np.nan]])
    assert np.array_equal(ParquetMatrix(tmp_path / "a.parquet").read(slice(0, 4)), expected, equal_nan=True)
    turned = ParquetMatrix(tmp_path / "a.parquet", "features").read(slice(0, 2))
    assert np.array_equal(turned, expected.T, equal_nan=True)


def test_parquet_names_that_begin_like_others(tmp_path):
    frame = pd.DataFrame([[1.0, 2.0, 3.0]], columns=["ENSG1", "ENSG1.2", "ENSG1.2.x"])
    frame.to_parquet(tmp_path / "a.parquet")
    X = ParquetMatrix(tmp_path / "a.parquet")
    assert [X.read(slice(j, j + 1)).item() for j in range(3)] == [1.0, 2.0, 3.0]


def test_hdf5_dataset_has_to_be_named(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"], file["g/y"], file["ids"] = VALUES, VALUES, np.arange(3)
    with pytest.raises(InputError, match=r"2 two-dimensional datasets of numbers: g/y, x\. Say which"):
        Hdf5Matrix(tmp_path / "a.h5")
    with pytest.raises(InputError, match=r"no dataset 'z'.* g/y, x"):
        Hdf5Matrix(tmp_path / "a.h5", "z")
    with pytest.raises(InputError, match="no dataset 'g'"):
        Hdf5Matrix(tmp_path / "a.h5", "g")


def test_zarr_group_has_to_be_narrowed(tmp_path):
    group = zarr.create_group(tmp_path / "a.zarr")
    group.create_array("x", data=VALUES)
    with pytest.raises(InputError, match=r"is a group of arrays, not one array.* one: x"):
        ZarrMatrix(tmp_path / "a.zarr")
    with pytest.raises(FileFormatError, match=r"a\.zarr:none is not a readable zarr"):
        ZarrMatrix(tmp_path / "a.zarr", "none")
    assert ZarrMatrix(group, "x").shape == ZarrMatrix(group["x"]).shape == VALUES.shape


def test_zarr_chunks_that_are_not_stored(tmp_path):
    array = zarr.create_array(tmp_path / "a.zarr", shape=(12, 60), chunks=(12, 20), dtype="float32", fill_value=0)
    array[:, :40] = VALUES[:, :40]
    with pytest.warns(MissingChunksWarning, match="1 of 3 chunks are not stored and are read as 0"):
        X = ZarrMatrix(tmp_path / "a.zarr")
    assert not X.read(slice(40, 60)).any()


def test_sparse_parts_that_do_not_fit():
    held = sparse.csr_array(VALUES)
    for data, indices, indptr in (
        (held.data[:-1], held.indices, held.indptr),
        (held.data, held.indices, held.indptr[:-1]),
        (held.data, held.indices, held.indptr[::-1]),
    ):
        with pytest.raises(FileFormatError, match="do not fit together"):
            SparseMatrix(data, indices, indptr, VALUES.shape, by_feature=False, name="X")
    with pytest.raises(FileFormatError, match="outside its 60 features"):
        SparseMatrix(held.data, held.indices + 1, held.indptr, VALUES.shape, by_feature=False, name="X")


def test_anndata_parts(tmp_path):
    import anndata

    data = anndata.AnnData(VALUES)
    data.write_h5ad(tmp_path / "a.h5ad")
    with pytest.raises(InputError, match=r"layer='raw' is not in .*a\.h5ad\. Its layers: none"):
        AnnDataMatrix(tmp_path / "a.h5ad", "raw")
    with pytest.raises(InputError, match="is in memory"):
        AnnDataMatrix(data)
    backed = anndata.read_h5ad(tmp_path / "a.h5ad", backed="r")
    with pytest.raises(InputError, match="view of a backed one"):
        AnnDataMatrix(backed[:, :5])
    backed.file.close()
    with h5py.File(tmp_path / "a.h5ad", "r+") as file:
        del file["X"]
    with pytest.raises(InputError, match="has no X"):
        AnnDataMatrix(tmp_path / "a.h5ad")


def test_chunks_over_all_features_are_slow(tmp_path, monkeypatch):
    monkeypatch.setattr("latentadj.data.stores.chunked.LARGE_SLAB_BYTES", 500)
    zarr.create_array(tmp_path / "a.zarr", data=VALUES, chunks=(1, 60))
    with pytest.warns(SlowStorageWarning, match="chunks hold 60 features each.* about 6 times.*copy_to_npy"):
        ZarrMatrix(tmp_path / "a.zarr")


def test_one_row_group_is_slow(tmp_path, monkeypatch):
    monkeypatch.setattr("latentadj.data.stores.parquet_table.LARGE_SLAB_BYTES", 500)
    with pytest.warns(SlowStorageWarning, match="row group holds 37 features.* row_group_size=2000"):
        parquet(tmp_path, np.vstack([VALUES] * 4), "features")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ParquetMatrix(tmp_path / "a.parquet", "samples")


def test_entries_by_sample_are_slow(tmp_path, monkeypatch):
    monkeypatch.setattr("latentadj.data.stores.sparse.LARGE_SLAB_BYTES", 500)
    with pytest.warns(SlowStorageWarning, match=r"by sample \(CSR\).* about 12 times.*adata\.X\.tocsc"):
        h5ad_csr(tmp_path, VALUES, "samples")
    with warnings.catch_warnings():
        warnings.simplefilter("error", SlowStorageWarning)
        AnnDataMatrix(tmp_path / "a.h5ad", "signal", "features")


def test_short_pieces_of_rows_are_slow(tmp_path, monkeypatch):
    monkeypatch.setattr("latentadj.data.stores.raw.PIECES_BYTES", 12 * 4 * 8)
    with pytest.warns(SlowStorageWarning, match="12 samples leave 32 bytes of each.* about 128 times"):
        npy(tmp_path, VALUES, "samples")


@pytest.mark.parametrize(
    ("module", "kind", "extra"),
    [("zarr", zarr_plain, "zarr"), ("h5py", hdf5_compressed, "hdf5"), ("pyarrow", parquet, "parquet")],
)
def test_missing_extras_name_the_command(tmp_path, monkeypatch, module, kind, extra):
    X = kind(tmp_path, VALUES, "samples")
    real = importlib.import_module

    def refuse(name, *rest):
        if name.partition(".")[0] == module:
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(parquet_check, "import_module", refuse)
    with pytest.raises(MissingExtraError, match=rf'needs {module}.*pip install "latentadj\[{extra}\]"'):
        type(X)(*X.__reduce__()[1])


def test_the_package_does_not_import_the_extras(monkeypatch):
    import latentadj.data.stores as package

    real = builtins.__import__

    def refuse(name, *rest, **options):
        if name.partition(".")[0] in ("zarr", "h5py", "pyarrow", "anndata"):
            raise AssertionError(f"{name} is imported")
        return real(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    for name in ("anndata_file", "hdf5", "parquet_table", "zarr_array", "opening", "chunked"):
        source = importlib.util.find_spec(f"{package.__name__}.{name}").loader.get_code(f"{package.__name__}.{name}")
        exec(source, {"__name__": f"{package.__name__}.{name}", "__package__": package.__name__})


def test_conversion_arguments(tmp_path):
    X = npy(tmp_path, VALUES, "samples")
    with pytest.raises(InputError, match=r"does not end in \.npy"):
        copy_to_npy(X, tmp_path / "b.bin")
    with pytest.raises(InputError, match="would cut off decimals"):
        copy_to_npy(X, tmp_path / "b.npy", "int32")
    copy_to_npy(X, tmp_path / "b.npy", "float64")
    assert np.array_equal(np.load(tmp_path / "b.npy"), VALUES.T.astype(float))
