"""The field's R packages on the same data in the same run, where Rscript has them."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

import latentadj as la
from benchmarks.measure import Row, cpu_ms
from benchmarks.regression import moderated_p
from benchmarks.surrogate import study
from latentadj.core.expectation_maximization import maximum_likelihood
from latentadj.core.matrix import ArrayMatrix
from latentadj.core.qvalue import q_values
from latentadj.factors.random_scores import unit_scores
from latentadj.problem import AdjustmentProblem

SCRIPT = Path(__file__).with_name("rivals.R")
SIZES = ((20_000, 100), (100_000, 200))
COUNT_SIZE = (5_000, 40)


def rscript() -> str | None:
    """Path of an Rscript that has sva and limma, or None."""
    found = shutil.which("Rscript")
    return found if found is not None and _has(found, "sva") and _has(found, "limma") else None


def _has(executable: str, package: str) -> bool:
    test = f"quit(status = !requireNamespace('{package}', quietly = TRUE))"
    return subprocess.run([executable, "-e", test], capture_output=True, check=False).returncode == 0


def rows(repeats: int, *, slow: bool = False) -> list[Row]:
    """Time R, warm, and ours on the same numbers; with `slow` more functions, and the larger size."""
    executable = rscript()
    if executable is None:
        return []
    out = _gaussian(executable, *SIZES[0], repeats, slow)
    if slow:
        out += _gaussian(executable, *SIZES[1], repeats, slow=False)
    return out + (_counts(executable, repeats) if slow and _has(executable, "edgeR") else [])


def _gaussian(executable: str, m: int, n: int, repeats: int, slow: bool) -> list[Row]:
    X, y = study(m, n)
    work = _work(X, y, slow)
    if "qvalue" in work and not _has(executable, "qvalue"):
        del work["qvalue"]
    theirs, factors = _run(executable, X, y, list(work))
    _agree(la.SVA(n_factors=5, max_iter=5, compat="sva").fit(X, y).factors_, factors)
    return _rows(work, theirs, m, n, repeats)


def _work(X: np.ndarray, y: np.ndarray, slow: bool) -> dict[str, Callable[[], object]]:
    """Our counterpart of each function of the R script."""
    design, m = la.Design.from_arrays(y), X.shape[1]
    sva = la.SVA(n_factors=5, max_iter=5, compat="sva")
    work: dict[str, Callable[[], object]] = {
        "limma": lambda: moderated_p(X, design.matrix),
        "sva": lambda: sva.fit(X, y),
        "fa_ml": lambda: factor_analysis(X, design),
    }
    if slow:
        half, soft = len(y) // 2, np.resize([1.0, 0.0], m)
        counts, p = np.exp(X - X.min()), np.random.default_rng(0).uniform(size=m)
        frozen = la.FrozenSVA(la.SVA(n_factors=5, max_iter=5, compat="sva"), rule="fast").fit(X[:half], y[:half])
        exact = la.FrozenSVA(la.SVA(n_factors=5, max_iter=5, compat="sva"), rule="exact").fit(X[:half], y[:half])
        work |= {
            "sva_two_step": lambda: la.TwoStepSVA(n_factors=5, compat="sva").fit(X, y),
            "supervised_sva": lambda: la.SupervisedSVA(n_factors=5, controls=soft > 0).fit(X, y),
            "svaseq": lambda: la.SVASeq(n_factors=5, scale="log1p", max_iter=5, compat="sva").fit(counts, y),
            "fsva_fast": lambda: frozen.transform(X[half:]),
            "fsva_exact": lambda: exact.transform(X[half : half + 10]),
            "num.sv_be": lambda: la.ParallelAnalysis(scale=None).select(_problem(X, design), 20, _rng()),
            "num.sv_leek": lambda: la.Leek(scale=None).select(_problem(X, design), 20, _rng()),
            "qvalue": lambda: q_values(p),
        }
    return work


def factor_analysis(X: np.ndarray, design: la.Design, k: int = 5) -> object:
    """Maximum likelihood by EM from principal components, to a relative change of the likelihood of 1e-6."""
    problem = _problem(X, design)
    complement = problem.basis.complement()
    scores = unit_scores(problem.spectrum.vectors[:, :k], complement)
    return maximum_likelihood(problem.matrix, scores, complement=complement, tss=problem.sums.rss, lagged_variance=True)


def _counts(executable: str, repeats: int) -> list[Row]:
    m, n = COUNT_SIZE
    rng = np.random.default_rng(0)
    y = np.repeat([0.0, 1.0], n // 2)
    counts = rng.negative_binomial(5, 5 / (5 + np.exp(4 + rng.normal(size=m))), size=(n, m)).astype(float)
    design = la.Design.from_arrays(y)
    model = la.GLMModel("negative_binomial")

    def fit() -> object:
        return la.adjust(counts, design, method=la.NoFactors(model=model), inference="moderated")

    theirs, _ = _run(executable, counts, y, ["edgeR"])
    return _rows({"edgeR": fit}, theirs, m, n, repeats)


def _rows(work: dict[str, Callable[[], object]], theirs: dict[str, float], m: int, n: int, repeats: int) -> list[Row]:
    with threadpool_limits(1), la.pass_options(n_threads=1):
        for function in work.values():
            function()
        ours = {name: float(np.median([cpu_ms(f) for _ in range(repeats)])) for name, f in work.items()}
    return [
        Row(f"{name}, {m:,} x {n}", "R, warm", ours[name], theirs[name], "< 1", ours[name] < theirs[name])
        for name in work
    ]


def _problem(X: np.ndarray, design: la.Design) -> AdjustmentProblem:
    return AdjustmentProblem(ArrayMatrix(X), design)


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


def _run(executable: str, X: np.ndarray, y: np.ndarray, names: list[str]) -> tuple[dict[str, float], np.ndarray]:
    """Milliseconds of each R function, and sva's surrogate variables where sva was asked for."""
    with tempfile.TemporaryDirectory() as folder:
        X.tofile(Path(folder) / "x.f64")
        y.astype(float).tofile(Path(folder) / "y.f64")
        command = [executable, str(SCRIPT), folder, str(X.shape[1]), str(X.shape[0]), *names]
        env = {"OPENBLAS_NUM_THREADS": "1", "PATH": "/usr/local/bin:/usr/bin:/bin"}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
        written = Path(folder) / "sv.f64"
        factors = np.fromfile(written).reshape(5, -1).T if written.exists() else np.empty((0, 0))
    lines = [line.split("\t") for line in done.stdout.splitlines() if "\t" in line]
    return {name: 1e3 * float(seconds) for name, seconds in lines}, factors


def _agree(ours: np.ndarray, theirs: np.ndarray) -> None:
    signs = np.sign(np.sum(ours * theirs, axis=0))
    np.testing.assert_allclose(ours * signs, theirs, atol=1e-6)
