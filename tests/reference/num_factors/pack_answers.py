"""Pack the answers of sva (make_be.R) and cate into answers.npz: python pack_answers.py BE.csv SCALARS_DIR.

SCALARS_DIR holds NAME.scalars.csv (columns key, i, value) written by a driver that calls cate; see README.md.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

STUDIES = {"sim1": "sim1", "sim2": "sim2", "bladder": "bladderbatch"}
KEYS = {"ed": "cate.est.confounder.num.ed", "ed_nuisance": "cate.est.factor.num.ed"}

be = pd.read_csv(sys.argv[1])
arrays = {f"{key}__be": group["value"].to_numpy(np.int64) for key, group in be.groupby("key")}
for study, name in STUDIES.items():
    scalars = pd.read_csv(Path(sys.argv[2]) / f"{name}.scalars.csv").set_index("key")["value"]
    arrays |= {f"{study}__{ours}": np.array([int(scalars[key])]) for ours, key in KEYS.items()}
np.savez_compressed(Path(__file__).with_name("answers.npz"), **arrays)
