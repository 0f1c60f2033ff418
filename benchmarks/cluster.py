"""The same pass on two workers of a cluster, on two threads, and over dask arrays.

`python -m benchmarks.cluster [--features 200000] [--samples 200] [--repeats 3]`. Needs dask.distributed and zarr. A
Gram matrix and a regression of a float32 zarr array without compression, features in chunks of 2,000. What is compared:

- distributed: two worker processes of one thread against two threads of this process, both over the zarr array: wall
  time, and CPU time summed over all processes (the scheduler's and this one's included).
- dask threads: two threads of this process over a lazy dask array of the zarr array, against two threads over the
  zarr array itself, by CPU time.

The cluster is up before anything is timed. Sides alternate; medians.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.out_of_core import analyse
from latentadj.core.passes import pass_options
from latentadj.data.stores import open_matrix
from latentadj.execution.dask_executor import DaskExecutor

CHUNK = 2000
#: Most that each side may take, in times of the zarr loop on two threads.
LIMITS = {"distributed, wall": 1.3, "distributed, CPU": 1.3, "dask threads, CPU": 1.15}


def write_store(path: Path, n_samples: int, n_features: int) -> None:
    """Write noise by chunks."""
    import zarr

    array = zarr.create_array(
        str(path), shape=(n_samples, n_features), chunks=(n_samples, CHUNK), dtype="float32", compressors=None
    )
    rng = np.random.default_rng(0)
    for start in range(0, n_features, CHUNK):
        stop = min(start + CHUNK, n_features)
        array[:, start:stop] = rng.standard_normal((n_samples, stop - start), dtype=np.float32)


def cpu_seconds(client: Any) -> float:
    """CPU time so far of this process, which holds the scheduler, and of all workers."""

    def own() -> float:
        return sum(os.times()[:2])

    return own() + sum(client.run(own).values())


def timed(work: Callable[[], object], client: Any) -> tuple[float, float]:
    """Wall and CPU time of one run."""
    cpu, wall = cpu_seconds(client), time.perf_counter()
    work()
    wall = time.perf_counter() - wall
    return wall, cpu_seconds(client) - cpu


def compare(path: Path, client: Any, repeats: int) -> dict[str, np.ndarray]:
    """Median wall and CPU seconds of each side, after checking that they give the same numbers."""
    import dask.array as da

    zarr_loop, lazy = open_matrix(path).matrix, open_matrix(da.from_zarr(str(path))).matrix

    def distributed() -> Any:
        with pass_options(executor=DaskExecutor(client)):
            return analyse(zarr_loop)

    def threads(matrix: Any) -> Any:
        with pass_options(n_threads=2):
            return analyse(matrix)

    sides = {"zarr loop": lambda: threads(zarr_loop), "distributed": distributed, "dask threads": lambda: threads(lazy)}
    expected = threads(zarr_loop)
    for work in sides.values():
        for found, values in zip(work(), expected, strict=True):
            np.testing.assert_allclose(found, values, rtol=1e-9, atol=1e-9 * np.abs(values).max())
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for _ in range(repeats):
        for name, work in sides.items():
            times[name].append(timed(work, client))
    return {name: np.median(values, axis=0) for name, values in times.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 if a limit is exceeded."""
    from distributed import Client, LocalCluster

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--features", type=int, default=200_000)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        path = Path(folder, "values.zarr")
        write_store(path, chosen.samples, chosen.features)
        found = compare(path, client, chosen.repeats)
    wall, cpu = found["zarr loop"]
    print(f"{chosen.features} x {chosen.samples} float32; zarr loop, two threads: wall {wall:.2f} s, CPU {cpu:.2f} s")
    ratios = {
        "distributed, wall": found["distributed"][0] / wall,
        "distributed, CPU": found["distributed"][1] / cpu,
        "dask threads, CPU": found["dask threads"][1] / cpu,
    }
    for name, ratio in ratios.items():
        print(f"{name:20} {ratio:5.2f}x (limit {LIMITS[name]}x) {'ok' if ratio <= LIMITS[name] else 'OVER'}")
    return int(any(ratio > LIMITS[name] for name, ratio in ratios.items()))


if __name__ == "__main__":
    sys.exit(main())
