"""Cut the stored answers of ruv's `variance_adjust` and `ruv_summary` down to what the parity tests read.

Usage, from the root of the repository: ``python tests/reference/ruv_variance/pack.py GOLDEN``. ``GOLDEN`` holds
``NAME.npz`` for each data set (bladderbatch, sim1, sim2). Tables keep the rows they were stored with (100); nothing
else is changed. Writes ``reference.npz`` with arrays named ``DATASET__KEY``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
DATA_SETS = ("bladderbatch", "sim1", "sim2")
PARTS = ("ruv_RUV2_va_", "ruv_RUV4_va_", "ruv_summary_")


def main() -> None:
    """Write the extract from the folder named on the command line."""
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        sys.exit(__doc__)
    out = {}
    for name in DATA_SETS:
        with np.load(Path(sys.argv[1]) / f"{name}.npz") as stored:
            out |= {
                f"{name}__{key}": stored[key]
                for key in stored.files
                if key.startswith(PARTS) and (not key.endswith("__cols") or "summary" in key)
            }
    np.savez_compressed(HERE / "reference.npz", **out)


if __name__ == "__main__":
    main()
