"""Cut the stored answers of ruv, vicar and RUVSeq down to what the tests of the RUV family read.

Usage, from the root of the repository: ``python tests/reference/pack_ruv_family.py GOLDEN``. ``GOLDEN`` holds, for each
data set, ``NAME.npz`` with the tables the R packages returned and ``NAME.scalars.csv`` (columns key, i, value). Feature
tables are cut to their first rows; nothing else is changed. Writes ``ruv/inverse.npz``, ``ruv/replicates.npz``,
``vicar/ruv_star.npz`` and ``RUVSeq/parity.npz`` with arrays named ``DATASET__KEY``.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
PARTS = ("beta", "t", "p", "sigma2", "W", "multiplier")
INVERSE = tuple(f"ruv_{method}_{part}" for method in ("RUVinv", "RUVinv_lambda1", "RUVrinv") for part in PARTS)
INVERSE_SCALARS = tuple(
    f"ruv.{method}.{part}" for method in ("RUVinv", "RUVinv_lambda1", "RUVrinv") for part in ("df", "lambda", "k")
)
REPLICATES = ("ruv_RUVIII", "ruv_RUVIII_avg", "ruv_RUVIII_k1", "ruv_RUVIII_kmax")
STAR = ("vruv4", "vruv4_normal", "vruvinv")
STAR_PARTS = ("betahat", "sebetahat", "tstats", "pvalues", "sigma2_adjusted", "Zhat")
STAR_KEYS = tuple(f"vicar_{method}_{part}" for method in STAR for part in STAR_PARTS)
STAR_SCALARS = tuple(f"vicar.{method}.{part}" for method in STAR for part in ("multiplier", "degrees_freedom"))
COUNTS = ("g", "g_raw", "g_log_eps", "s", "s_ctl", "r")
COUNT_KEYS = ("EDASeq_upper", *(f"RUVSeq_{method}_{part}" for method in COUNTS for part in ("W", "norm")))


def scalars(path: Path) -> dict[str, np.ndarray]:
    """Read the vectors of a ``key, i, value`` file."""
    found: dict[str, list[str]] = {}
    with path.open() as handle:
        for row in csv.DictReader(handle):
            found.setdefault(row["key"], []).append(row["value"])
    return {key: np.array(values) for key, values in found.items()}


def extract(
    golden: Path, names: tuple[str, ...], keys: tuple[str, ...], scalar_keys: tuple[str, ...] = (), n_rows: int = 120
) -> dict[str, np.ndarray]:
    """Return the arrays of some data sets, feature tables cut to `n_rows` rows, absent keys passed over."""
    out = {}
    for name in names:
        with np.load(golden / f"{name}.npz") as stored:
            out |= {f"{name}__{key}": stored[key][:n_rows] for key in keys if key in stored.files}
        values = scalars(golden / f"{name}.scalars.csv")
        out |= {f"{name}__{key}": values[key].astype(float) for key in scalar_keys if key in values}
    return out


def main() -> None:
    """Write the extracts from the folder named on the command line."""
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        sys.exit(__doc__)
    golden, gaussian = Path(sys.argv[1]), ("bladderbatch", "sim1", "sim2")
    for package in ("vicar", "RUVSeq"):
        (HERE / package).mkdir(exist_ok=True)
    np.savez_compressed(HERE / "ruv" / "inverse.npz", **extract(golden, gaussian, INVERSE, INVERSE_SCALARS))
    np.savez_compressed(HERE / "ruv" / "replicates.npz", **extract(golden, ("sim1", "sim2"), REPLICATES, n_rows=60))
    np.savez_compressed(HERE / "vicar" / "ruv_star.npz", **extract(golden, gaussian, STAR_KEYS, STAR_SCALARS))
    np.savez_compressed(HERE / "RUVSeq" / "parity.npz", **extract(golden, ("simcounts",), COUNT_KEYS, n_rows=60))


if __name__ == "__main__":
    main()
