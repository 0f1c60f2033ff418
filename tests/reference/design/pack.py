"""Pack the csv files of reference.R into reference.npz: python pack.py FOLDER."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

folder = Path(sys.argv[1])
packed = {}
for path in sorted(folder.glob("*.csv")):
    table = pd.read_csv(path, index_col=0)
    if path.stem == "samples":
        packed["samples__ids"] = np.array(table.index, dtype=str)
        packed["samples__batch"] = table["batch"].to_numpy()
        packed["samples__cancer"] = table["cancer"].to_numpy(dtype=str)
        continue
    packed[path.stem] = table.to_numpy(dtype=float)
    packed[f"{path.stem}__cols"] = np.array(table.columns, dtype=str)
    if path.stem in {"alias", "r_squared"}:
        packed[f"{path.stem}__rows"] = np.array(table.index, dtype=str)
np.savez_compressed(Path(__file__).with_name("reference.npz"), **packed)
