"""Gather the tables that `fronts.R` wrote: ``python tests/reference/limma_fronts/pack.py OUT`` writes fronts.npz."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Write one array per table, named ``DATASET__TABLE``; classifications as small integers."""
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        sys.exit(__doc__)
    out = {}
    for path in sorted(Path(sys.argv[1]).glob("*.csv")):
        name, table = path.stem.split("_", 1)
        values = np.loadtxt(path, delimiter=",", skiprows=1)
        out[f"{name}__{table}"] = values.astype(np.int32) if (values == np.round(values)).all() else values
    np.savez_compressed(HERE / "fronts.npz", **out)


if __name__ == "__main__":
    main()
