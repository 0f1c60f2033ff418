"""Cut limma's stored answers on single functions down to what the tests read.

Usage: ``python tests/reference/limma/pack_pieces.py GOLDEN DECISIONS``. ``GOLDEN`` holds, for each data set
(bladderbatch, sim1, sim2), ``NAME.npz`` and ``NAME.scalars.csv`` (columns key, i, value) with what limma returned;
``DECISIONS`` the output of ``decide_tests.R`` and ``duplicate_correlation.R``. Feature tables keep their first rows;
nothing else is changed. Writes ``pieces.npz`` with arrays named ``DATASET__KEY``.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
DATA_SETS = ("bladderbatch", "sim1", "sim2")
N_ROWS = 120
PARTS = ("coef", "t", "p", "rows", "unscaled")
FITS = ("treat02", "treat_fc12_trend", "dupcor", "arrayweights", "obsweights", "na5pct")
WHOLE = ("design_mod", "topTreat", "arrayWeights_reml", "arrayWeights_genebygene", "dupcor_atanh")


def pieces(golden: Path, name: str) -> dict[str, np.ndarray]:
    """Return the arrays of one data set."""
    with np.load(golden / f"{name}.npz") as stored:
        out = {f"limma_{fit}_{part}": stored[f"limma_{fit}_{part}"][:N_ROWS] for fit in FITS for part in PARTS}
        out |= {key: stored[key] for key in WHOLE}
        out["weights_thousandths"] = np.round(1000 * stored["weights_first200"]).astype(np.uint16)
        out["na_mask"] = np.packbits(stored["na_mask"].astype(bool), axis=1)
    with (golden / f"{name}.scalars.csv").open() as handle:
        for row in csv.DictReader(handle):
            if row["key"] == "dupcor.consensus":
                out["dupcor_consensus"] = np.array(float(row["value"]))
            if row["key"] == "limma.decideTests.global":
                out.setdefault("decide_global_counts", np.zeros(6, int))[int(row["i"]) - 1] = int(row["value"])
    return out


def decisions(folder: Path, name: str) -> dict[str, np.ndarray]:
    """Return the classifications of one data set: first rows, and counts of -1 and 1 over all features."""
    with (folder / f"{name}.csv").open() as handle:
        rows = list(csv.reader(handle))
    table = np.array(rows[1:], dtype=int)
    return {
        "decide_columns": np.array(rows[0]),
        "decide_rows": table[:-2].astype(np.int8),
        "decide_counts": table[-2:],
    }


def with_missing(folder: Path, name: str) -> dict[str, np.ndarray]:
    """Return consensus and atanh correlations with missing values, where they were asked for."""
    path = folder / f"{name}_missing.csv"
    return {"dupcor_missing": np.loadtxt(path)} if path.exists() else {}


def main() -> None:
    """Write the extract from the folders named on the command line."""
    if len(sys.argv) != 3 or not all(Path(a).is_dir() for a in sys.argv[1:]):
        sys.exit(__doc__)
    golden, folder = map(Path, sys.argv[1:])
    out = {}
    for name in DATA_SETS:
        found = pieces(golden, name) | decisions(folder, name) | with_missing(folder, name)
        out |= {f"{name}__{key}": value for key, value in found.items()}
    np.savez_compressed(HERE / "pieces.npz", **out)


if __name__ == "__main__":
    main()
