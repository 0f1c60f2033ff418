"""Cut the stored answers of vicar's mouthwash, backwash and ash_ruv4 down to what the tests read.

Usage, from the root of the repository: ``python tests/reference/vicar_mouthwash/pack.py GOLDEN``. ``GOLDEN`` holds, for
each data set (bladderbatch, sim1, sim2), ``NAME.npz`` with the tables the R functions returned and ``NAME.scalars.csv``
(columns key, i, value). Tables keep their first 120 rows, ash's of sim2 all 200. Writes ``answers.npz``.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
DATA_SETS = ("bladderbatch", "sim1", "sim2")
TABLES = ("vicar_mouthwash", "vicar_mouthwash_noscale", "vicar_backwash")
SCALARS = (
    "vicar.mouthwash.pi0",
    "vicar.mouthwash.xi",
    "vicar.mouthwash_noscale.pi0",
    "vicar.backwash.pi0",
)
N_ROWS = 120


def main() -> None:
    """Write the extract from the folder named on the command line."""
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        sys.exit(__doc__)
    golden = Path(sys.argv[1])
    out = {}
    for name in DATA_SETS:
        with np.load(golden / f"{name}.npz") as stored:
            for key in TABLES:
                out[f"{name}__{key}"] = stored[key][:N_ROWS]
                out[f"{key}__cols"] = stored[f"{key}__cols"].astype(str)
            if name == "sim2":
                out["sim2__vicar_ash_ruv4"] = stored["vicar_ash_ruv4"]
                out["vicar_ash_ruv4__cols"] = stored["vicar_ash_ruv4__cols"].astype(str)
        with (golden / f"{name}.scalars.csv").open() as handle:
            found = {row["key"]: row["value"] for row in csv.DictReader(handle)}
        out |= {f"{name}__{key}": np.array(float(found[key])) for key in SCALARS}
    np.savez_compressed(HERE / "answers.npz", **out)


if __name__ == "__main__":
    main()
