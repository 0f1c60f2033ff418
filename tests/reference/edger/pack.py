"""Collect the answers of edgeR and DESeq2 on counts that the tests read.

Usage, from the root of the repository: ``python tests/reference/edger/pack.py GOLDEN LIVE``. ``GOLDEN`` holds
``simcounts.npz`` with the tables the R packages returned on the simulated counts; ``LIVE`` holds the CSV files that
``reference.R`` writes. Writes ``counts.npz`` beside this file. Feature tables keep their first rows, nothing else is
changed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
STORED = ("edgeR_normfactors", "deseq_sizefactors", "edgeR_cpmlog")
LIVE = ("factors", "cpm", "cpm_plain", "filter")


def columns(path: Path) -> dict[str, np.ndarray]:
    """Columns of a numeric CSV file by name."""
    table = np.genfromtxt(path, delimiter=",", names=True, deletechars="")
    return {name.strip('"'): table[name] for name in table.dtype.names}


def main() -> None:
    """Write the extract from the two folders named on the command line."""
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    golden, live = Path(sys.argv[1]), Path(sys.argv[2])
    with np.load(golden / "simcounts.npz") as stored:
        out = {name: stored[name] for name in STORED}
    for name in LIVE:
        found = columns(live / f"{name}.csv")
        if name.startswith("cpm"):
            out[name] = np.column_stack(list(found.values()))
        else:
            out |= {f"{name}__{column}": values for column, values in found.items()}
    np.savez_compressed(HERE / "counts.npz", **out)


if __name__ == "__main__":
    main()
