"""A small study in files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from latentadj.data import Dataset


@pytest.fixture(scope="session")
def study() -> Dataset:
    """24 samples x 120 features, one hidden factor associated with the groups, 20 negative controls."""
    rng = np.random.default_rng(7)
    ids = [f"s{i:02d}" for i in range(24)]
    group = np.repeat([0.0, 1.0], 12)
    hidden = group + rng.normal(size=24)
    effects = np.zeros(120)
    effects[:12] = 2.0
    values = np.outer(hidden, rng.normal(size=120)) + np.outer(group, effects) + 0.5 * rng.normal(size=(24, 120))
    X = pd.DataFrame(values, index=ids, columns=[f"g{j:03d}" for j in range(120)])
    table = pd.DataFrame(
        {
            "group": np.where(group > 0, "case", "ctrl"),
            "age": rng.uniform(20, 70, 24).round(1),
            "day": np.where(hidden > np.median(hidden), "late", "early"),
        },
        index=pd.Index(ids, name="sample"),
    )
    return Dataset("small", X, table, tuple(X.columns[100:]), "simulated")


@pytest.fixture
def files(study: Dataset, tmp_path: Path) -> Path:
    """Folder with matrix.csv, samples.csv and controls.txt."""
    folder = tmp_path / "input"
    folder.mkdir()
    study.X.to_csv(folder / "matrix.csv")
    study.sample_data.to_csv(folder / "samples.csv")
    (folder / "controls.txt").write_text("\n".join(study.controls) + "\n")
    return folder


@pytest.fixture
def arguments(files: Path, tmp_path: Path) -> list[str]:
    """``fit`` on that study, without a report, into a folder that is not there yet."""
    return [
        "fit",
        str(files / "matrix.csv"),
        "--samples",
        str(files / "samples.csv"),
        "--formula",
        "~ group | age",
        "--out",
        str(tmp_path / "out"),
        "--no-report",
        "--threads",
        "1",
    ]
