"""Pack the CSV files of make_reference.R into the npz files of ``qvalue/`` and ``sva_lfdr/``.

Usage, from the root of the repository: ``python tests/reference/qvalue/pack.py OUT``, with OUT the folder
given to make_reference.R. Inputs are kept whole; of the answers, every row below 1000 rows, every 4th below
10,000 and every 20th above.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

FOLDER = Path(__file__).resolve().parents[1]
PI0_KEYS = ("smoother", "bootstrap", "log", "single", "ten", "many", "uneven")


def read(path: Path) -> pd.DataFrame:
    """Read a CSV of 17-digit numbers to the nearest double."""
    return pd.read_csv(path, float_precision="round_trip", dtype=np.float64)


def row_step(n_rows: int) -> int:
    """Return which share of the answers is kept: one row in this many."""
    return 1 if n_rows < 1000 else 4 if n_rows < 10_000 else 20


def pack(source: Path, package: str, keep_curve: int = 19) -> None:
    """Write ``<package>/reference.npz`` with arrays ``CASE__COLUMN``."""
    arrays = {}
    for path in sorted(source.glob(f"*.{package}.csv")):
        case, table = path.name.split(".")[0], read(path)
        for column in table:
            values = table[column].to_numpy()
            is_curve = column.startswith("curve")
            arrays[f"{case}__{column}"] = values[:keep_curve] if is_curve else values[:: row_step(len(values))]
    np.savez_compressed(FOLDER / package / "reference.npz", **arrays)


def main() -> None:
    """Pack everything found in the folder named on the command line."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    source = Path(sys.argv[1])
    inputs = {path.name.split(".")[0]: read(path)["p"].to_numpy() for path in sorted(source.glob("*.p.csv"))}
    np.savez_compressed(FOLDER / "qvalue" / "pvalues.npz", **inputs)
    table = read(source / "pi0.csv")
    pi0 = {f"{case}__{key}": table[case][i] for case in table for i, key in enumerate(PI0_KEYS)}
    np.savez_compressed(FOLDER / "qvalue" / "pi0.npz", **pi0)
    pack(source, "qvalue")
    pack(source, "sva_lfdr")


if __name__ == "__main__":
    main()
