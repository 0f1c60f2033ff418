"""Pack what quasi.R wrote into quasi.npz.

Call: python pack_quasi.py DIRECTORY_WITH_THE_CSV_FILE
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

table = pd.read_csv(Path(sys.argv[1]) / "quasi.csv")
arrays = {name: table[name].to_numpy() for name in table.columns if name not in ("intercept", "group", "batch", "z")}
arrays["coef"] = table[["intercept", "group", "batch", "z"]].to_numpy()
np.savez_compressed(Path(__file__).parent / "quasi.npz", **arrays)
