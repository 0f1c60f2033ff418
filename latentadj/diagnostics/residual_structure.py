"""Structure left in the residuals: their spectrum against its null, and what their components follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.core.matrix import FeatureSubset
from latentadj.core.regression import design_basis, design_pass
from latentadj.diagnostics.additive_scale import on_additive_scale
from latentadj.diagnostics.check import CheckResult
from latentadj.diagnostics.explored import explored_study
from latentadj.exceptions import InputError
from latentadj.num_factors.limit import factor_limit
from latentadj.num_factors.parallel import ParallelAnalysis
from latentadj.problem import AdjustmentProblem
from latentadj.results import AdjustmentResult

Array = NDArray[np.float64]

SCREE_COLUMNS = ("direction", "share", "null_median", "null_upper", "beyond")
#: Share of the residual variation from which what is left is worth more than a note.
MUCH = 0.1
#: Draws of the null; a direction counts when it is beyond all of them, 1 time in 21 by chance.
N_DRAWS = 20


@dataclass(frozen=True)
class ResidualComponents:
    """Leading components of the residuals.

    Attributes
    ----------
    scores : pandas.DataFrame of shape (n_samples, k)
        Of samples at equal noise, columns "residual 1", "residual 2", ...; orthogonal to the design with its factors.
    shares : ndarray of shape (k,)
        Share of the residual variation along each.
    given : ndarray of shape (n_samples, d)
        The design with its factors, on the same samples.
    """

    scores: pd.DataFrame
    shares: Array
    given: Array


def residual_scree(result: AdjustmentResult, *, random_state: Any = 0) -> pd.DataFrame:
    """Shares of the variation that is left beside the design and its factors, and their null.

    Parameters
    ----------
    result : AdjustmentResult
        With the data at hand.
    random_state : int or Generator, default=0
        For the permutations.

    Returns
    -------
    pandas.DataFrame
        ``direction, share, null_median, null_upper, beyond``: a row per direction from 1 up, its share of the residual
        sum of squares (features at unit residual variance), median and upper bound of that share in permuted
        residuals, and whether it and all before it are beyond the bound.

    Raises
    ------
    InputError
        For a result read from disk, or when the design leaves no residuals.

    Notes
    -----
    Parallel analysis (Buja and Eyuboglu 1992, Multivariate Behavioral Research 27:509) of the residuals from the
    design with its factors. Factors that were too many take noise with them, which makes the rest flatter than
    permuted residuals; the check then errs towards seeing nothing. What looks like counts is taken to log2 counts per
    million first.

    Examples
    --------
    >>> import latentadj as la
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(30, 2)) @ rng.normal(size=(2, 300)) * 2 + rng.normal(size=(30, 300))
    >>> design = la.Design.from_arrays(np.repeat([0, 1], 15))
    >>> [int(residual_scree(la.adjust(X, design, n_factors=k))["beyond"].sum()) for k in (0, 2)]
    [2, 0]
    """
    problem = residual_problem(result)
    rng = np.random.default_rng(random_state)
    answer = ParallelAnalysis(N_DRAWS, alpha=1.0 / (N_DRAWS + 1)).select(problem, factor_limit(problem), rng)
    shares, null = problem.unit_spectrum.shares, answer.null_shares
    bounds = np.full((2, shares.size), np.nan)
    width = min(null.shape[1], shares.size)
    bounds[:, :width] = null[:, :width]
    direction = np.arange(1, shares.size + 1)
    columns = (direction, shares, bounds[0], bounds[1], direction <= answer.n_factors)
    return pd.DataFrame(dict(zip(SCREE_COLUMNS, columns, strict=True)))


def residual_components(result: AdjustmentResult, n_components: int = 5) -> ResidualComponents:
    """Leading components of what the design and its factors leave.

    Parameters
    ----------
    result : AdjustmentResult
        With the data at hand.
    n_components : int, default=5

    Returns
    -------
    ResidualComponents

    Raises
    ------
    InputError
        For a result read from disk, or when the design leaves no residuals.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 30))
    >>> found = residual_components(la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=1), 2)
    >>> bool(np.abs(found.given.T @ found.scores).to_numpy().max() < 1e-10)
    True
    """
    problem = residual_problem(result)
    spectrum = problem.unit_spectrum
    k = min(n_components, int(np.count_nonzero(spectrum.shares > 1e-12)))
    names = [f"residual {i + 1}" for i in range(k)]
    scores = pd.DataFrame(spectrum.vectors[:, :k] * np.sqrt(problem.n_samples), list(result.sample_ids), names)
    return ResidualComponents(scores, spectrum.shares[:k], problem.design.matrix)


def residual_check(result: AdjustmentResult) -> CheckResult:
    """Tell whether hidden structure is left in the residuals.

    Parameters
    ----------
    result : AdjustmentResult
        With the data at hand.

    Returns
    -------
    CheckResult
        "none seen" or "left". `statistics` holds ``n_left``, the number of directions beyond permuted residuals, and
        ``share``, the part of the residual variation along them.

    Raises
    ------
    InputError
        As `residual_scree`.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 300))
    >>> residual_check(la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=0)).verdict
    'none seen'
    """
    table = residual_scree(result)
    left = table[table["beyond"]]
    share = float(left["share"].sum())
    numbers = {"n_left": float(len(left)), "share": share}
    if left.empty:
        cause = "No direction of the residuals stands out from permuted residuals."
        return CheckResult("residuals", "none seen", "ok", cause, "Nothing to do.", numbers)
    many = len(left) != 1
    cause = (
        f"{len(left)} direction{'s' * many} of the residuals stand{'' if many else 's'} out from permuted residuals, "
        f"with {share:.0%} of the variation that is left: hidden factors, or noise that samples share."
    )
    advice = "Use more factors, or put the covariate that they follow into the formula (component_association)."
    return CheckResult("residuals", "left", "warning" if share > MUCH else "note", cause, advice, numbers)


def residual_problem(result: AdjustmentResult) -> AdjustmentProblem:
    """The problem whose residuals are looked at: complete features, the design with its factors, equal noise.

    Parameters
    ----------
    result : AdjustmentResult
        With the data at hand.

    Returns
    -------
    AdjustmentProblem

    Raises
    ------
    InputError
        For a result read from disk, or when the design leaves no residuals.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 30))
    >>> residual_problem(la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=1)).df_resid
    9
    """
    matrix = explored_study(result, what="Structure in the residuals").panels["before"]
    sums = design_pass(matrix, design_basis(np.ones((matrix.shape[0], 1))))
    complete = np.flatnonzero(np.isfinite(sums.tss))
    if not len(complete):
        raise InputError("Every feature has missing values. Fill them in, or leave samples with many gaps out.")
    shown = on_additive_scale(matrix if len(complete) == matrix.shape[1] else FeatureSubset(matrix, complete))
    problem = AdjustmentProblem(shown, result.full_design)
    whitening = result.estimate.whitening
    problem = problem if whitening is None else problem.whitened(whitening)
    if problem.df_resid < 1:
        raise InputError("The design and its factors leave no residuals to look at. Use fewer factors.")
    return problem
