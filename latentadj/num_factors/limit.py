"""How many factors a rule may answer."""

from __future__ import annotations

from latentadj.problem import AdjustmentProblem


def factor_limit(problem: AdjustmentProblem, min_df: int = 3) -> int:
    """Largest number of factors that a rule may answer.

    Parameters
    ----------
    problem : AdjustmentProblem
    min_df : int, default=3
        Residual degrees of freedom that must be left.

    Returns
    -------
    int
        ``min(n_samples - rank - min_df, n_samples // 3, n_features // 3)``, at least 0.

    Examples
    --------
    >>> import numpy as np
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> from latentadj.design import Design
    >>> Y = ArrayMatrix(np.zeros((12, 100)))
    >>> factor_limit(AdjustmentProblem(Y, Design.from_arrays(np.arange(12.0))))
    4
    """
    return max(min(problem.df_resid - min_df, problem.n_samples // 3, problem.n_features // 3), 0)
