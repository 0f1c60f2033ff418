"""Make ``reference.npz``: a small simulated study and what ``snm.R`` says of it.

Usage, from the root of the repository: ``python tests/reference/snm/make_reference.py`` with Rscript and lme4.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).resolve().parent
FEATURES, KEPT = 600, 120


def study() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Twelve samples with curves in the intensity that follow the biology, two batches, 10 per cent true effects."""
    rng = np.random.default_rng(20)
    x, batch = np.repeat([0.0, 1.0], 6), np.tile([0.0, 1.0], 6)
    level = rng.uniform(4.0, 14.0, FEATURES)
    effects = np.where(np.arange(FEATURES) % 10 == 0, rng.normal(1.0, 0.5, FEATURES), 0.0)
    clean = level + np.outer(x, effects) + np.outer(batch, rng.normal(0.0, 0.3, FEATURES))
    slopes, bends = rng.normal(0.0, 0.5, (12, 1)) + 0.3 * x[:, None], rng.normal(0.0, 0.3, (12, 1))
    curves = rng.normal(0.0, 0.5, (12, 1)) + slopes * (clean - 9.0) / 5.0 + bends * ((clean - 9.0) / 5.0) ** 2
    values = np.round(clean + curves + 0.2 * rng.normal(size=clean.shape), 5)
    return pd.DataFrame(values).add_prefix("g"), pd.DataFrame({"x": x, "batch": batch})


def main(folder: Path) -> None:
    """Write ``reference.npz`` beside this file."""
    values, samples = study()
    values.to_csv(folder / "values.csv", index=False)
    samples.to_csv(folder / "samples.csv", index=False)
    kept = {"values": values.to_numpy(), "x": samples["x"].to_numpy(), "batch": samples["batch"].to_numpy()}
    for name, n_iter, evaluations in (("one", 1, 20000), ("three", 3, 20000), ("three_stopped", 3, 1000)):
        prefix = folder / name
        arguments = [folder / "values.csv", folder / "samples.csv", n_iter, evaluations, prefix]
        subprocess.run(["Rscript", str(HERE / "snm.R"), *map(str, arguments)], check=True)
        features, rounds = pd.read_csv(f"{prefix}_features.csv"), pd.read_csv(f"{prefix}_rounds.csv")
        kept[f"{name}__normalised"] = pd.read_csv(f"{prefix}_values.csv").to_numpy()[:, :KEPT]
        kept[f"{name}__p"], kept[f"{name}__null"] = features["p"].to_numpy(), features["null"].to_numpy() == 1
        kept[f"{name}__criterion"], kept[f"{name}__share"] = rounds["criterion"], rounds["share"]
    np.savez_compressed(HERE / "reference.npz", **kept)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        main(Path(made))
