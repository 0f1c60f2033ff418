"""Write ``variance.npz``: inputs and limma's answers for moderated variances.

Usage: ``python make_variance_reference.py DATA GOLDEN``, where DATA/NAME/expr.csv.gz (features x samples) and
samples.csv.gz are the data sets and GOLDEN/NAME.npz holds limma's moderated t and p-values for them. Needs
Rscript with limma on the path.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).resolve().parent
VARIANTS = {"plain": "00", "trend": "10", "robust": "01", "trend_robust": "11"}
N_STATISTICS = 60


def design_of(name: str, samples: pd.DataFrame) -> np.ndarray:
    if name == "bladderbatch":
        dummies = pd.get_dummies(samples["cancer"]).sort_index(axis=1).to_numpy(float)[:, 1:]
        return np.column_stack([np.ones(len(samples)), dummies])
    return np.column_stack([np.ones(len(samples)), samples["x"], samples["age"]])


def data_set(name: str, data: Path, golden: Path) -> tuple[dict[str, np.ndarray], np.ndarray]:
    expression = pd.read_csv(data / name / "expr.csv.gz", index_col=0).to_numpy(float)
    design = design_of(name, pd.read_csv(data / name / "samples.csv.gz", index_col=0))
    q, r = np.linalg.qr(design, mode="complete")
    d = design.shape[1]
    df = len(design) - d
    rotated = expression @ q
    s2 = np.square(rotated[:, d:]).sum(axis=1) / df
    inverse = np.linalg.inv(r[:d])
    stored = {
        f"{name}_s2": s2,
        f"{name}_level": expression.mean(axis=1),
        f"{name}_df": np.array(df),
        f"{name}_coef": (rotated[:N_STATISTICS, :d] @ inverse.T),
        f"{name}_unscaled": np.sqrt(np.square(inverse).sum(axis=1)),
    }
    limma = np.load(golden / f"{name}.npz")
    for variant in VARIANTS:
        for kind in "tp":
            stored[f"{name}_{variant}_{kind}"] = limma[f"limma_{variant}_{kind}"][:N_STATISTICS]
    return stored, np.column_stack([s2, np.full(s2.size, df), expression.mean(axis=1)])


def edge_cases() -> dict[str, np.ndarray]:
    """Name -> columns s2, df, level. Names say what is special."""
    rng = np.random.default_rng(20240501)

    def draw(n: int, df: object, d0: float, wave: float = 0.3) -> np.ndarray:
        level = 3 * rng.normal(size=n)
        df = np.broadcast_to(np.asarray(df, float), n)
        s2 = rng.chisquare(df) / df * np.exp(wave * np.sin(level))
        if np.isfinite(d0):
            s2 = s2 * d0 / rng.chisquare(d0, n)
        return np.column_stack([s2, df, level])

    mixed = np.array([1.0, 2.0, 3.0, 5.0, 8.0, 20.5])
    cases = {f"n{n}": draw(n, 4, 6) for n in (3, 4, 5, 6, 7, 9, 25, 30)}
    cases["one_df"] = draw(90, 1, 1.5)
    cases["mixed_df"] = draw(120, rng.choice(mixed, 120), 2)
    cases["infinite_prior"] = draw(120, 10, np.inf)
    cases["mixed_df_infinite_prior"] = draw(120, rng.choice(mixed, 120), np.inf)
    outliers = draw(120, 10, 12)
    outliers[:6, 0] *= 1e3
    cases["outliers"] = outliers
    extreme = draw(120, 50, 60)
    extreme[:3, 0] *= 1e12
    cases["outlier_tail_underflows"] = extreme
    outliers = draw(120, 10, np.inf)
    outliers[:6, 0] *= 20
    single = draw(120, 6, np.inf, wave=0.0)
    single[:2, 0] *= 30
    cases["infinite_prior_two_outliers"] = single
    mixed_outliers = draw(120, rng.choice(mixed, 120), 5)
    mixed_outliers[:4, 0] *= 200
    cases["mixed_df_outliers"] = mixed_outliers
    cases["outliers_infinite_prior"] = outliers
    tiny = draw(120, 6, 8)
    tiny[:5, 0] *= 1e-14
    cases["tiny_variances"] = tiny
    tied = draw(150, 6, 8)
    tied[:, 2] = np.round(tied[:, 2])
    cases["tied_levels"] = tied
    no_df = draw(90, rng.choice(mixed, 90), 2)
    no_df[[3, 50, 80], :2] = [np.nan, 0.0]
    cases["features_without_df"] = no_df
    return cases


def lowess_inputs() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    x = rng.normal(size=250)
    y = np.sin(2 * x) + 0.2 * rng.standard_t(2, 250)
    return {"smooth": np.column_stack([x, y]), "tied": np.column_stack([np.round(2 * x), y])}


def main(data: Path, golden: Path) -> None:
    stored: dict[str, np.ndarray] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        cases = edge_cases()
        for name, table in cases.items():
            stored[f"case_{name}"] = table
        for name in ("bladderbatch", "sim1", "sim2"):
            extract, cases[name] = data_set(name, data, golden)
            stored |= extract
        for name, table in cases.items():
            np.savetxt(folder / f"{name}.csv", table, fmt="%.17g", delimiter=",")
        for name, table in lowess_inputs().items():
            stored[f"lowess_{name}"] = table
            np.savetxt(folder / f"{name}.lowess", table, fmt="%.17g", delimiter=",")
        subprocess.run(["Rscript", str(HERE / "squeeze_var.R"), str(folder)], check=True)
        for name, table in cases.items():
            rows = np.arange(len(table))
            if len(rows) > 500:  # the first rows and the largest variances, where the robust fit acts
                rows = np.unique(np.concatenate([rows[:150], np.argsort(-table[:, 0])[:150]]))
                stored[f"{name}_rows"] = rows
            for variant, suffix in VARIANTS.items():
                stored[f"{name}_{variant}"] = np.loadtxt(folder / f"{name}.out{suffix}")[rows]
        for name in lowess_inputs():
            stored[f"lowess_{name}_r"] = np.loadtxt(folder / f"{name}.smooth")
    np.savez_compressed(HERE / "variance.npz", **stored)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
