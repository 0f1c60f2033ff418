"""Every store gives the numbers of an array in memory, whatever the type, the layout, the blocks and the threads."""

from __future__ import annotations

import copy
import os
import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from latentadj.core.kernels import GramKernel, ProjectionKernel, RegressionKernel
from latentadj.core.matrix import ArrayMatrix, FeatureMatrix, FeatureSubset, collect
from latentadj.core.passes import pass_options, run_pass
from latentadj.data.stores import NpyMatrix, SlowStorageWarning, copy_to_npy, slabs
from latentadj.exceptions import InputError
from tests.data.stores_files import KINDS, ORIENTATIONS, npy, parquet, zarr_plain

N_SAMPLES, N_FEATURES = 24, 331
QUICK = ("float64", "float16", "int16", ">f4")
DTYPES = ("float64", "float32", "float16", "int16", "uint8", "int64", "bool", ">f4", ">i4")


def values_of(dtype):
    rng = np.random.default_rng(3)
    values = rng.normal(5.0, 2.0, (N_SAMPLES, N_FEATURES)) * rng.integers(0, 2, (N_SAMPLES, N_FEATURES))
    return np.abs(values).astype(dtype) if np.dtype(dtype).kind == "u" else values.astype(dtype)


VALUES = values_of("float32")


def sums(matrix):
    """A Gram, a regression and a projection from one pass."""
    basis = np.linalg.qr(np.column_stack([np.ones(N_SAMPLES), np.arange(N_SAMPLES)]))[0]
    gram = GramKernel(N_SAMPLES, basis=basis)
    regression = RegressionKernel(basis, N_FEATURES, centred=True)
    projection = ProjectionKernel(np.random.default_rng(0).normal(size=(N_SAMPLES, 3)), N_FEATURES)
    total, fitted, scores = run_pass(matrix, gram, regression, projection)
    return {"gram": total, "effects": fitted.effects, "rss": fitted.rss, "mean": fitted.mean, "scores": scores}


def assert_same_sums(found, expected, rtol=1e-12):
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=rtol, atol=rtol * np.abs(values).max(), err_msg=name)


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__, scope="module")
def kind(request):
    return request.param


@pytest.fixture(params=ORIENTATIONS, scope="module")
def orientation(request):
    return request.param


@pytest.fixture(scope="module")
def written(kind, orientation, tmp_path_factory):
    """A store of the float32 values, written once for the tests that only read."""
    return kind(tmp_path_factory.mktemp("store"), VALUES, orientation)


@pytest.fixture
def X(written):
    """The store, opened again."""
    return copy.deepcopy(written)


def stored(kind, folder, values, orientation):
    """The store, or a skip where the format has no such type."""
    name, dtype = kind.__name__, values.dtype
    if dtype == np.float16 and ("cs" in name or "sparse" in name or name == "anndata_zarr"):
        pytest.skip("SciPy has no sparse matrices of half precision")
    if dtype.byteorder == ">" and name in ("parquet", "h5ad_csr", "h5ad_csc", "anndata_zarr", "sparse_in_memory"):
        pytest.skip("kept in the byte order of the machine only")
    return kind(folder, values, orientation)


@pytest.mark.parametrize("dtype", [d if d in QUICK else pytest.param(d, marks=pytest.mark.slow) for d in DTYPES])
def test_values_of_every_type_are_exact(tmp_path, kind, orientation, dtype):
    values = values_of(dtype)
    X = stored(kind, tmp_path, values, orientation)
    assert isinstance(X, FeatureMatrix)
    assert X.shape == values.shape
    assert X.dtype.newbyteorder("=") == values.dtype.newbyteorder("=")
    block = X.read(slice(3, 290))
    assert block.dtype == np.float64
    assert np.array_equal(block, values[:, 3:290].astype(float))
    assert np.array_equal(collect(X), values.astype(float))


@pytest.mark.parametrize("slab_bytes", [1 << 22, 4000, pytest.param(200, marks=pytest.mark.slow)])
def test_a_pass_gives_the_same_sums_for_all_widths_and_threads(written, slab_bytes, monkeypatch):
    for module in ("raw", "chunked", "sparse", "parquet_table"):
        for name in ("SLAB_BYTES", "LARGE_SLAB_BYTES", "PIECES_BYTES", "BATCH_BYTES", "BATCH_VALUES"):
            monkeypatch.setattr(f"latentadj.data.stores.{module}.{name}", slab_bytes, raising=False)
    for function in (slabs.split_large_chunks, slabs.gather_small_chunks):
        monkeypatch.setattr(function, "__defaults__", (slab_bytes,))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SlowStorageWarning)
        X = copy.deepcopy(written)
    expected = sums(ArrayMatrix(VALUES))
    for n_threads, width in ((1, None), (1, 3), (2, 16), (4, 1000)):
        with pass_options(n_threads=n_threads, width=width):
            assert_same_sums(sums(X), expected)


def test_results_do_not_depend_on_threads_at_all(X):
    with pass_options(n_threads=1, width=20):
        expected = sums(X)
    with pass_options(n_threads=5, width=20):
        assert_same_sums(sums(X), expected, rtol=0.0)


@pytest.mark.parametrize("width", [None, 1, 7, 64, 500])
def test_blocks_cover_all_features_once_in_order(X, width):
    blocks = list(X.column_blocks(width))
    assert [b.start for b in blocks] == [0] + [b.stop for b in blocks[:-1]]
    assert blocks[-1].stop == N_FEATURES
    assert all(0 < b.stop - b.start <= (width or N_FEATURES) for b in blocks)


def test_blocks_stay_as_they_were_while_others_are_read(tmp_path, kind, orientation):
    values = values_of("float64")
    X = kind(tmp_path, values, orientation)
    blocks = [(columns, X.read(columns)) for columns in X.column_blocks(40)]
    assert all(np.array_equal(block, values[:, columns]) for columns, block in blocks)


def test_pieces_at_random_from_many_threads(X):
    ends = np.sort(np.random.default_rng(1).integers(0, N_FEATURES + 1, (50, 2)), axis=1).tolist()

    def right(pair):
        columns = slice(*pair)
        return np.array_equal(X.read(columns), VALUES[:, columns])

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(right, ends))


def test_slices_as_of_an_array(X):
    for columns in (slice(None), slice(-5, None), slice(300, 10_000), slice(7, 7), slice(9, 3), slice(None, 2)):
        assert np.array_equal(X.read(columns), VALUES[:, columns]), columns
    with pytest.raises(InputError, match="not in steps of 2"):
        X.read(slice(0, 10, 2))


def test_subset_of_features(X):
    index = np.flatnonzero(np.random.default_rng(2).random(N_FEATURES) < 0.2)
    assert np.array_equal(collect(FeatureSubset(X, index)), VALUES[:, index])


def test_pickled_and_opened_again_from_another_folder(tmp_path, kind, orientation, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    X = kind(Path("."), VALUES, orientation)
    X.read(slice(0, 5))
    text = pickle.dumps(X)
    if kind.__name__ != "sparse_in_memory":
        assert len(text) < 1500, "the file's place travels, not its content"
    monkeypatch.chdir(tmp_path / "elsewhere")
    again = pickle.loads(text)
    assert (again.shape, again.dtype, type(again)) == (X.shape, X.dtype, type(X))
    assert np.array_equal(collect(again), VALUES)


def test_says_what_it_is(X):
    assert f"{N_SAMPLES} samples x {N_FEATURES} features, float32" in repr(X)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1)])
def test_smallest_shapes(tmp_path, kind, orientation, shape):
    values = np.arange(1.0, 1 + shape[0] * shape[1]).reshape(shape).astype("float32")
    if kind.__name__ == "zarr_sharded" or kind.__name__ == "hdf5_compressed":
        pytest.skip("written with chunks larger than the array")
    X = kind(tmp_path, values, orientation)
    assert X.shape == shape
    assert np.array_equal(collect(X), values)


def test_values_that_are_not_finite_pass_through(tmp_path, kind, orientation):
    values = values_of("float32")
    values[0, :4] = [np.nan, np.inf, -np.inf, -0.0]
    assert np.array_equal(collect(kind(tmp_path, values, orientation)), values, equal_nan=True)


def test_a_chunk_is_decoded_once_per_pass(tmp_path, orientation):
    X = zarr_plain(tmp_path, VALUES, orientation)
    seen = []
    load = X._load
    X._load = lambda start, stop: seen.append((start, stop)) or load(start, stop)
    with pass_options(n_threads=1, width=3):
        run_pass(X, GramKernel(N_SAMPLES))
    assert len(seen) == len(set(seen)) == len(X._edges) - 1


def test_threads_share_a_slab(tmp_path):
    loads = []
    cache = slabs.SlabCache()

    def load(index):
        loads.append(index)
        return np.full(3, index)

    with ThreadPoolExecutor(4) as pool:
        same = list(pool.map(lambda _: cache.get(5, load), range(40)))
    assert loads == [5]
    assert all(slab is same[0] for slab in same)


def test_a_slab_that_failed_is_tried_again():
    cache = slabs.SlabCache()
    with pytest.raises(OSError, match="gone"):
        cache.get(0, lambda index: (_ for _ in ()).throw(OSError("gone")))
    assert cache.get(0, lambda index: np.ones(2)).sum() == 2


def test_slabs_keep_to_their_bytes():
    edges = slabs.slab_edges(slabs.regular_cuts(100_003, 17), feature_bytes=4000)
    widths = np.diff(edges)
    assert edges[0] == 0
    assert edges[-1] == 100_003
    assert widths.max() * 4000 <= slabs.SLAB_BYTES
    assert (edges[1:-1] % 17 == 0).all()
    split = slabs.slab_edges(slabs.regular_cuts(100_003, 50_000), feature_bytes=4000)
    assert np.diff(split).max() * 4000 <= 1.5 * slabs.LARGE_SLAB_BYTES
    assert np.isin([50_000, 100_000], split).all()


def test_bytes_are_read_without_positions_where_the_system_has_none(tmp_path, orientation, monkeypatch):
    monkeypatch.delattr(os, "preadv", raising=False)
    X = npy(tmp_path, VALUES, orientation)
    with pass_options(n_threads=4, width=8):
        assert_same_sums(sums(X), sums(ArrayMatrix(VALUES)))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "int32", "float16"])
def test_conversion_keeps_every_value(tmp_path, orientation, dtype):
    values = values_of(dtype)
    copy_to_npy(npy(tmp_path, values, orientation), tmp_path / "copy.npy")
    X = NpyMatrix(tmp_path / "copy.npy", "features")
    assert X.dtype == ("float32" if dtype in ("float32", "int16", "float16") else "float64")
    assert np.array_equal(np.load(tmp_path / "copy.npy"), values.T)
    assert np.array_equal(collect(X), values)


def test_conversion_leaves_the_old_file_when_it_fails(tmp_path):
    X = parquet(tmp_path, values_of("float32"), "features")
    np.save(tmp_path / "copy.npy", np.ones((2, 2)))
    (tmp_path / "a.parquet").unlink()
    X._idle.clear()
    with pytest.raises(ValueError, match="There is no file"):
        copy_to_npy(X, tmp_path / "copy.npy")
    assert np.load(tmp_path / "copy.npy").shape == (2, 2)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["copy.npy"]
