"""Rules for the number of factors, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from latentadj.compare.contestant import require_distinct
from latentadj.exceptions import InputError, MethodError
from latentadj.num_factors import NumFactorsRule
from latentadj.num_factors.select import rule_from_name
from latentadj.simulation import SimulatedStudy

#: The number that the study was made with.
TRUE = "true"
#: In place of a rule's name for methods without a number to choose.
NO_RULE = "-"


@dataclass(frozen=True, eq=False)
class NumberChoice:
    """A rule with the name it has in tables.

    Attributes
    ----------
    name : str
    value : "auto", "true", int, str or NumFactorsRule

    Examples
    --------
    >>> NumberChoice("3", 3).for_study(None)
    3
    """

    name: str
    value: Any

    def for_study(self, study: SimulatedStudy) -> Any:
        """Return what `adjust` takes as ``n_factors``.

        Raises
        ------
        InputError
            The true number of a study that has none.
        """
        if self.value != TRUE:
            return self.value
        if not study.truth.factors_known:
            raise InputError("The number of hidden factors of real data is not known; name a rule or a number.")
        return int(study.truth.factors.shape[1])


def number_choices(rules: Any) -> list[NumberChoice]:
    """Make choices from whatever names them.

    Parameters
    ----------
    rules : str, int, NumFactorsRule, a sequence of these, or a mapping of names to them
        "auto", "true" (the number that the study was made with), a whole number, or a rule or its name.

    Returns
    -------
    list of NumberChoice

    Raises
    ------
    MethodError
        An unknown rule, or the same name twice.

    Examples
    --------
    >>> [choice.name for choice in number_choices(["auto", "true", 2, "dpa"])]
    ['auto', 'true', '2', 'dpa']
    """
    if isinstance(rules, Mapping):
        pairs = [(str(name), rule) for name, rule in rules.items()]
    else:
        listed = [rules] if isinstance(rules, str | Integral | NumFactorsRule) else list(rules)
        pairs = [(rule.name if isinstance(rule, NumFactorsRule) else str(rule), rule) for rule in listed]
    require_distinct("rules", [name for name, _ in pairs])
    return [NumberChoice(name, _checked(rule)) for name, rule in pairs]


def _checked(rule: Any) -> Any:
    if isinstance(rule, str) and rule.isascii() and rule.isdigit():
        return int(rule)
    if isinstance(rule, str):
        if rule not in ("auto", TRUE):
            rule_from_name(rule)
        return rule
    if isinstance(rule, NumFactorsRule):
        return rule
    if isinstance(rule, Integral) and not isinstance(rule, bool) and int(rule) >= 0:
        return int(rule)
    raise MethodError(f"{rule!r} names no number of factors. Give 'auto', 'true', a whole number, or a rule.")
