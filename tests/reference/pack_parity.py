"""Cut the stored answers of sva, limma, ruv and cate down to what the parity tests read.

Usage, from the root of the repository: ``python tests/reference/pack_parity.py GOLDEN``. ``GOLDEN`` holds, for each
data set (bladderbatch, sim1, sim2), ``NAME.npz`` with the tables the R packages returned and
``NAME.scalars.csv`` (columns key, i, value). Feature tables are cut to their first rows; nothing else is changed.
Writes ``PACKAGE/parity.npz`` with arrays named ``DATASET__KEY``.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
DATA_SETS = ("bladderbatch", "sim1", "sim2")
N_ROWS = 120
MODERATED = ("plain", "trend", "robust", "trend_robust", "contrasts", "with_sv")
LIMMA = (
    "contrast_matrix",
    "topTable_coef2",
    "topTable_F",
    *(f"limma_{variant}_{part}" for variant in MODERATED for part in ("coef", "t", "p", "rows", "lods")),
)
SVA_METHODS = ("sva_irw", "sva_irw_B20", "sva_twostep", "sva_supervised")
SVA = (
    "fpvalue",
    "sv_ssva",
    "pprob_sva_irw",
    "pprob_sva_irw_B20",
    *(f"{part}_{method}" for method in SVA_METHODS for part in ("sv", "fpvalue")),
)
RUV = tuple(
    f"ruv_{method}_{part}"
    for method in ("RUV2", "RUV4", "RUV4_k0")
    for part in ("beta", "t", "p", "sigma2", "W", "multiplier")
)
CATE = tuple(f"cate_{fa}_{link}{cal}" for fa in ("ml", "pc") for link in ("rr", "nc") for cal in ("", "_nocal"))
CATE_SCALARS = tuple(
    f"cate.{fa}_{link}.{part}" for fa in ("ml", "pc") for link in ("rr", "nc") for part in ("alpha", "alpha.p")
)
RUV_SCALARS = tuple(f"ruv.{method}.df" for method in ("RUV2", "RUV4", "RUV4_k0"))


def scalars(path: Path) -> dict[str, np.ndarray]:
    """Read the vectors of a ``key, i, value`` file."""
    found: dict[str, list[str]] = {}
    with path.open() as handle:
        for row in csv.DictReader(handle):
            found.setdefault(row["key"], []).append(row["value"])
    return {key: np.array(values) for key, values in found.items()}


def extract(golden: Path, keys: tuple[str, ...], scalar_keys: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """Return the arrays of all data sets, feature tables cut to `N_ROWS` rows."""
    out = {}
    for name in DATA_SETS:
        with np.load(golden / f"{name}.npz") as stored:
            out |= {f"{name}__{key}": stored[key][:N_ROWS] for key in keys if key in stored.files}
        values = scalars(golden / f"{name}.scalars.csv")
        out |= {f"{name}__{key}": values[key].astype(float) for key in scalar_keys}
    return out


def main() -> None:
    """Write the four extracts from the folder named on the command line."""
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        sys.exit(__doc__)
    golden = Path(sys.argv[1])
    np.savez_compressed(HERE / "limma" / "parity.npz", **extract(golden, LIMMA))
    np.savez_compressed(HERE / "sva" / "parity.npz", **extract(golden, SVA))
    np.savez_compressed(HERE / "ruv" / "parity.npz", **extract(golden, RUV, RUV_SCALARS))
    np.savez_compressed(HERE / "cate" / "parity.npz", **extract(golden, CATE, CATE_SCALARS))


if __name__ == "__main__":
    main()
