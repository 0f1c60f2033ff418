"""Choosing the number of factors: automatic, by a named rule, or as given."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from numbers import Integral

import numpy as np

from latentadj.core.matrix import Array
from latentadj.exceptions import DegreesOfFreedomError, FactorLimitWarning, InputError, MethodError
from latentadj.num_factors.base import NumFactorsRule, scaled_spectrum
from latentadj.num_factors.eigenvalue_difference import EigenvalueDifference
from latentadj.num_factors.gavish_donoho import GavishDonoho
from latentadj.num_factors.leek import Leek
from latentadj.num_factors.parallel import ParallelAnalysis
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import NumFactorsResult, RuleAnswer

#: Other rules are evaluated beside a given number when the pass they need is below this many multiplications.
CHEAP_PASS = 2e10
#: The Wishart rule is evaluated beside another up to this many samples; its cost grows with their cube.
CHEAP_SAMPLES = 400

_RULES: dict[str, Callable[[], NumFactorsRule]] = {
    "parallel_analysis": ParallelAnalysis,
    "be": lambda: ParallelAnalysis(scale=None),
    "parallel_analysis_wishart": lambda: ParallelAnalysis(method="wishart"),
    "wishart": lambda: ParallelAnalysis(method="wishart"),
    "leek": Leek,
    "eigenvalue_difference": EigenvalueDifference,
    "ed": EigenvalueDifference,
    "gavish_donoho": GavishDonoho,
    "gd": GavishDonoho,
}


def rule_from_name(name: str) -> NumFactorsRule:
    """Return a rule with its default settings by name.

    Parameters
    ----------
    name : str
        "parallel_analysis", "parallel_analysis_wishart" (or "wishart"), "leek", "eigenvalue_difference" (or
        "ed"), "gavish_donoho" (or "gd"), and "be": parallel analysis on features as they are, as in sva.

    Returns
    -------
    NumFactorsRule

    Raises
    ------
    MethodError
        If the name is unknown.

    Examples
    --------
    >>> rule_from_name("wishart").name
    'parallel_analysis_wishart'
    """
    key = name.strip().lower().replace("-", "_")
    if key not in _RULES:
        raise MethodError(
            f'n_factors={name!r} names no rule. Use "auto", a whole number, or one of: {", ".join(_RULES)}.'
        )
    return _RULES[key]()


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
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> from latentadj.design import Design
    >>> Y = ArrayMatrix(np.zeros((12, 100)))
    >>> factor_limit(AdjustmentProblem(Y, Design.from_arrays(np.arange(12.0))))
    4
    """
    return max(min(problem.df_resid - min_df, problem.n_samples // 3, problem.n_features // 3), 0)


def choose_number(
    problem: AdjustmentProblem, n_factors: str | int | NumFactorsRule, rng: np.random.Generator
) -> NumFactorsResult:
    """Choose the number of factors, and say what other rules would have answered.

    Parameters
    ----------
    problem : AdjustmentProblem
    n_factors : "auto", int, NumFactorsRule or str
        "auto" is `ParallelAnalysis` on features of unit residual variance; a string names a rule.
    rng : numpy.random.Generator

    Returns
    -------
    NumFactorsResult
        Rules that need only the residual spectrum are evaluated beside the one that was used. Beside a number
        that was given, only when that is cheap.

    Raises
    ------
    InputError
        If `n_factors` is negative, not whole, or of another type.
    DegreesOfFreedomError
        If a given number leaves no residual degrees of freedom.
    MethodError
        If a rule's name is unknown.

    Warns
    -----
    FactorLimitWarning
        If a rule's answer sits at the limit.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> from latentadj.design import Design
    >>> rng = np.random.default_rng(0)
    >>> factor, group = rng.normal(size=40), np.repeat([0.0, 1.0], 20)
    >>> X = np.outer(factor, rng.normal(size=300)) + rng.normal(size=(40, 300))
    >>> problem = AdjustmentProblem(ArrayMatrix(X), Design.from_arrays(group))
    >>> choice = choose_number(problem, "auto", rng)
    >>> choice.n_factors, choice.chosen_by
    (1, 'parallel_analysis')
    """
    if isinstance(n_factors, str):
        auto = n_factors.strip().lower() == "auto"
        return _by_rule(problem, ParallelAnalysis() if auto else rule_from_name(n_factors), rng)
    if isinstance(n_factors, NumFactorsRule):
        return _by_rule(problem, n_factors, rng)
    if isinstance(n_factors, Integral) and not isinstance(n_factors, bool) and n_factors >= 0:
        return _as_given(problem, int(n_factors), rng)
    raise InputError(
        f'n_factors={n_factors!r} cannot be used. Give a whole number from 0 up, "auto", or a rule such as '
        "ParallelAnalysis()."
    )


def _by_rule(problem: AdjustmentProblem, rule: NumFactorsRule, rng: np.random.Generator) -> NumFactorsResult:
    limit = factor_limit(problem)
    if limit == 0:
        _warn_no_room(problem)
        return NumFactorsResult(0, rule.name, 0)
    answer = rule.select(problem, limit, rng)
    if answer.n_factors >= limit:
        _warn_limit(problem, rule, limit)
    others = (r for r in _cheap_rules(problem) if r.name != rule.name)
    answers = (answer, *(r.select(problem, limit, rng) for r in others))
    shares = scaled_spectrum(problem, rule.scale).shares
    return NumFactorsResult(answer.n_factors, rule.name, limit, answers, shares, answer.null_shares)


def _as_given(problem: AdjustmentProblem, k: int, rng: np.random.Generator) -> NumFactorsResult:
    allowed = max(min(problem.df_resid - 1, problem.n_features), 0)
    if k > allowed:
        raise DegreesOfFreedomError(_too_many(problem, k, allowed))
    answers: tuple[RuleAnswer, ...] = ()
    shares: Array = np.empty(0)
    limit = factor_limit(problem)
    if k > 0 and limit > 0 and _is_cheap(problem):
        answers = tuple(rule.select(problem, limit, rng) for rule in _cheap_rules(problem))
        shares = problem.unit_spectrum.shares
    return NumFactorsResult(k, "user", allowed, answers, shares)


def _cheap_rules(problem: AdjustmentProblem) -> list[NumFactorsRule]:
    """Rules that need the unit spectrum and nothing more of the data."""
    rules: list[NumFactorsRule] = [EigenvalueDifference(scale="unit"), GavishDonoho()]
    if problem.basis.spans_constant and problem.n_samples <= CHEAP_SAMPLES:
        rules.append(ParallelAnalysis(method="wishart"))
    return rules


def _is_cheap(problem: AdjustmentProblem) -> bool:
    """Whether the unit spectrum is there already or takes about a second."""
    return "unit_spectrum" in vars(problem) or problem.n_features * problem.n_samples**2 <= CHEAP_PASS


def _too_many(problem: AdjustmentProblem, k: int, allowed: int) -> str:
    left = problem.df_resid - k
    return (
        f"n_factors={k} is too many factors: {problem.n_samples} samples and a design of rank "
        f"{problem.basis.rank} leave {problem.df_resid} residual degrees of freedom, {left} after the "
        f"factors. At most {allowed} can be used (there are {problem.n_features} features). Give a smaller "
        'number, use n_factors="auto", or take columns out of the design.'
    )


def _warn_limit(problem: AdjustmentProblem, rule: NumFactorsRule, limit: int) -> None:
    warnings.warn(
        f"The rule {rule.name} answers at least {limit} factors, the limit for {problem.n_samples} samples, "
        f"{problem.n_features} features and a design of rank {problem.basis.rank}. Look for outlying samples "
        "or a missing covariate, compare the rules (num_factors.table()), or give n_factors as a number.",
        FactorLimitWarning,
        stacklevel=4,
    )


def _warn_no_room(problem: AdjustmentProblem) -> None:
    warnings.warn(
        f"No factor can be estimated: {problem.n_samples} samples, {problem.n_features} features and a "
        f"design of rank {problem.basis.rank} leave no room. Continuing with 0 factors; take columns out of "
        "the design or give n_factors as a number.",
        FactorLimitWarning,
        stacklevel=4,
    )
