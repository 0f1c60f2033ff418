"""Pack further answers of the reference packages into rules.npz: python pack_rules.py SCALARS_DIR.

SCALARS_DIR holds NAME.scalars.csv (columns key, i, value) written by a driver that calls the packages; see README.md.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

STUDIES = {"sim1": "sim1", "sim2": "sim2", "bladder": "bladderbatch"}
KEYS = {
    "getK": "ruv.getK.k",
    "getK_cutoff": "ruv.getK.cutoff",
    "getK_ratios": "ruv.getK.sizeratios",
    "rmt": "isva.EstDimRMT",
    "elbow": "PCAForQTL.elbow",
    "choosek": "CorrConf.ChooseK",
    "bcv": "cate.est.confounder.num.bcv",
    "bcv_errors": "cate.bcv.errors",
}

arrays = {}
for study, name in STUDIES.items():
    scalars = pd.read_csv(Path(sys.argv[1]) / f"{name}.scalars.csv")
    for ours, key in KEYS.items():
        rows = scalars[scalars["key"] == key].sort_values("i", key=lambda i: i.astype(int))
        arrays[f"{study}__{ours}"] = rows["value"].to_numpy(np.float64)
np.savez_compressed(Path(__file__).with_name("rules.npz"), **arrays)
