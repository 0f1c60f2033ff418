"""Make ``two_step.npz``: a study in which two-step SVA drops a component that is not the last one.

Usage, from the root of the repository: ``python tests/reference/sva/make_two_step.py`` (needs Rscript with sva).
Of three hidden factors one is strong but drives eight features only, fewer than the 20 samples, so that its
component is dropped. The package then compares the next feature set with the component that was dropped.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
N_SAMPLES, N_FEATURES, MICRO = 20, 240, 1_000_000


def study() -> tuple[np.ndarray, np.ndarray]:
    """Return the data in integer millionths, samples x features, and the primary variable."""
    rng = np.random.default_rng(11)
    x = np.repeat([0.0, 1.0], N_SAMPLES // 2)
    factors = rng.normal(size=(N_SAMPLES, 3))
    loadings = np.zeros((N_FEATURES, 3))
    loadings[:8, 0] = rng.normal(size=8) * 12
    loadings[8:110, 1] = rng.normal(size=102) * 2.2
    loadings[90:220, 2] = rng.normal(size=130) * 1.5
    effects = np.zeros(N_FEATURES)
    effects[::12] = 1
    noise = 0.6 * rng.normal(size=(N_SAMPLES, N_FEATURES))
    values = np.outer(x, effects) + factors @ loadings.T + noise + 6
    return np.rint(values * MICRO).astype(np.int32), x


def main() -> None:
    """Run the package on the study and store data and answer."""
    millionths, x = study()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        np.savetxt(folder / "expr.csv", millionths.T / MICRO, fmt="%.6f", delimiter=",")
        np.savetxt(folder / "x.csv", x, fmt="%g")
        subprocess.run(["Rscript", str(HERE / "two_step.R"), str(folder)], check=True)
        answer = np.loadtxt(folder / "sv.csv", delimiter=",")
    np.savez_compressed(HERE / "two_step.npz", millionths=millionths, x=x, sv=answer)


if __name__ == "__main__":
    main()
