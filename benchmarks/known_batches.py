"""Known batches against Python's ComBat packages and R: `python -m benchmarks.known_batches --peers PYTHON`.

PYTHON is an interpreter that has some of the packages of `batch_rivals`; they need other versions of NumPy than we do,
so ours and theirs run in processes of their own, one after the other, on the same file, with one thread. R needs sva
and limma.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

import latentadj as la
from benchmarks.batch_rivals import PACKAGES
from benchmarks.measure import COLUMNS, Row, cpu_ms, line
from benchmarks.rivals import rscript
from latentadj.samples import duplicate_correlation

HERE = Path(__file__).parent
PARAMETRIC_SIZE, N_BATCHES = (20_000, 500), 5
NONPARAMETRIC_SIZE, BLOCK_SIZE = (2_000, 60), (20_000, 100)
#: Packages whose answer is that of R; the others differ, and their difference is shown.
AS_R = {"pycombat": 1e-10, "combaters": 1e-10, "neuroCombat": 1e-10, "neuroHarmonize": 1e-10}
ONE_THREAD = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS"), "1"
)


def study(n_features: int, n_samples: int, n_batches: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Batches with shifts and spreads of their own, and one covariate of two levels with an effect."""
    rng = np.random.default_rng(0)
    codes = rng.permutation(np.arange(n_samples) % n_batches)
    x = rng.permutation(np.arange(n_samples) % 2).astype(np.float64)
    shift = rng.normal(size=(n_batches, n_features))
    spread = rng.uniform(0.5, 1.5, size=(n_batches, n_features))
    X = 8.0 + shift[codes] + np.outer(x, 0.2 * rng.normal(size=n_features))
    X += spread[codes] * rng.normal(size=X.shape)
    return X, codes, x


def python_rows(peers: str, repeats: int) -> Iterator[Row]:
    """Parametric ComBat of every package that `peers` can import beside ours, R's numbers checked first."""
    X, codes, x = study(*PARAMETRIC_SIZE, N_BATCHES)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part, values in (("x", X), ("codes", codes), ("covariate", x)):
            np.save(folder / f"{part}.npy", values)
        _timed(sys.executable, "latentadj_as_r", folder, 1)
        exact = np.load(folder / "latentadj_as_r.npy")
        for package in [p for p in PACKAGES if not p.startswith("latentadj")]:
            ours = _timed(sys.executable, "latentadj", folder, repeats)
            theirs = _timed(peers, package, folder, repeats)
            if ours is None or theirs is None:
                continue
            off = float(np.abs(np.load(folder / f"{package}.npy") - exact).max())
            if off > AS_R.get(package, np.inf):
                raise AssertionError(f"{package} differs by {off}")
            size = "{:,} x {}".format(*PARAMETRIC_SIZE)
            against = f"{package} (differs by {off:.1g})"
            yield Row(f"ComBat, parametric, {size}, {N_BATCHES} batches", against, ours, theirs, "< 1", ours < theirs)


def r_rows(executable: str) -> Iterator[Row]:
    """sva's ComBat and limma's duplicateCorrelation, once each: they take most of a minute."""
    m, n = BLOCK_SIZE
    X, codes, x = study(m, n, 5)
    yield _r_row(executable, "combat", f"ComBat, parametric, {m:,} x {n}, 5 batches", _combat(X, codes, x, True), 1)
    m, n = NONPARAMETRIC_SIZE
    X, codes, x = study(m, n, 3)
    work = _combat(X, codes, x, False)
    yield _r_row(executable, "combat_nonparametric", f"ComBat, non-parametric, {m:,} x {n}, 3 batches", work, 20)
    m, n = BLOCK_SIZE
    problem = _blocks(m, n)
    title = f"duplicate_correlation, {m:,} x {n}, {n // 2} pairs"
    yield _r_row(executable, "duplicate_correlation", title, problem, 30)


Problem = tuple[np.ndarray, np.ndarray, np.ndarray, Callable[[], np.ndarray]]


def _combat(X: np.ndarray, codes: np.ndarray, x: np.ndarray, parametric: bool) -> Problem:
    combat = la.ComBat(parametric=parametric, compat="combat-r")
    return X, codes, x, lambda: combat.fit_transform(X, batch=codes, covariates=x)


def _blocks(n_features: int, n_samples: int) -> Problem:
    """Pairs of one sample before and one after, where limma's scoring converges."""
    rng = np.random.default_rng(0)
    pairs, x = np.repeat(np.arange(n_samples // 2), 2), np.tile([0.0, 1.0], n_samples // 2)
    X = 8.0 + 0.7 * rng.normal(size=(n_samples // 2, n_features))[pairs] + rng.normal(size=(n_samples, n_features))

    def work() -> np.ndarray:
        found = duplicate_correlation(X, x, pairs)
        return np.r_[found.consensus, found.correlation]

    return X, pairs, x, work


def _r_row(executable: str, name: str, title: str, problem: Problem, faster: float, repeats: int = 5) -> Row:
    X, codes, x, work = problem
    theirs, answer = _run_r(executable, name, X, codes, x)
    with threadpool_limits(1), la.pass_options(n_threads=1):
        np.testing.assert_allclose(work().ravel(), answer, rtol=0, atol=1e-8)
        ours = float(np.median([cpu_ms(work) for _ in range(repeats)]))
    return Row(title, "R, once", ours, theirs, f"<= 1/{faster:g}", theirs >= faster * ours)


def _timed(python: str, package: str, folder: Path, repeats: int) -> float | None:
    """Median CPU milliseconds of a package in a process of its own; None where it is missing or fails."""
    command = [python, str(HERE / "batch_rivals.py"), package, str(folder), str(repeats)]
    env = os.environ | ONE_THREAD | ({"PYTHONPATH": str(HERE.parent)} if package.startswith("latentadj") else {})
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    if done.returncode:
        print(f"{package}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return None
    return 1e3 * float(np.median([float(s) for s in done.stdout.rsplit("cpu ", 1)[1].split()]))


def _run_r(executable: str, name: str, X: np.ndarray, codes: np.ndarray, x: np.ndarray) -> tuple[float, np.ndarray]:
    with tempfile.TemporaryDirectory() as folder:
        X.tofile(Path(folder) / "x.f64")
        codes.astype(np.int32).tofile(Path(folder) / "codes.i32")
        x.tofile(Path(folder) / "covariate.f64")
        command = [executable, str(HERE / "known_batches.R"), folder, str(X.shape[1]), str(X.shape[0]), name]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | ONE_THREAD)
        return 1e3 * float(done.stdout.split("\t")[1]), np.fromfile(Path(folder) / f"{name}.f64")


def rows(peers: str | None, repeats: int) -> Iterator[Row]:
    """Every comparison that can be made here."""
    if peers is not None:
        yield from python_rows(peers, repeats)
    executable = rscript()
    if executable is not None:
        yield from r_rows(executable)


def main() -> int:
    """Print the table; exit status 1 if a limit is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.known_batches", description=__doc__.splitlines()[0])
    parser.add_argument("--peers", help="a Python interpreter with the packages to compare with")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    print("| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS), sep="\n")
    kept = True
    for row in rows(options.peers, options.repeats):
        print(line(row), flush=True)
        kept &= row.kept
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
