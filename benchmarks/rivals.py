"""The field's R packages on the same data in the same run, where Rscript has them."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

import latentadj as la
from benchmarks.measure import Row, cpu_ms
from benchmarks.regression import moderated_p
from benchmarks.surrogate import study

SCRIPT = Path(__file__).with_name("rivals.R")
SIZES = ((20_000, 100), (100_000, 200))


def rscript() -> str | None:
    """Path of an Rscript that has sva and limma, or None."""
    found = shutil.which("Rscript")
    if found is None:
        return None
    test = "quit(status = !(requireNamespace('sva', quietly = TRUE) && requireNamespace('limma', quietly = TRUE)))"
    done = subprocess.run([found, "-e", test], capture_output=True, check=False)
    return found if done.returncode == 0 else None


def rows(repeats: int, *, slow: bool = False) -> list[Row]:
    """Time limma, sva and (slow) num.sv, warm, and ours on the same numbers."""
    executable = rscript()
    if executable is None:
        return []
    out = []
    for n_features, n_samples in SIZES if slow else SIZES[:1]:
        out += _size(executable, n_features, n_samples, repeats, slow)
    return out


def _size(executable: str, m: int, n: int, repeats: int, slow: bool) -> list[Row]:
    X, y = study(m, n)
    design = la.Design.from_arrays(y)
    sva = la.SVA(n_factors=5, max_iter=5, compat="sva")
    work = {
        "limma lmFit + eBayes": lambda: moderated_p(X, design.matrix),
        "sva, 5 rounds": lambda: sva.fit(X, y),
    }
    if slow:
        work["num.sv be, 20 permutations"] = lambda: _rule(X, design)
    theirs, factors = _run(executable, X, y, list(work))
    _agree(sva.fit(X, y).factors_, factors)
    with threadpool_limits(1), la.pass_options(n_threads=1):
        ours = {name: float(np.median([cpu_ms(f) for _ in range(repeats)])) for name, f in work.items()}
    return [Row(f"{name}, {m:,} x {n}", "R, warm", ours[name], theirs[name], "", True) for name in work]


def _rule(X: np.ndarray, design: la.Design) -> object:
    from latentadj.core.matrix import ArrayMatrix
    from latentadj.problem import AdjustmentProblem

    problem = AdjustmentProblem(ArrayMatrix(X), design)
    return la.ParallelAnalysis(scale=None).select(problem, 20, np.random.default_rng(0))


def _run(executable: str, X: np.ndarray, y: np.ndarray, names: list[str]) -> tuple[dict[str, float], np.ndarray]:
    with tempfile.TemporaryDirectory() as folder:
        X.tofile(Path(folder) / "x.f64")
        y.tofile(Path(folder) / "y.f64")
        command = [executable, str(SCRIPT), folder, str(X.shape[1]), str(X.shape[0]), str(len(names))]
        env = {"OPENBLAS_NUM_THREADS": "1", "PATH": "/usr/local/bin:/usr/bin:/bin"}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
        factors = np.fromfile(Path(folder) / "sv.f64").reshape(5, -1).T
    times = [1e3 * float(v) for v in done.stdout.split()[-len(names) :]]
    return dict(zip(names, times, strict=True)), factors


def _agree(ours: np.ndarray, theirs: np.ndarray) -> None:
    signs = np.sign(np.sum(ours * theirs, axis=0))
    np.testing.assert_allclose(ours * signs, theirs, atol=1e-6)
