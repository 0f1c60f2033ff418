"""One function opens every kind and finds the IDs and the sample table that belong to it."""

from __future__ import annotations

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import zarr
from scipy import sparse

import latentadj as la
from latentadj.core.matrix import ArrayMatrix, collect
from latentadj.core.regression import fit_regression
from latentadj.data.stores import (
    AnnDataMatrix,
    Hdf5Matrix,
    NpyMatrix,
    ParquetMatrix,
    SparseMatrix,
    ZarrMatrix,
    open_matrix,
)
from latentadj.exceptions import AlignmentError, FileFormatError, InputError
from tests.data.stores_files import ORIENTATIONS

VALUES = np.random.default_rng(0).normal(size=(6, 20)).astype("float32")
SAMPLES, FEATURES = tuple(f"s{i}" for i in range(6)), [f"g{j}" for j in range(20)]


def table(orientation):
    frame = pd.DataFrame(VALUES, index=list(SAMPLES), columns=FEATURES)
    return frame if orientation == "samples" else frame.T


def study(orientation):
    frame = table(orientation)
    data = anndata.AnnData(frame.to_numpy(), frame.index.to_frame(name="id"), frame.columns.to_frame(name="id"))
    data.layers["sparse"] = sparse.csr_matrix(frame.to_numpy())
    return data


def assert_whole(opened, kind):
    assert type(opened.matrix) is kind
    assert opened.sample_ids == SAMPLES
    assert opened.feature_ids.tolist() == FEATURES
    assert np.array_equal(collect(opened.matrix), VALUES)


def write(path, orientation):
    """Every kind of file with IDs of its own or beside it."""
    frame = table(orientation)
    stored = np.ascontiguousarray(frame.to_numpy())
    if path.suffix == ".npy":
        np.save(path, stored)
    elif path.suffix == ".zarr":
        zarr.create_array(path, data=stored)
    elif path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            file["x"] = stored
    elif path.suffix == ".parquet":
        frame.to_parquet(path)
    elif path.suffix == ".csv":
        frame.astype(float).to_csv(path)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.npy", NpyMatrix),
        ("a.zarr", ZarrMatrix),
        ("a.h5", Hdf5Matrix),
        ("a.parquet", ParquetMatrix),
        ("a.csv", ArrayMatrix),
    ],
)
@pytest.mark.parametrize("beside", ["a.{}.txt", "{name}.{}.txt"])
def test_paths(tmp_path, orientation, name, kind, beside):
    write(tmp_path / name, orientation)
    if kind in (NpyMatrix, ZarrMatrix, Hdf5Matrix):
        assert open_matrix(tmp_path / name, orientation=orientation)[1:] == (None, None, None)
        (tmp_path / beside.format("samples", name=name)).write_text("\n".join(SAMPLES))
        (tmp_path / beside.format("features", name=name)).write_text("\n".join(FEATURES) + "\n")
    assert_whole(open_matrix(str(tmp_path / name), orientation=orientation), kind)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("layer", [None, "sparse"])
@pytest.mark.parametrize("name", ["a.h5ad", "a.zarr", "a.h5"])
@pytest.mark.filterwarnings("ignore:Writing zarr v2")
def test_anndata_files(tmp_path, orientation, layer, name):
    data = study(orientation)
    data.write_zarr(tmp_path / name) if name.endswith("zarr") else data.write_h5ad(tmp_path / name)
    root = zarr.open_group(tmp_path / name, mode="r") if name.endswith("zarr") else h5py.File(tmp_path / name)
    for source in (tmp_path / name, root):
        opened = open_matrix(source, orientation=orientation, layer=layer)
        assert_whole(opened, AnnDataMatrix)
        assert opened.sample_data["id"].tolist() == list(SAMPLES)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("layer", [None, "sparse"])
@pytest.mark.parametrize("mode", ["r", "r+", None])
def test_anndata_objects(tmp_path, orientation, layer, mode):
    study(orientation).write_h5ad(tmp_path / "a.h5ad")
    data = anndata.read_h5ad(tmp_path / "a.h5ad", backed=mode)
    data.obs["new"] = 1
    opened = open_matrix(data, orientation=orientation, layer=layer)
    assert_whole(opened, AnnDataMatrix if mode else SparseMatrix if layer else ArrayMatrix)
    assert ("new" in opened.sample_data) == (orientation == "samples")


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_arrays_and_groups(tmp_path, orientation):
    stored = np.ascontiguousarray(table(orientation).to_numpy())
    group = zarr.create_group(tmp_path / "g.zarr")
    group.create_array("deep/x", data=stored)
    memory = zarr.create_array(zarr.storage.MemoryStore(), data=stored)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["deep/x"], file["deep/y"] = stored, stored
    file = h5py.File(tmp_path / "a.h5")
    for source, dataset in (
        (group, "deep/x"),
        (group["deep/x"], None),
        (memory, None),
        (file, "deep/x"),
        (file["deep"], "x"),
        (file["deep/x"], None),
        (tmp_path / "a.h5", "deep/x"),
        (tmp_path / "g.zarr", "deep/x"),
        (stored, None),
        (sparse.csr_matrix(stored), None),
        (sparse.coo_array(stored), None),
    ):
        opened = open_matrix(source, orientation=orientation, dataset=dataset)
        assert np.array_equal(collect(opened.matrix), VALUES)
        assert opened.sample_ids is opened.feature_ids is None


def test_a_matrix_stays_itself():
    X = ArrayMatrix(VALUES)
    assert open_matrix(X).matrix is X
    with pytest.raises(InputError, match="samples x features already"):
        open_matrix(X, orientation="features")


def test_frames_keep_their_labels():
    assert_whole(open_matrix(table("features"), orientation="features"), ArrayMatrix)


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("a.npy", {"layer": "x"}, InputError, "layer='x' was given, but .*for AnnData"),
        ("a.npy", {"dataset": "x"}, InputError, "dataset='x' was given.* zarr groups and HDF5"),
        ("a.zarr", {"layer": "x"}, InputError, "layer='x'"),
        ("a.npy", {"orientation": "rows"}, InputError, "orientation='rows' is not known"),
        ("a.xlsx", {}, FileFormatError, "There is no file"),
    ],
)
def test_options_that_do_not_fit(tmp_path, name, options, error, message):
    write(tmp_path / name, "samples")
    with pytest.raises(error, match=message):
        open_matrix(tmp_path / name, **options)


def test_ids_are_counted_and_unique(tmp_path):
    np.save(tmp_path / "a.npy", VALUES)
    (tmp_path / "a.samples.txt").write_text("\n".join(SAMPLES[:5]))
    with pytest.raises(AlignmentError, match=r"has 6 samples, but 5 sample IDs.* orientation="):
        open_matrix(tmp_path / "a.npy")
    (tmp_path / "a.samples.txt").write_text("\n".join(["s1", "s1", "s2", "s3", "s4", "s5"]))
    with pytest.raises(AlignmentError, match=r"occur more than once.*'s1'"):
        open_matrix(tmp_path / "a.npy")


def test_an_analysis_from_a_file_gives_the_numbers_of_one_in_memory(tmp_path):
    X = np.random.default_rng(1).normal(size=(30, 80))
    design = np.column_stack([np.ones(30), np.repeat([0.0, 1.0], 15)])
    np.save(tmp_path / "a.npy", X.T)
    stored = fit_regression(open_matrix(tmp_path / "a.npy", orientation="features").matrix, design)
    held = la.adjust(X, la.Design.from_arrays(design[:, 1]), method="none")
    np.testing.assert_allclose(stored.coef[:, 1], held.fit.coef[:, 1], rtol=1e-12)
    np.testing.assert_allclose(stored.sigma2, held.fit.sigma2, rtol=1e-12)
