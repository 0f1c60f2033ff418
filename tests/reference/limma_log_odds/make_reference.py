"""Write ``log_odds.npz``: limma's log-odds for the data sets of the test suite and for edge cases.

Usage, from the root of the repository: ``python -m tests.reference.limma_log_odds.make_reference``. Needs
Rscript with limma on the path.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np

from tests.reference_data import bladder_reference, sim1, sim2

HERE = Path(__file__).resolve().parent
N_ROWS = 300


def data_sets() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    bladder = bladder_reference()
    cancer = bladder.sample_data["cancer"]
    dummies = [np.ones(len(cancer)), cancer == "Cancer", cancer == "Normal"]
    found = {"bladder": (bladder.X, np.column_stack(dummies).astype(float))}
    for name, data in {"sim1": sim1(), "sim2": sim2()}.items():
        known = data.sample_data[["x", "age"]].to_numpy(float)
        found[name] = (data.X, np.column_stack([np.ones(len(known)), known]))
    return found


def edge_cases() -> dict[str, np.ndarray]:
    """Name -> columns coef, unscaled, sigma, df."""
    rng = np.random.default_rng(20240502)

    def draw(m: int, df: object, d0: float, share: float = 0.1, effect: float = 2.0, scale: float = 1.0):
        df = np.broadcast_to(np.asarray(df, float), m)
        s2 = np.full(m, scale) if np.isinf(d0) else scale * d0 / rng.chisquare(d0, m)
        u = rng.uniform(0.2, 0.6, m)
        true = effect * np.sqrt(scale) * rng.normal(size=m) * (rng.random(m) < share)
        coef = true + u * np.sqrt(s2) * rng.normal(size=m)
        return np.column_stack([coef, u, np.sqrt(s2 * rng.chisquare(df) / df), df])

    mixed = np.array([2.0, 4.0, 9.0, 30.0])
    cases = {
        "plain": draw(500, 6, 5),
        "one_target": draw(7, 6, 5, share=0.5),
        "no_effects": draw(400, 8, 6, share=0.0),
        "mixed_df": draw(400, rng.choice(mixed, 400), 4),
        "tiny_units": draw(400, 6, 5, scale=1e-8),
        "large_units": draw(400, 6, 5, scale=1e8),
        "strong": draw(300, 40, 60, effect=40.0),
        "large_prior": draw(300, 60, np.inf),
    }
    extreme = draw(300, rng.choice([300.0, 500.0], 300), 200)
    extreme[:20, 0] *= 1e4
    cases["p_underflows_mixed_df"] = extreme
    equal = draw(300, 60, np.inf)
    equal[:, 2] = 1.0
    cases["infinite_prior"] = equal
    cases["missing"] = draw(400, 6, 5)
    cases["missing"][::7, :2] = np.nan
    return cases


def read(path: Path) -> np.ndarray:
    return np.genfromtxt(path, delimiter=",", ndmin=2, missing_values="NA")


def main() -> None:
    stored: dict[str, np.ndarray] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        sets, cases = data_sets(), edge_cases()
        for name, (X, design) in sets.items():
            np.savetxt(folder / f"{name}.expr", X.T, fmt="%.17g", delimiter=",")
            np.savetxt(folder / f"{name}.design", design, fmt="%.17g", delimiter=",")
        for name, table in cases.items():
            np.savetxt(folder / f"{name}.csv", table, fmt="%.17g", delimiter=",")
        subprocess.run(["Rscript", str(HERE / "log_odds.R"), str(folder)], check=True)
        for name, (_, design) in sets.items():
            stored[f"{name}_design"] = design
            stored[f"{name}_lods"] = read(folder / f"{name}.lods")[:N_ROWS]
        for name, table in cases.items():
            answers = np.column_stack([table[:, 1], read(folder / f"{name}.out")])
            stored[f"case_{name}"] = answers
    np.savez_compressed(HERE / "log_odds.npz", **stored)


if __name__ == "__main__":
    main()
