"""Collect what limma's voom gave for the simulated counts.

Usage, from the root of the repository: ``python tests/reference/voom/pack.py GOLDEN LIVE``. ``GOLDEN`` holds
``simcounts.npz`` with the tables the R packages returned and ``simcounts.scalars.csv`` (columns key, i, value);
``LIVE`` the CSV files that ``reference.R`` writes. Writes ``counts.npz`` beside this file; of the values and weights
the first 60 genes are kept, of the fits the first 120.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
N_GENES, N_FITS = 60, 120
ANALYSES = ("raw", "tmm", "svaseq")
LIVE = ("thin_w", "span_w", "alone_w", "few_w")


def main() -> None:
    """Write the extract from the two folders named on the command line."""
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    golden, live = Path(sys.argv[1]), Path(sys.argv[2])
    with np.load(golden / "simcounts.npz") as stored:
        out = {"sv_svaseq": stored["sv_svaseq"]}
        for name in ANALYSES:
            out |= {f"{name}_{part}": stored[f"voom_{name}_{part}"][:N_GENES] for part in "Ew"}
            out[f"{name}_fit"] = stored[f"voom_{name}_fit"][:N_FITS]
    with (golden / "simcounts.scalars.csv").open() as handle:
        scalars = {row["key"]: float(row["value"]) for row in csv.DictReader(handle) if row["key"].startswith("voom.")}
    for name in ANALYSES:
        out[f"{name}_prior"] = np.array([scalars[f"voom.{name}.df.prior"], scalars[f"voom.{name}.s2.prior"]])
    out |= {name: np.genfromtxt(live / f"{name}.csv", delimiter=",", skip_header=1) for name in LIVE}
    np.savez_compressed(HERE / "counts.npz", **out)


if __name__ == "__main__":
    main()
