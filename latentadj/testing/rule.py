"""The check of a rule for the number of factors."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from latentadj.core.matrix import ArrayMatrix
from latentadj.core.passes import pass_options
from latentadj.design import Design
from latentadj.exceptions import InputError
from latentadj.num_factors import NumFactorsRule
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import RuleAnswer
from latentadj.testing.comparison import require, require_close
from latentadj.testing.error import ContractError
from latentadj.testing.study import made_up_study

Array = NDArray[np.float64]
LIMIT = 8


@dataclass(frozen=True, eq=False)
class _RuleSubject:
    """A rule on the made-up study."""

    rule: NumFactorsRule
    rounding: float

    def select(self, X: Array | None = None, order: NDArray[np.intp] | None = None, limit: int = LIMIT) -> RuleAnswer:
        study = made_up_study()
        table = study.sample_data if order is None else study.sample_data.iloc[order]
        design = Design.from_formula("~ x | age", table)
        problem = AdjustmentProblem(ArrayMatrix(study.X if X is None else X), design)
        return self.rule.select(problem, limit, np.random.default_rng(0))

    @cached_property
    def usual(self) -> RuleAnswer:
        return self.select()

    def require_same_number(self, found: RuleAnswer) -> None:
        expected = self.usual.n_factors
        require(found.n_factors == expected, f"The answer is {found.n_factors} instead of {expected}.")

    def require_same(self, found: RuleAnswer, tolerance: float) -> None:
        self.require_same_number(found)
        require_close(np.asarray(found.statistic), np.asarray(self.usual.statistic), tolerance, "statistic")


def check_num_factors_rule(
    rule: NumFactorsRule, *, rounding: float = 1e-9, promises: tuple[str, ...] | None = None
) -> dict[str, str]:
    """Hold a rule for the number of factors to everything that rules of this package promise.

    Parameters
    ----------
    rule : NumFactorsRule
        It is cloned.
    rounding : float, default=1e-9
        Largest difference of the statistics when sums are taken in another order, relative to the largest one.
    promises : tuple of str, optional
        Names of the promises to check (`RULE_PROMISES`); all of them by default.

    Returns
    -------
    dict of str to str
        For every promise that was checked, "kept".

    Raises
    ------
    ContractError
        The first promise that is broken.
    InputError
        For a promise that does not exist.

    Notes
    -----
    On a made-up study with two strong hidden factors. The promises are that the answer is a `RuleAnswer` whose
    parts fit together; that it obeys the limit; that at least one of the two factors is seen; that the answer depends
    neither on block width, threads, order of samples and features, constants added to features, nor units;
    that random numbers come from the generator given; and that the rule keeps nothing behind.

    Examples
    --------
    >>> from latentadj.num_factors import GavishDonoho
    >>> set(check_num_factors_rule(GavishDonoho()).values())
    {'kept'}
    """
    unknown = [name for name in promises or () if name not in _CHECKS]
    if unknown:
        raise InputError(f"{', '.join(unknown)}: no promise of that name. Promises are {', '.join(_CHECKS)}.")
    subject = _RuleSubject(clone(rule), rounding)
    chosen = RULE_PROMISES if promises is None else promises
    for name in chosen:
        try:
            _CHECKS[name](subject)
        except ContractError as error:
            raise error.about(type(rule).__name__, name) from error
        except Exception as error:  # the message must say which promise was being checked
            raise ContractError(f"{type(error).__name__}: {error}").about(type(rule).__name__, name) from error
    return dict.fromkeys(chosen, "kept")


def _answer(subject: _RuleSubject) -> None:
    answer = subject.usual
    require(isinstance(answer, RuleAnswer), f"select gave a {type(answer).__name__}, not a RuleAnswer.")
    require(answer.rule == subject.rule.name, f"The answer is by {answer.rule!r}, the rule is {subject.rule.name!r}.")
    whole = isinstance(answer.n_factors, Integral) and not isinstance(answer.n_factors, bool)
    require(whole, f"n_factors={answer.n_factors!r} is no whole number.")
    same = np.shape(answer.statistic) == np.shape(answer.threshold) and np.ndim(answer.statistic) == 1
    require(same, "statistic and threshold are not two arrays of one length.")
    require(len(answer.description) > 10, "The description says nothing.")


def _limit(subject: _RuleSubject) -> None:
    for limit in (0, 1, LIMIT):
        found = subject.select(limit=limit).n_factors
        require(0 <= found <= limit, f"n_factors={found} with a limit of {limit}.")


def _sees_factors(subject: _RuleSubject) -> None:
    require(subject.usual.n_factors >= 1, "No factor is seen where two explain most of the residuals.")


def _block_width(subject: _RuleSubject) -> None:
    for width in (1, 37):
        with pass_options(width=width):
            subject.require_same(subject.select(), subject.rounding)


def _threads(subject: _RuleSubject) -> None:
    with pass_options(n_threads=1, width=20):
        first = subject.select()
    with pass_options(n_threads=4, width=20):
        again = subject.select()
    require_close(np.asarray(again.statistic), np.asarray(first.statistic), 0.0, "statistic")
    require(again.n_factors == first.n_factors, "The answer depends on the number of threads.")


def _repetition(subject: _RuleSubject) -> None:
    before = pickle.dumps(np.random.get_state())  # noqa: NPY002
    subject.require_same(subject.select(), 0.0)
    after = pickle.dumps(np.random.get_state())  # noqa: NPY002
    require(after == before, "Random numbers are drawn from NumPy's global state.")


def _sample_order(subject: _RuleSubject) -> None:
    X = made_up_study().X
    order = np.random.default_rng(1).permutation(len(X))
    subject.require_same(subject.select(X[order], order), subject.rounding)


def _feature_order(subject: _RuleSubject) -> None:
    X = made_up_study().X
    subject.require_same(subject.select(X[:, np.random.default_rng(2).permutation(X.shape[1])]), subject.rounding)


def _shift(subject: _RuleSubject) -> None:
    X = made_up_study().X
    subject.require_same_number(subject.select(X + np.arange(X.shape[1]) % 7))


def _units(subject: _RuleSubject) -> None:
    subject.require_same_number(subject.select(made_up_study().X * 1000.0))


def _nothing_behind(subject: _RuleSubject) -> None:
    rule = clone(subject.rule)
    before = dict(vars(rule))
    _RuleSubject(rule, subject.rounding).select()
    require(vars(rule).keys() == before.keys(), "select leaves attributes behind.")
    again = pickle.loads(pickle.dumps(rule))
    require(again.get_params().keys() == rule.get_params().keys(), "Parameters are lost in pickle.")


_CHECKS: dict[str, Callable[[_RuleSubject], None]] = {
    "answer": _answer,
    "limit": _limit,
    "sees_factors": _sees_factors,
    "block_width": _block_width,
    "threads": _threads,
    "repetition": _repetition,
    "sample_order": _sample_order,
    "feature_order": _feature_order,
    "shift": _shift,
    "units": _units,
    "nothing_behind": _nothing_behind,
}

#: Names of the promises of a rule, in the order in which they are checked.
RULE_PROMISES: tuple[str, ...] = tuple(_CHECKS)
