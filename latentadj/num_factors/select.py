"""Choosing the number of factors: automatic, by a named rule, or as given."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral

import numpy as np

from latentadj.exceptions import DegreesOfFreedomError, FactorLimitWarning, InputError
from latentadj.num_factors.base import NumFactorsRule
from latentadj.num_factors.evaluation import stream_key
from latentadj.num_factors.limit import factor_limit
from latentadj.num_factors.names import rule_from_name, rules_of
from latentadj.num_factors.parallel import ParallelAnalysis
from latentadj.num_factors.pending import PendingResult, Question, in_memory
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import NumFactorsResult

__all__ = ["choose_number", "factor_limit", "rule_from_name"]

#: The cheap rules are evaluated beside a given number when the pass they need is below this many multiplications.
CHEAP_PASS = 2e10
#: Up to this many samples the cheap rules include those whose cost grows with the cube of their number.
CHEAP_SAMPLES = 400
#: The ratio of controls leaves every control out once; it is evaluated beside other rules up to this many.
CHEAP_CONTROLS = 500
_CUBIC = ("parallel_analysis_wishart", "control_ratio")


def choose_number(
    problem: AdjustmentProblem,
    n_factors: str | int | NumFactorsRule,
    rng: np.random.Generator,
    others: str | Sequence[str | NumFactorsRule] = "cheap",
) -> NumFactorsResult:
    """Choose the number of factors, and say what other rules would have answered.

    Parameters
    ----------
    problem : AdjustmentProblem
    n_factors : "auto", int, NumFactorsRule or str
        "auto" is `ParallelAnalysis` on features of unit residual variance; a string names a rule.
    rng : numpy.random.Generator
    others : {"cheap", "all"} or sequence of rules and names, default="cheap"
        Rules that are evaluated beside it: those that need only decompositions that are made anyway, all, or those
        listed. Beside a number that was given, the cheap ones only where the decomposition is there already or
        takes about a second.

    Returns
    -------
    NumFactorsResult
        Rules that could not be applied are named in ``not_applied``.

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

    Notes
    -----
    Every rule beside the one that is used has a random stream of its own, so that its answer does not depend on
    which others are asked; `rng` is left in the same state whatever they are. With data in memory the cheap rules are
    asked when somebody looks at their answers (`PendingResult`); until then the result holds on to the data.

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
        return _by_rule(problem, ParallelAnalysis() if auto else rule_from_name(n_factors), rng, others)
    if isinstance(n_factors, NumFactorsRule):
        return _by_rule(problem, n_factors, rng, others)
    if isinstance(n_factors, Integral) and not isinstance(n_factors, bool) and n_factors >= 0:
        return _as_given(problem, int(n_factors), rng, others)
    raise InputError(
        f'n_factors={n_factors!r} cannot be used. Give a whole number from 0 up, "auto", or a rule such as '
        "ParallelAnalysis()."
    )


def _by_rule(
    problem: AdjustmentProblem,
    rule: NumFactorsRule,
    rng: np.random.Generator,
    others: str | Sequence[str | NumFactorsRule],
) -> NumFactorsResult:
    limit, beside = factor_limit(problem), _rules_beside(problem, others, rule.name)
    if limit == 0:
        _warn_no_room(problem)
        return NumFactorsResult(0, rule.name, 0)
    answer = rule.select(problem, limit, rng)
    if answer.n_factors >= limit:
        _warn_limit(problem, rule, limit)
    known = NumFactorsResult(answer.n_factors, rule.name, limit, (answer,), null_shares=answer.null_shares)
    return _asked(known, Question(problem, beside, limit, stream_key(rng), rule.scale), others)


def _as_given(
    problem: AdjustmentProblem, k: int, rng: np.random.Generator, others: str | Sequence[str | NumFactorsRule]
) -> NumFactorsResult:
    allowed = max(min(problem.df_resid - 1, problem.n_features), 0)
    if k > allowed:
        raise DegreesOfFreedomError(_too_many(problem, k, allowed))
    limit, rules = factor_limit(problem), _rules_beside(problem, others)
    wanted = k > 0 and _is_cheap(problem) if others == "cheap" else bool(rules)
    known = NumFactorsResult(k, "user", allowed)
    if limit == 0 or not wanted:
        return known
    return _asked(known, Question(problem, rules, limit, stream_key(rng)), others)


def _asked(
    known: NumFactorsResult, question: Question, others: str | Sequence[str | NumFactorsRule]
) -> NumFactorsResult:
    """Ask the rules beside the one that decided: later, if nobody named them and the data stay in memory."""
    if others == "cheap" and in_memory(question.problem.matrix):
        return PendingResult.of(known, question)
    return replace(known, **question.answered(known.answers))


def _rules_beside(
    problem: AdjustmentProblem, others: str | Sequence[str | NumFactorsRule], used: str = ""
) -> list[NumFactorsRule]:
    """Rules to evaluate beside the one that is used, each name once."""
    rules = {rule.name: rule for rule in reversed(rules_of(others)) if rule.name != used}
    if others == "cheap" and problem.n_samples > CHEAP_SAMPLES:
        rules = {name: rule for name, rule in rules.items() if name not in _CUBIC}
    if others == "cheap" and problem.controls is not None and problem.controls.sum() > CHEAP_CONTROLS:
        rules.pop("control_ratio", None)
    return list(reversed(rules.values()))


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
