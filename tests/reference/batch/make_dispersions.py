"""Make ``dispersions.npz``: edgeR's dispersions of simcounts within each batch (``dispersions.R``).

Usage, from the root of the repository: ``python -m tests.reference.batch.make_dispersions`` with Rscript and edgeR. All
features of simcounts have counts in every batch.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from tests.reference_data import simcounts

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Write counts and samples, run R, and pack the answer, batches x features."""
    data = simcounts()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        pd.DataFrame(data.X.T.astype(int)).to_csv(path / "counts.csv", header=False, index=False)
        data.sample_data[["batch", "group"]].to_csv(path / "samples.csv", index=False)
        subprocess.run(["Rscript", str(HERE / "dispersions.R"), folder], check=True)
        answer = pd.read_csv(path / "dispersion.csv", header=None, skipinitialspace=True).to_numpy(dtype=float)
    np.savez_compressed(HERE / "dispersions.npz", dispersion=answer.T)


if __name__ == "__main__":
    main()
