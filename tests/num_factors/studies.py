"""Studies for the tests of the rules: simulated ones with a known number of factors, and the reference data."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.core.matrix import ArrayMatrix
from latentadj.design import Design
from latentadj.problem import AdjustmentProblem
from tests.reference_data import bladder_reference, sim1, sim2


def problem_of(X: NDArray, primary, nuisance=None, *, intercept: bool = True) -> AdjustmentProblem:
    """Problem with a design from arrays."""
    return AdjustmentProblem(ArrayMatrix(X), Design.from_arrays(primary, nuisance, intercept=intercept))


def simulated(n: int, m: int, k: int, seed: int, *, strength: float = 0.7, noise: str = "normal"):
    """Two groups, k factors correlated with the group, unequal noise variances, effects in a tenth."""
    rng = np.random.default_rng(seed)
    group = np.arange(n) % 2.0
    scores = rng.normal(size=(n, k)) + 0.5 * (2 * group - 1)[:, None]
    errors = rng.standard_t(5, size=(n, m)) if noise == "t" else rng.normal(size=(n, m))
    X = 8 + scores @ rng.normal(size=(k, m)) * strength + errors * np.sqrt(1 / rng.gamma(4, 0.25, size=m))
    return problem_of(X + np.outer(group, rng.random(m) < 0.1), group)


def reference_problem(name: str, *, noise: float = 0.0, seed: int = 0) -> AdjustmentProblem:
    """One of the reference studies with the design its answers were computed for."""
    if name == "bladder":
        data = bladder_reference()
        formula = "~ cancer"
    elif name == "bladder_batch":
        data = bladder_reference()
        formula = "~ cancer | C(batch)"
    else:
        data = {"sim1": sim1, "sim2": sim2}[name]()
        formula = "~ x | age"
    X = data.X
    if noise:
        X = X + noise * np.random.default_rng(seed).normal(size=X.shape)
    table: pd.DataFrame = data.sample_data
    return AdjustmentProblem(ArrayMatrix(X), Design.from_formula(formula, table))
