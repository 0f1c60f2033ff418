"""Pack what make_reference.R wrote into glm.npz.

Call: python pack.py DIRECTORY_WITH_THE_CSV_FILES
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

source = Path(sys.argv[1])
data = pd.read_csv(source / "data.csv", index_col=0).to_numpy(dtype=float)
table = pd.read_csv(source / "glm.csv")
arrays = {"x": data[0], "group": data[1], "size": data[2], "counts": data[3:15].T, "binary": data[15:27].T}
for family, rows in table.groupby("family"):
    values = rows.drop(columns="family").to_numpy(dtype=float)
    arrays[f"{family}_coef"] = values[:, :3]
    arrays[f"{family}_unscaled"] = values[:, 3:12].reshape(-1, 3, 3)
    arrays[f"{family}_deviance"] = values[:, 12]
    arrays[f"{family}_pearson"] = values[:, 13]
np.savez_compressed(Path(__file__).parent / "glm.npz", **arrays)
