"""Make ``edges.npz``: a small simulated study and what R says of it (``edges.R``).

Usage, from the root of the repository: ``python tests/reference/batch/make_edges.py`` with Rscript, sva and limma.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).resolve().parent


def study() -> tuple[np.ndarray, pd.DataFrame]:
    """Return values in thousandths (features x samples; the last ten features with gaps) and the samples."""
    rng = np.random.default_rng(20)
    batch = np.repeat(["a", "b", "c"], [6, 7, 5])
    samples = pd.DataFrame({"batch": batch, "single": batch, "second": np.tile(["u", "v"], 9), "x": np.arange(18) % 4})
    samples.loc[17, "single"] = "d"
    codes = np.unique(batch, return_inverse=True)[1]
    shift, spread = rng.normal(size=(50, 3)), rng.uniform(0.5, 2.0, size=(50, 3))
    values = 6 + 0.3 * samples["x"].to_numpy() + shift[:, codes] + spread[:, codes] * rng.normal(size=(50, 18))
    values = np.round(values, 3)
    for row, column in zip(range(40, 50), (0, 3, 7, 8, 12, 13, 14, 1, 9, 16), strict=True):
        values[row, [column, (column + 5) % 17]] = np.nan
    return values, samples


def main() -> None:
    """Write the study, run R, and pack the answers."""
    values, samples = study()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        pd.DataFrame(values).to_csv(path / "values.csv", header=False, index=False, na_rep="NA")
        samples.to_csv(path / "samples.csv", index=False)
        subprocess.run(["Rscript", str(HERE / "edges.R"), folder], check=True)
        answers = {
            file.stem: pd.read_csv(file, header=None, skipinitialspace=True).to_numpy(dtype=float)
            for file in sorted(path.glob("*.csv"))
            if file.stem not in {"values", "samples"}
        }
    columns = {f"sample__{name}": samples[name].to_numpy().astype("U1" if name != "x" else float) for name in samples}
    np.savez_compressed(HERE / "edges.npz", values=values, **columns, **answers)


if __name__ == "__main__":
    main()
