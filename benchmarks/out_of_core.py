"""A Gram and regression pass over files, against the same pass in memory and against reading the file once.

`python -m benchmarks.out_of_core [--features 100000] [--samples 500] [--repeats 3]`. Needs zarr, h5py and pyarrow. The
files lie in the page cache: what is measured is the cost of the stores, not of the disk.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.measure import Case, Row, cpu_ms, measure
from latentadj.core.kernels import GramKernel, RegressionKernel
from latentadj.core.matrix import ArrayMatrix, FeatureMatrix
from latentadj.core.passes import run_pass
from latentadj.data.stores import open_matrix

#: Features in a chunk or row group of the stores that have them.
CHUNK = 2000
#: Most that a pass over the store may take, in times of the pass in memory; none for what is decoded.
LIMITS = {"npy, by feature": 1.25, "npy, by sample": 1.4, "zarr, plain": 1.5, "hdf5, plain": 1.5}


def write_stores(folder: Path, values: np.ndarray) -> Iterator[tuple[str, Path, str]]:
    """Write the matrix (features x samples) in every way; name, path and orientation of each."""
    import h5py
    import pandas as pd
    import zarr

    chunks = (min(CHUNK, values.shape[0]), values.shape[1])
    np.save(folder / "features.npy", values)
    yield "npy, by feature", folder / "features.npy", "features"
    np.save(folder / "samples.npy", np.ascontiguousarray(values.T))
    yield "npy, by sample", folder / "samples.npy", "samples"
    zarr.create_array(folder / "plain.zarr", data=values, chunks=chunks, compressors=None)
    yield "zarr, plain", folder / "plain.zarr", "features"
    zarr.create_array(folder / "default.zarr", data=values, chunks=chunks)
    yield "zarr, default codec", folder / "default.zarr", "features"
    for name, codec in (("plain", None), ("gzip", "gzip")):
        with h5py.File(folder / f"{name}.h5", "w") as file:
            file.create_dataset("values", data=values, chunks=chunks, compression=codec)
        yield f"hdf5, {name}", folder / f"{name}.h5", "features"
    frame = pd.DataFrame(values).add_prefix("s")
    frame.to_parquet(folder / "groups.parquet", row_group_size=CHUNK)
    yield f"parquet, groups of {CHUNK}", folder / "groups.parquet", "features"
    frame.to_parquet(folder / "whole.parquet")
    yield "parquet, one group", folder / "whole.parquet", "features"


def analyse(matrix: FeatureMatrix) -> tuple[np.ndarray, np.ndarray]:
    """One pass: the Gram matrix of the residuals of a design, and its coordinates."""
    n_samples, n_features = matrix.shape
    basis = np.linalg.qr(np.column_stack([np.ones(n_samples), np.arange(n_samples) % 2]))[0]
    gram = GramKernel(n_samples, basis=basis)
    total, fitted = run_pass(matrix, gram, RegressionKernel(basis, n_features, centred=True))
    return total, fitted.rss


def read_once(path: Path) -> None:
    """Every byte of a file, or of a folder's files, into one buffer."""
    buffer = memoryview(bytearray(1 << 20))
    for place in [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file()):
        with place.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass


def check_same(matrix: FeatureMatrix, expected: tuple[np.ndarray, np.ndarray]) -> None:
    """Raise unless the store gives the numbers of the array in memory."""
    for found, values in zip(analyse(matrix), expected, strict=True):
        np.testing.assert_allclose(found, values, rtol=1e-10, atol=1e-10 * np.abs(values).max())


def cases(folder: Path, n_features: int, n_samples: int) -> Iterator[tuple[Case, Path]]:
    """The pass over every store against the one in memory, and the file."""
    values = np.random.default_rng(0).standard_normal((n_features, n_samples), dtype=np.float32) + np.float32(8)
    held = ArrayMatrix(values.T)
    expected = analyse(held)
    for name, path, orientation in write_stores(folder, values):
        matrix = open_matrix(path, orientation=orientation).matrix
        ours, check = partial(analyse, matrix), partial(check_same, matrix, expected)
        title = f"Gram + regression pass, {name}, {n_features:,} x {n_samples} float32"
        limit = LIMITS.get(name)
        yield Case(title, "in memory", ours, partial(analyse, held), max_multiple=limit, check=check), path


def rows(repeats: int, n_features: int = 100_000, n_samples: int = 500) -> Iterator[Row]:
    """Measured rows, for the table of all benchmarks."""
    with tempfile.TemporaryDirectory() as folder:
        for case, path in cases(Path(folder), n_features, n_samples):
            row = measure(case, repeats)
            once = float(np.median([cpu_ms(partial(read_once, path)) for _ in range(repeats)]))
            yield row
            yield replace(row, against="file read once", other=once, limit="", kept=True)


def main(emit: Callable[[str], object] = print) -> int:
    """Print one line per comparison; exit status 1 if a limit is missed."""
    from benchmarks.measure import COLUMNS, line

    parser = argparse.ArgumentParser(prog="python -m benchmarks.out_of_core", description=__doc__.splitlines()[0])
    parser.add_argument("--features", type=int, default=100_000)
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    emit("| " + " | ".join(COLUMNS) + " |\n" + "|" + "---|" * len(COLUMNS))
    kept = True
    for row in rows(options.repeats, options.features, options.samples):
        emit(line(row))
        sys.stdout.flush()
        kept &= row.kept
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
