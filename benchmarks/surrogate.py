"""Factor methods and number rules against Gram passes at BLAS speed."""

from __future__ import annotations

import numpy as np
from scipy.linalg.blas import dsyrk

import latentadj as la
from benchmarks.measure import Case


def study(n_features: int, n_samples: int, k: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Hidden factors associated with two groups, 5 % true effects."""
    rng = np.random.default_rng(1)
    y = (np.arange(n_samples) % 8 < 4).astype(float)
    Z = rng.standard_normal((n_samples, k)) + 0.5 * y[:, None]
    effects = np.where(rng.random(n_features) < 0.05, rng.standard_normal(n_features), 0.0)
    noise = rng.standard_normal((n_samples, n_features)) / np.sqrt(rng.gamma(4, 1 / 4, n_features))
    return Z @ rng.standard_normal((k, n_features)) + np.outer(y, effects) + noise + 7, y


def gram_passes(X: np.ndarray, count: int) -> None:
    """Form the Gram matrix of the samples `count` times by one BLAS call each."""
    for _ in range(count):
        dsyrk(1.0, X.T, trans=1)


def cases(n_features: int = 20_000, n_samples: int = 100) -> list[Case]:
    """SVA, CATE and parallel analysis."""
    X, y = study(n_features, n_samples)
    X = np.ascontiguousarray(X)
    size = f"{n_features:,} x {n_samples}"
    sva = la.SVA(n_factors=5, max_iter=5, compat="sva")
    cate = la.CATE(n_factors=5)
    design = la.Design.from_arrays(y)

    def estimate(method: la.LatentFactorEstimator) -> object:
        """Factors only: no number rules, no refit."""
        from latentadj.core.matrix import ArrayMatrix

        problem = method.make_problem(ArrayMatrix(X), design, None)
        return method._estimate_factors(problem, 5, np.random.default_rng(0))

    def rule() -> object:
        from latentadj.core.matrix import ArrayMatrix

        problem = sva.make_problem(ArrayMatrix(X), design, None)
        return la.ParallelAnalysis().select(problem, 20, np.random.default_rng(0))

    return [
        Case(
            f"IRW-SVA, 5 rounds, {size}",
            "5 Gram passes",
            lambda: estimate(sva),
            lambda: gram_passes(X, 5),
            max_multiple=4,
        ),
        Case(f"CATE, {size}", "5 Gram passes", lambda: estimate(cate), lambda: gram_passes(X, 5)),
        Case(f"parallel analysis, 20 permutations, {size}", "20 Gram passes", rule, lambda: gram_passes(X, 20)),
    ]
