"""Make the data extracts of the test suite and the bundled bladder study from gzipped CSV files.

Usage, from the root of the repository::

    python tests/reference/make_extracts.py SOURCE

``SOURCE`` holds one folder per data set (``bladderbatch``, ``sim1``, ``sim2``, ``simcounts``); each has the
matrix (``expr.csv.gz`` or ``counts.csv.gz``, features in rows, first column the feature ID, values rounded to
six decimals), ``samples.csv.gz`` and, for the simulated sets, ``features.csv.gz`` with the truth. README.md
in this folder says where those files come from. Every array is read back and compared for exact equality
with the float64 values of the CSV before the script ends.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
MICRO = 1_000_000  # the matrices are rounded to six decimals: value * MICRO is an integer
MATRIX_FILES = {"sim1": "expr", "sim2": "expr", "simcounts": "counts"}


def read_table(path: Path) -> pd.DataFrame:
    """Read a gzipped CSV with its first column as the index, every float parsed to the nearest double."""
    return pd.read_csv(path, index_col=0, float_precision="round_trip")


def text(values) -> np.ndarray:
    """Turn labels into a fixed-width unicode array, so that the .npz needs no pickle."""
    return np.asarray([str(v) for v in values])


def table_arrays(prefix: str, table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Give each column of a table as an array named ``prefix__column``, and the row IDs as ``prefix_ids``."""
    arrays = {f"{prefix}__{name}": table[name].to_numpy() for name in table.columns}
    return {f"{prefix}_ids": text(table.index), **arrays}


def write_simulated(source: Path, name: str) -> None:
    """Write tests/reference/data/NAME.npz: integer millionths of the matrix, sample table, feature truth."""
    folder = source / name
    matrix = read_table(folder / f"{MATRIX_FILES[name]}.csv.gz")
    samples, features = read_table(folder / "samples.csv.gz"), read_table(folder / "features.csv.gz")
    if list(matrix.index) != list(features.index) or list(matrix.columns) != list(samples.index):
        sys.exit(f"{name}: the three tables are not in the same order")
    values = matrix.to_numpy(dtype=np.float64).T
    millionths = np.rint(values * MICRO).astype(np.int64 if values.max() > 2000 else np.int32)
    target = ROOT / "tests" / "reference" / "data" / f"{name}.npz"
    arrays = {**table_arrays("sample", samples), **table_arrays("feature", features)}
    np.savez_compressed(target, millionths=millionths, **arrays)
    with np.load(target) as stored:
        if not np.array_equal(stored["millionths"] / MICRO, values):
            sys.exit(f"{name}: the extract does not give back the values of the CSV")


def write_bladder(source: Path) -> None:
    """Write latentadj/data/bundled/bladder.npz: float32 matrix, IDs, and the phenotype columns.

    Float32 is enough: below 16 its rounding error (4.8e-7) is smaller than half a unit in the sixth decimal,
    so rounding the stored values to six decimals gives back the float64 values of the CSV exactly.
    """
    matrix = read_table(source / "bladderbatch" / "expr.csv.gz")
    samples = read_table(source / "bladderbatch" / "samples.csv.gz")
    if list(matrix.columns) != list(samples.index):
        sys.exit("bladderbatch: the two tables are not in the same order")
    values = matrix.to_numpy(dtype=np.float64).T
    target = ROOT / "latentadj" / "data" / "bundled" / "bladder.npz"
    np.savez_compressed(
        target,
        X=values.astype(np.float32),
        sample_ids=text(samples.index),
        feature_ids=text(matrix.index),
        outcome=text(samples["outcome"]),
        batch=text(samples["batch"]),
        cancer=text(samples["cancer"]),
    )
    with np.load(target) as stored:
        if not np.array_equal(np.round(stored["X"].astype(np.float64), 6), values):
            sys.exit("bladder: the bundled file does not give back the values of the CSV")


def main() -> None:
    """Write all extracts from the folder named on the command line."""
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        sys.exit(__doc__)
    source = Path(sys.argv[1])
    for name in MATRIX_FILES:
        write_simulated(source, name)
    write_bladder(source)


if __name__ == "__main__":
    main()
