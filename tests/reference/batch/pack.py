"""Cut the stored answers of sva and limma about known batches down to what the tests read.

Usage, from the root of the repository: ``python tests/reference/batch/pack.py GOLDEN``. ``GOLDEN`` holds, for each
data set (bladderbatch, sim1, sim2, simcounts), ``NAME.npz`` with the tables the R packages returned, features in rows.
Tables are cut to their first 40 rows (all 200 for counts), counts are stored as integers; nothing else is changed.
Writes ``parity.npz`` and ``counts.npz`` beside this file.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
N_ROWS = 40
KEYS = (
    "design_mod",
    *(f"combat_{key}" for key in ("par", "par_nomod", "meanonly", "ref", "ref_mod")),
    *(f"combat_{key}_first500" for key in ("nonpar", "nonpar_mod")),
    *("rbe", "rbe_design", "rbe_cov"),
)
COUNT_KEYS = ("nogroup", "group", "group_nofull", "covar")


def main() -> None:
    """Write the extracts from the folder named on the command line."""
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        sys.exit(__doc__)
    golden, out = Path(sys.argv[1]), {}
    for name in ("bladderbatch", "sim1", "sim2"):
        with np.load(golden / f"{name}.npz") as stored:
            out |= {f"{name}__{key}": stored[key][: None if key == "design_mod" else N_ROWS] for key in KEYS}
    np.savez_compressed(HERE / "parity.npz", **out)
    with np.load(golden / "simcounts.npz") as stored:
        counts = {f"combatseq_{key}": stored[f"combatseq_{key}"].astype(np.int64) for key in COUNT_KEYS}
    np.savez_compressed(HERE / "counts.npz", **counts)


if __name__ == "__main__":
    main()
