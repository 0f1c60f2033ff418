"""Whole analyses of a file larger than they may hold: peak memory, and time against reading and one Gram product.

`python -m benchmarks.end_to_end [--features 1000000] [--samples 500] [--folder DIR]`. The matrix is written by blocks,
as .npy and zarr (float32, features together); every analysis runs in a process of its own, whose largest resident size
counts, imports and results included (Linux). Exit status 1 if one holds more than 600 MB, or if numbers differ from
those in memory on the first 50,000 features.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

COLUMNS = ("analysis", "store", "products", "CPU s", "x (read + Gram)", "wall s, 2 threads", "peak MB")
MOST_MB, SUBSET, N_FACTORS = 600, 50_000, 5
METHODS, STORES = ("cate", "sva"), ("npy", "zarr")


def write(folder: Path, n_features: int, n_samples: int) -> None:
    """Write the study: five hidden factors that go with two groups."""
    import zarr

    rng = np.random.default_rng(0)
    y = group(n_samples)
    scores = (rng.standard_normal((n_samples, N_FACTORS)) + 0.5 * y[:, None]).astype(np.float32)
    plain = np.lib.format.open_memmap(folder / "study.npy", "w+", np.float32, (n_features, n_samples))
    chunks = (min(2000, n_features), n_samples)
    store = zarr.create_array(
        folder / "study.zarr", shape=plain.shape, dtype="float32", chunks=chunks, compressors=None
    )
    for start in range(0, n_features, 10_000):
        rows = min(10_000, n_features - start)
        part = rng.standard_normal((rows, n_samples), dtype=np.float32) + np.float32(8)
        part += rng.standard_normal((rows, N_FACTORS), dtype=np.float32) @ scores.T
        plain[start : start + rows] = part
        store[start : start + rows] = part


def group(n_samples: int) -> np.ndarray:
    """Two groups."""
    return (np.arange(n_samples) % 2).astype(float)


def analyse(path: str, method: str, single: bool) -> None:
    """Analyse one store in this process and print what it took."""
    import latentadj as la

    began = time.process_time(), time.perf_counter()
    with la.pass_options(single_precision=single):
        design = la.Design.from_arrays(group(la.data.stores.open_matrix(path, orientation="features").matrix.shape[0]))
        result = la.adjust(path, design, method=method, n_factors=N_FACTORS, orientation="features")
    cpu, wall = time.process_time() - began[0], time.perf_counter() - began[1]
    peak = peak_mb()
    print(json.dumps({"cpu": cpu, "wall": wall, "mb": peak, "rounds": result.estimate.n_iter}))


def peak_mb() -> float:
    """Largest resident size of this process; `getrusage` would count what its parent held when it was started."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def bound(path: Path, n_samples: int) -> tuple[float, float]:
    """CPU seconds of reading the file once, and of one Gram product of all its features at the speed of BLAS."""
    from threadpoolctl import threadpool_limits

    from benchmarks.measure import cpu_ms
    from benchmarks.out_of_core import read_once

    n_features = (path.stat().st_size - 128) // (4 * n_samples)
    block = np.random.default_rng(0).standard_normal((20_000, n_samples))
    with threadpool_limits(1):
        gram = min(cpu_ms(lambda: block.T @ block) for _ in range(3)) / 1e3
    return min(cpu_ms(lambda: read_once(path)) for _ in range(2)) / 1e3, gram * n_features / len(block)


def subset_error(path: Path, method: str) -> float:
    """Largest difference of test statistics between a file and memory, relative to the largest statistic."""
    import latentadj as la

    values = np.load(path, mmap_mode="r")[:SUBSET]
    part = path.parent / "subset.npy"
    np.save(part, values)
    design = la.Design.from_arrays(group(values.shape[1]))
    stored = la.adjust(part, design, method=method, n_factors=N_FACTORS, orientation="features").tests.statistic
    held = la.adjust(np.asarray(values).T, design, method=method, n_factors=N_FACTORS).tests.statistic
    return float(np.abs(stored - held).max() / np.abs(held).max())


def main() -> int:
    """Write, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.end_to_end", description=__doc__.splitlines()[0])
    parser.add_argument("--features", type=int, default=1_000_000)
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--folder", help="where to write the files; a temporary folder by default")
    parser.add_argument("--analyse", nargs=3, metavar=("PATH", "METHOD", "SINGLE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.analyse:
        analyse(options.analyse[0], options.analyse[1], options.analyse[2] == "single")
        return 0
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        folder = Path(place)
        write(folder, options.features, options.samples)
        return report(folder, options.samples)


def report(folder: Path, n_samples: int) -> int:
    """Run every analysis and print the table."""
    read, gram = bound(folder / "study.npy", n_samples)
    print(f"reading once {read:.2f} s, one Gram product {gram:.2f} s (CPU, one thread)\n")
    print("| " + " | ".join(COLUMNS) + " |\n" + "|---" * len(COLUMNS) + "|")
    kept = True
    for method in METHODS:
        for store in STORES:
            for precision in ("double", "single"):
                row = in_own_process(folder / f"study.{store}", method, precision)
                kept &= row["mb"] < MOST_MB
                multiple = row["cpu"] / (read + gram)
                cells = (
                    method,
                    store,
                    precision,
                    f"{row['cpu']:.1f}",
                    f"{multiple:.1f}",
                    f"{row['wall']:.1f}",
                    f"{row['mb']:.0f}",
                )
                print("| " + " | ".join(cells) + " |", flush=True)
    for method in METHODS:
        error = subset_error(folder / "study.npy", method)
        kept &= error < 1e-8
        print(f"\n{method}, first {SUBSET:,} features, file against memory: {error:.1e}")
    return 0 if kept else 1


def in_own_process(path: Path, method: str, precision: str) -> dict[str, float]:
    """Run one analysis in a fresh process."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.end_to_end", "--analyse", str(path), method, precision]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: dict[str, float] = json.loads(out.splitlines()[-1])
    return found


if __name__ == "__main__":
    sys.exit(main())
