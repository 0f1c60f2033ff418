"""Cut the stored answers of dSVA, SmartSVA, isva and sva (svaseq, fsva) down to what the tests read.

Usage, from the root of the repository: ``python tests/reference/surrogates/pack.py GOLDEN``. ``GOLDEN`` holds, for
each data set, ``NAME.npz`` with the tables the R packages returned and ``NAME.scalars.csv`` (columns key, i, value).
Feature tables are cut to their first rows; nothing else is changed. Writes ``parity.npz`` beside this file, with
arrays named ``DATASET__KEY``.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
N_ROWS = 120
SMART = tuple(f"{part}_smartsva{variant}" for part in ("sv", "pprob", "fpvalue") for variant in ("", "_alpha1"))
FSVA = tuple(f"fsva_{rule}_{part}" for rule in ("exact", "fast") for part in ("db", "new", "newsv"))
GAUSSIAN = (*SMART, *FSVA, "fsva_train", "fsva_trainsv", "dSVA_Z", "isva_isv", "isva_p")
SVASEQ = tuple(
    f"{part}_svaseq{variant}" for part in ("sv", "pprob") for variant in ("", "_const05", "_twostep", "_supervised")
)
SCALARS = ("smartsva.iter", "smartsva_alpha1.iter", "isva.EstDimRMT", "isva.nsv", "dSVA.auto.ncomp")


def scalars(path: Path) -> dict[str, float]:
    """Read the first number of each key."""
    with path.open() as handle:
        return {row["key"]: float(row["value"]) for row in csv.DictReader(handle) if row["key"] in SCALARS}


def effects_and_p(stored: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split dSVA's table; with one primary variable the effects lie in one row and only the first p-value is kept."""
    if stored.shape[0] == 1:
        return stored[0, :-1][:N_ROWS, None], stored[0, -1:][:, None]
    half = stored.shape[1] // 2
    return stored[:N_ROWS, :half], stored[:N_ROWS, half:]


def main() -> None:
    """Write the extract from the folder named on the command line."""
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        sys.exit(__doc__)
    golden, out = Path(sys.argv[1]), {}
    for name, keys in (("sim1", GAUSSIAN), ("sim2", GAUSSIAN), ("bladderbatch", GAUSSIAN), ("simcounts", SVASEQ)):
        with np.load(golden / f"{name}.npz") as stored:
            out |= {f"{name}__{key}": stored[key][:N_ROWS] for key in keys if key in stored.files}
            if "dSVA" in stored.files:
                out[f"{name}__dSVA_B"], out[f"{name}__dSVA_p"] = effects_and_p(stored["dSVA"])
        found = scalars(golden / f"{name}.scalars.csv")
        out |= {f"{name}__{key}": np.array(value) for key, value in found.items()}
    np.savez_compressed(HERE / "parity.npz", **out)


if __name__ == "__main__":
    main()
