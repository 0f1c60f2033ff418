"""Factor analysis by maximum likelihood: to the reference's tolerance, and to convergence with and without expansion.

Run as ``python -m benchmarks.factor_analysis``; the other side is one pass for the Gram matrix that the start needs.
R's side of the first case is ``fa_ml`` in `benchmarks.rivals`.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np

import latentadj as la
from benchmarks.measure import COLUMNS, Case, line, measure
from benchmarks.surrogate import gram_passes, study
from latentadj.core.expectation_maximization import maximum_likelihood
from latentadj.core.factor_analysis import FactorModel
from latentadj.core.matrix import ArrayMatrix
from latentadj.factors.random_scores import unit_scores
from latentadj.problem import AdjustmentProblem

#: Rounds that the expanded algorithm may take to a relative change of the likelihood of 1e-13.
MOST_ROUNDS = 15
#: How far one more round, with a tolerance of 0, may move a log noise variance after it.
STATIONARY = 1e-5


def fitted(X: np.ndarray, design: la.Design, k: int, tol: float, *, lagged: bool) -> FactorModel:
    """Factor analysis of the residuals from their principal components, with everything that it needs."""
    problem = AdjustmentProblem(ArrayMatrix(X), design)
    complement = problem.basis.complement()
    start = unit_scores(problem.spectrum.vectors[:, :k], complement)
    return maximum_likelihood(
        problem.matrix, start, complement=complement, tss=problem.sums.rss, tol=tol, lagged_variance=lagged
    )


def check_converged(X: np.ndarray, design: la.Design, k: int) -> None:
    """Raise if the expanded algorithm takes too many rounds, or stops where a tighter tolerance still moves it."""
    model, further = (fitted(X, design, k, tol, lagged=False) for tol in (1e-13, 1e-15))
    moved = np.max(np.abs(np.log(model.psi / further.psi)))
    if not model.converged or model.n_iter > MOST_ROUNDS or moved > STATIONARY:
        raise AssertionError(
            f"{model.n_iter} rounds, converged: {model.converged}, noise variances move by {moved:.1e}"
        )


def cases(n_features: int = 20_000, n_samples: int = 100, k: int = 5) -> list[Case]:
    """To the reference's tolerance and to convergence, each against one Gram pass at BLAS speed."""
    X, y = study(n_features, n_samples, k)
    X = np.ascontiguousarray(X)
    design, size = la.Design.from_arrays(y), f"{n_features:,} x {n_samples}, {k} factors"
    return [
        Case(
            f"factor analysis, tol 1e-6, {size}",
            "one Gram pass",
            lambda: fitted(X, design, k, 1e-6, lagged=True),
            lambda: gram_passes(X, 1),
        ),
        Case(
            f"factor analysis, tol 1e-13, {size}",
            "one Gram pass",
            lambda: fitted(X, design, k, 1e-13, lagged=False),
            lambda: gram_passes(X, 1),
            check=lambda: check_converged(X, design, k),
        ),
    ]


def main() -> int:
    """Parse the options, run, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.factor_analysis", description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    print("| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS), sep="\n")
    rows = [measure(case, options.repeats) for case in cases()]
    print(*map(line, rows), sep="\n")
    return 0 if all(row.kept for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
