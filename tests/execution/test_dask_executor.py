"""Passes on a cluster of two worker processes: the same answers, little traffic, lost workers."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import latentadj as la
from latentadj.core.kernels import GramKernel, RegressionKernel
from latentadj.core.matrix import ArrayMatrix, FeatureSubset
from latentadj.core.passes import pass_options, run_pass
from latentadj.data.stores import NpyMatrix, open_matrix
from latentadj.exceptions import InputError
from latentadj.execution.dask_executor import DaskExecutor
from latentadj.execution.packing import Packer, shared_arrays, unpack
from latentadj.execution.task_runs import task_runs

distributed = pytest.importorskip("distributed")
da = pytest.importorskip("dask.array")
zarr = pytest.importorskip("zarr")

N, M = 100, 3000


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, worker_dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def values() -> np.ndarray:
    rng = np.random.default_rng(3)
    factors = rng.normal(size=(N, 2)) + np.repeat([0.0, 0.7], N // 2)[:, None]
    return 5.0 + factors @ rng.normal(size=(2, M)) + rng.normal(size=(N, M))


@pytest.fixture(scope="module")
def store(values: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cluster") / "values.zarr"
    zarr.create_array(str(path), data=values, chunks=(N, 250))
    return path


class Counting(DaskExecutor):
    """Counts what each pass sends here."""

    def __init__(self, client: Any, **options: Any) -> None:
        super().__init__(client, **options)
        self.passes: list[int] = []

    def carry_out(self, *args: Any) -> bool:
        before = self.bytes_received
        done = super().carry_out(*args)
        if done:
            self.passes.append(self.bytes_received - before)
        return done


def analysed(source: Any, method: str) -> la.AdjustmentResult:
    design = la.Design.from_arrays(np.repeat([0.0, 1.0], N // 2))
    options: dict[str, Any] = {"n_factors": 2}
    if method == "ruv4":
        options["controls"] = np.arange(M) < 300
    if method == "cate_auto":
        method, options = "cate", {"n_factors": la.ParallelAnalysis(n_permutations=5)}
    return la.adjust(source, design, method=method, **options)


SOURCES = {
    "zarr": lambda store: store,
    "lazy dask array": lambda store: da.from_zarr(str(store)),
    "persisted dask array": lambda store: da.from_zarr(str(store)).rechunk((40, 400)).persist(),
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("method", ["sva", "ruv4", "cate_auto"])
def test_same_answer_as_on_one_machine(client: Any, store: Path, source: str, method: str) -> None:
    expected = analysed(store, method)
    executor = Counting(client)
    with pass_options(executor=executor):
        found = analysed(SOURCES[source](store), method)
    assert found.n_factors == expected.n_factors
    for name in ("estimate", "std_error", "p_value"):
        np.testing.assert_allclose(getattr(found.tests, name), getattr(expected.tests, name), rtol=1e-9, atol=1e-10)
    assert executor.passes
    assert max(executor.passes) < 8 * N * M / 4, "more than rows of a few numbers per feature and sums came here"


def test_arrays_of_this_process_are_sent_in_parts(client: Any, values: np.ndarray) -> None:
    kernels = [GramKernel(N), RegressionKernel(np.full((N, 1), N**-0.5), M, centred=True)]
    expected = values @ values.T, values.mean(axis=0)
    with pass_options(executor=DaskExecutor(client, n_tasks=5)):
        gram, sums = run_pass(ArrayMatrix(values), *kernels)
    np.testing.assert_allclose(gram, expected[0], rtol=1e-12)
    np.testing.assert_allclose(sums.mean, expected[1], rtol=1e-12)


@pytest.mark.parametrize("kind", ["npy", "h5", "h5ad", "parquet", "csc"])
def test_every_store_is_opened_again_by_the_workers(client: Any, values: np.ndarray, tmp_path: Path, kind: str) -> None:
    source: Any = tmp_path / f"values.{kind}"
    if kind == "npy":
        np.save(source, values)
    elif kind == "h5":
        pytest.importorskip("h5py").File(source, "w").create_dataset("values", data=values)
    elif kind == "h5ad":
        pytest.importorskip("anndata").AnnData(values).write_h5ad(source)
    elif kind == "parquet":
        pytest.importorskip("pyarrow")
        __import__("pandas").DataFrame(values, columns=[f"g{i}" for i in range(M)]).to_parquet(source)
    else:
        source = __import__("scipy.sparse").sparse.csc_array(np.where(values > 6, values, 0.0))
        values = source.toarray()
    matrix = open_matrix(source, **({"dataset": "values"} if kind == "h5" else {})).matrix
    with pass_options(executor=DaskExecutor(client)):
        (gram,) = run_pass(matrix, GramKernel(N))
    np.testing.assert_allclose(gram, values @ values.T, rtol=1e-11)


def test_small_passes_stay_here(client: Any) -> None:
    executor = DaskExecutor(client)
    with pass_options(executor=executor):
        run_pass(ArrayMatrix(np.ones((3, 10))), GramKernel(3))
    assert executor.bytes_received == 0


def test_errors_in_the_data_come_back_as_they_are(client: Any, values: np.ndarray) -> None:
    broken = values.copy()
    broken[3, 2222] = np.inf
    array, design = da.from_array(broken, chunks=(N, 500)), la.Design.from_arrays(np.arange(float(N)))
    with pass_options(executor=DaskExecutor(client)), pytest.raises(InputError, match=r"1 infinite.*ple4', '2222'\)"):
        la.adjust(array, design, method="none")


class SlowNpy(NpyMatrix):
    """Takes a while for every block."""

    def read(self, columns: slice) -> np.ndarray:
        time.sleep(0.15)
        return super().read(columns)


def test_a_lost_worker_costs_only_its_tasks(values: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "values.npy", values)
    matrix = SlowNpy(tmp_path / "values.npy")
    killed: list[int] = []

    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, worker_dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        pids = list(client.run(os.getpid).values())

        def kill() -> None:
            time.sleep(1.5)
            os.kill(pids[0], signal.SIGKILL)
            killed.append(pids[0])

        killer = threading.Thread(target=kill)
        killer.start()
        with pass_options(executor=DaskExecutor(client, n_tasks=12), width=100):
            gram, sums = run_pass(matrix, GramKernel(N), RegressionKernel(np.full((N, 1), N**-0.5), M, centred=True))
            assert killed, "the pass was over before the worker was killed"
        killer.join()
        assert pids[0] not in client.run(os.getpid).values()
    np.testing.assert_allclose(gram, values @ values.T, rtol=1e-12)
    np.testing.assert_allclose(sums.mean, values.mean(axis=0), rtol=1e-12)


def test_what_it_cannot_work_with_is_said(client: Any) -> None:
    with pytest.raises(InputError, match=r"distributed\.Client"):
        DaskExecutor("scheduler:8786")
    with pytest.raises(InputError, match="n_tasks"):
        DaskExecutor(client, n_tasks=0)


def test_tasks_begin_where_chunks_do(store: Path) -> None:
    matrix = open_matrix(da.from_zarr(str(store))).matrix
    edges = set(range(0, M, 250))
    blocks = list(matrix.column_blocks(100))
    runs = task_runs(matrix, blocks, 3)
    assert len(runs) == 3
    assert {run[0].start for run in runs} <= edges
    flat = [block for run in runs for block in run]
    assert flat[0].start == 0
    assert flat[-1].stop == M
    assert all(a.stop == b.start for a, b in pairwise(flat))
    assert len(task_runs(matrix, blocks, 50)) == M // 250
    stored = open_matrix(store).matrix
    assert len(task_runs(stored, list(stored.column_blocks(100)), 4)) == 4
    every_third = FeatureSubset(matrix, np.arange(0, M, 3))
    assert len(task_runs(every_third, list(every_third.column_blocks(50)), 4)) >= 3


def test_what_tasks_share_is_sent_once() -> None:
    basis = np.random.default_rng(0).normal(size=(1000, 3))
    parts = [{"basis": basis, "own": np.full(2000, float(i))} for i in range(2)]
    shared = shared_arrays(*parts)
    assert len(shared) == 1
    assert shared[0] is basis
    zeros = np.zeros((500, 500), order="F")
    package = Packer(shared).pack({**parts[1], "sum": zeros}, [zeros])
    assert len(package.content) < 1.1 * parts[1]["own"].nbytes
    opened = unpack(package.content, shared, [])
    assert opened["basis"] is basis
    assert opened["sum"].flags.f_contiguous
    np.testing.assert_array_equal(opened["own"], parts[1]["own"])
