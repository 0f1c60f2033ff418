"""Pack what make_manova_reference.R wrote. Usage: python pack.py OUT.csv"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

source = Path(sys.argv[1])
data = pd.read_csv(source)
answers = pd.read_csv(source.with_name(f"{source.stem}_answers.csv"), index_col=0)
np.savez_compressed(
    Path(__file__).with_name("reference.npz"),
    Z=data[["X1", "X2", "X3"]].to_numpy(),
    group=data["group"].to_numpy(),
    x=data["x"].to_numpy(),
    plain=answers.loc["plain"].to_numpy(dtype=float),
    given=answers.loc["given"].to_numpy(dtype=float),
)
