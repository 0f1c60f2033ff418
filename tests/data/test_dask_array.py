"""Dask arrays without a cluster: blocks, joined chunks, fronts, parts for tasks."""

from __future__ import annotations

import pickle
import threading

import numpy as np
import pytest

import latentadj as la
from latentadj.core.matrix import collect
from latentadj.core.passes import pass_options
from latentadj.data.stores import DaskMatrix, SlowStorageWarning, open_matrix
from latentadj.exceptions import InputError
from latentadj.testing import made_up_study

da = pytest.importorskip("dask.array")

VALUES = np.random.default_rng(0).normal(size=(30, 400)).astype(np.float32)


@pytest.mark.parametrize("chunks", [(30, 50), (7, 90), (30, 400), ((10, 20), (1, 199, 0, 200))])
def test_blocks_of_any_chunks(chunks: object) -> None:
    matrix = open_matrix(da.from_array(VALUES, chunks=chunks)).matrix
    assert isinstance(matrix, DaskMatrix)
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(collect(matrix), VALUES)
    np.testing.assert_array_equal(matrix.read(slice(37, 211)), VALUES[:, 37:211])


def test_features_in_rows() -> None:
    matrix = open_matrix(da.from_array(VALUES.T, chunks=(60, 11)), orientation="features").matrix
    np.testing.assert_array_equal(collect(matrix), VALUES)


def test_every_chunk_is_computed_once_in_a_pass_and_few_at_a_time() -> None:
    computed: list[int] = []
    lock = threading.Lock()

    def chunk(block_info: dict | None = None) -> np.ndarray:
        number = block_info[None]["chunk-location"][1]
        with lock:
            computed.append(number)
        return np.full((100, 8000), float(number))

    array = da.map_blocks(chunk, chunks=((100,), (8000,) * 6), dtype=float, meta=np.empty((0, 0)))
    computed.clear()  # dask tries the function once
    with pass_options(n_threads=1):
        result = la.adjust(array, la.Design.from_arrays(np.arange(100.0)), method="none")
    times = [computed.count(number) for number in range(1, 6)]  # the first one is looked at before
    assert len(set(times)) == 1, "a chunk was computed twice in one pass"
    assert 1 <= times[0] <= 3
    assert result.tidy()["mean"].iloc[-1] == 5.0


@pytest.mark.parametrize("method", ["cate", "sva"])
def test_fronts_take_dask_arrays(method: str) -> None:
    study = made_up_study()
    options = {"method": method, "n_factors": 2}
    expected = la.adjust(study.X, "~ x | age", study.sample_data.reset_index(drop=True), **options)
    array = da.from_array(study.X, chunks=(12, 70))
    found = la.adjust(array, "~ x | age", study.sample_data.reset_index(drop=True), **options)
    np.testing.assert_allclose(found.tests.p_value, expected.tests.p_value, rtol=1e-9, atol=1e-12)


def test_a_window_takes_its_part_of_the_data_along() -> None:
    whole = DaskMatrix(da.from_array(VALUES, chunks=(30, 40)))
    part = whole.window(slice(80, 200))
    np.testing.assert_array_equal(collect(part), VALUES[:, 80:200])
    assert len(pickle.dumps(part)) < 0.6 * VALUES.nbytes
    np.testing.assert_array_equal(collect(pickle.loads(pickle.dumps(part))), VALUES[:, 80:200])


def test_what_cannot_be_read_is_said() -> None:
    with pytest.raises(InputError, match="shape"):
        open_matrix(da.ones(3))
    unknown = da.from_array(VALUES, chunks=(30, 40))
    unknown = unknown[:, unknown[0] > 0]
    with pytest.raises(InputError, match="compute_chunk_sizes"):
        open_matrix(unknown)
    with pytest.raises(InputError, match="layer"):
        open_matrix(da.ones((3, 3)), layer="counts")
    with pytest.warns(SlowStorageWarning, match="rechunk"):
        DaskMatrix(da.ones((1000, 600_000), chunks=(1, 600_000)))
