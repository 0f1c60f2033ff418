"""All rules side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from latentadj.num_factors.base import NumFactorsRule
from latentadj.num_factors.select import choose_number
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import NumFactorsResult


def compare_rules(
    problem: AdjustmentProblem,
    rules: str | Sequence[str | NumFactorsRule] = "all",
    rng: np.random.Generator | None = None,
) -> NumFactorsResult:
    """Ask many rules for the number of factors.

    Parameters
    ----------
    problem : AdjustmentProblem
    rules : {"all", "cheap"} or sequence of rules and names, default="all"
        "cheap" are the rules that need only the spectrum of the residuals, the features' sums of squares and the
        controls; "all" adds those that read the data again or resample.
    rng : numpy.random.Generator, optional
        Source of random numbers; by default one with seed 0.

    Returns
    -------
    NumFactorsResult
        `n_factors` is the answer of the automatic rule, which is always among the answers and comes first. Rules that
        cannot be applied to the data are named with the reason in `not_applied`; ``summary()`` shows both.

    Raises
    ------
    InputError
        If `rules` is neither of these.
    MethodError
        If a rule's name is unknown.

    Warns
    -----
    FactorLimitWarning
        If the automatic rule's answer sits at the limit.

    Notes
    -----
    Each rule has a random stream of its own: its answer does not depend on the order of the rules or on which
    others are asked.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> from latentadj.design import Design
    >>> rng = np.random.default_rng(0)
    >>> factor, group = rng.normal(size=40), np.repeat([0.0, 1.0], 20)
    >>> X = np.outer(factor, rng.normal(size=300)) + rng.normal(size=(40, 300))
    >>> problem = AdjustmentProblem(ArrayMatrix(X), Design.from_arrays(group))
    >>> found = compare_rules(problem, ["dpa", "feature_folds", "control_ratio"], rng)
    >>> found.summary()["n_factors"].tolist()
    [1, 1, 1, <NA>]
    """
    return choose_number(problem, "auto", np.random.default_rng(0) if rng is None else rng, others=rules)
