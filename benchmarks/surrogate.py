"""Factor methods and number rules against Gram passes at BLAS speed."""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy.linalg.blas import dsyrk

import latentadj as la
from benchmarks.measure import Case
from latentadj.core.leading_directions import residual_directions
from latentadj.core.matrix import ArrayMatrix
from latentadj.core.spectrum import top_eigenvectors
from latentadj.core.surrogate_weights import SurrogateWeighting


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


def estimate(method: la.LatentFactorEstimator, X: np.ndarray, design: la.Design, k: int) -> object:
    """Factors only: no number rules, no refit."""
    problem = method.make_problem(ArrayMatrix(X), design, None)
    return method._estimate_factors(problem, k, np.random.default_rng(0))


def rounds_case(name: str, X: np.ndarray, design: la.Design, k: int, max_multiple: float) -> Case:
    """Five rounds of SVA, as the R package does them, against the Gram passes in them but the first."""
    sva = la.SVA(n_factors=k, max_iter=5, compat="sva")
    name = f"IRW-SVA, 5 rounds, {name}{X.shape[1]:,} x {X.shape[0]}"
    return Case(
        name,
        "5 Gram passes",
        lambda: estimate(sva, X, design, k),
        lambda: gram_passes(X, 5),
        max_multiple=max_multiple,
    )


def bladder() -> tuple[np.ndarray, la.Design]:
    """The bundled study: 57 samples of three kinds."""
    data = la.load_bladder()
    kinds = data.sample_data["cancer"].to_numpy()
    indicators = np.column_stack([(kinds == kind).astype(float) for kind in sorted(set(kinds))[1:]])
    return np.ascontiguousarray(data.X.to_numpy(), dtype=float), la.Design.from_arrays(indicators)


def round_of_many_samples(n_features: int = 20_000, n_samples: int = 2000, k: int = 5) -> Case:
    """One round's factors by block Krylov spaces, against one Gram matrix and its leading eigenvectors."""
    X, y = study(n_features, n_samples)
    problem = la.SVA(n_factors=k).make_problem(ArrayMatrix(np.ascontiguousarray(X)), la.Design.from_arrays(y), None)
    weighting = SurrogateWeighting(problem.matrix, problem.basis, problem.n_nuisance, problem.sums, old_coords=True)
    start = residual_directions(problem.matrix, problem.basis.q, problem.sums, k)
    before = weighting.factors(weighting.weigh(start).weights, k, start)
    weights = weighting.weigh(before).weights

    def dense() -> np.ndarray:
        return top_eigenvectors(dsyrk(1.0, problem.matrix.values.T, trans=1, lower=1), k)

    def check() -> None:
        expected = top_eigenvectors(weighting.gram(weights), k)
        found = weighting.factors(weights, k, before)
        np.testing.assert_allclose(found * np.sign((found * expected).sum(axis=0)), expected, rtol=0, atol=1e-6)

    name = f"SVA, factors of one round, {n_features:,} x {n_samples}"
    ours = partial(weighting.factors, weights, k, before)
    return Case(name, "Gram + eigenvectors", ours, dense, max_multiple=0.7, check=check)


def cases(n_features: int = 20_000, n_samples: int = 100) -> list[Case]:
    """SVA, CATE and parallel analysis."""
    X, y = study(n_features, n_samples)
    X = np.ascontiguousarray(X)
    size = f"{n_features:,} x {n_samples}"
    cate = la.CATE(n_factors=5)
    design = la.Design.from_arrays(y)

    def rule() -> object:
        problem = cate.make_problem(ArrayMatrix(X), design, None)
        return la.ParallelAnalysis().select(problem, 20, np.random.default_rng(0))

    return [
        rounds_case("bladder, ", *bladder(), k=2, max_multiple=7),
        rounds_case("", X, design, 5, max_multiple=4),
        Case(f"CATE, {size}", "5 Gram passes", lambda: estimate(cate, X, design, 5), lambda: gram_passes(X, 5)),
        Case(f"parallel analysis, 20 permutations, {size}", "20 Gram passes", rule, lambda: gram_passes(X, 20)),
    ]


def large_cases(n_features: int = 100_000, n_samples: int = 200) -> list[Case]:
    """Sizes that take seconds."""
    X, y = study(n_features, n_samples)
    rounds = rounds_case("", np.ascontiguousarray(X), la.Design.from_arrays(y), 5, max_multiple=2.5)
    return [rounds, round_of_many_samples()]
