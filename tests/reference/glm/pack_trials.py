"""Pack what make_trials.R wrote into trials.npz.

Call: python pack_trials.py DIRECTORY_WITH_THE_CSV_FILES
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

source = Path(sys.argv[1])
data = pd.read_csv(source / "successes.csv", index_col=0).to_numpy(dtype=float)
fits = pd.read_csv(source / "trials.csv").to_numpy(dtype=float)
np.savez_compressed(
    Path(__file__).parent / "trials.npz",
    x=data[0],
    group=data[1],
    trials=data[2:14].T,
    successes=data[14:26].T,
    coef=fits[:, :3],
    unscaled=fits[:, 3:12].reshape(-1, 3, 3),
    deviance=fits[:, 12],
    pearson=fits[:, 13],
    rise_x=fits[:, 14],
    rise_both=fits[:, 15],
)
