"""Hidden factors that weights and correlations of samples are estimated beside."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from latentadj.core.matrix import Array
from latentadj.core.wishart import wishart_eigenvalues
from latentadj.num_factors.base import leading_count
from latentadj.num_factors.parallel import leading_shares, upper_bound
from latentadj.num_factors.select import factor_limit
from latentadj.problem import AdjustmentProblem

#: Draws of noise, and the share of them that a component may stay below.
N_DRAWS, ALPHA = 20, 0.1


def component_counter(
    problem: AdjustmentProblem, rng: np.random.Generator, n_draws: int = N_DRAWS
) -> Callable[[Array], int]:
    """Return a function that counts the components of the residuals that stand out from noise.

    Parameters
    ----------
    problem : AdjustmentProblem
    rng : numpy.random.Generator
    n_draws : int, default=20
        Draws of noise.

    Returns
    -------
    callable
        Takes shares of variance ``(df_resid,)``, returns a number.
    """
    used, df = int(np.count_nonzero(problem.unit_weights)), problem.df_resid
    null = wishart_eigenvalues(np.ones(used), problem.n_samples, df, n_draws, rng)
    bound, limit = upper_bound(leading_shares(null, df), ALPHA), factor_limit(problem)

    def count(shares: Array) -> int:
        return min(leading_count(shares > bound), limit)

    return count
