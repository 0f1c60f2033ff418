"""A promise: a name, a sentence, whom it concerns, and the check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from latentadj.testing.error import ContractError
from latentadj.testing.subject import Subject


def _always(subject: Subject) -> str:
    return ""


@dataclass(frozen=True)
class Promise:
    """Something that every method keeps, or declares that it cannot.

    Attributes
    ----------
    name : str
        As in `MethodInfo.not_promised`.
    statement : str
        One sentence.
    check : Callable
        Takes a `Subject`; raises `ContractError`.
    exempt : Callable
        Takes a `Subject`; returns why the promise says nothing about it, or "".
    """

    name: str
    statement: str
    check: Callable[[Subject], None]
    exempt: Callable[[Subject], str] = _always

    def skipped(self, subject: Subject) -> str:
        """Return why the promise is not asked of a method, or ""."""
        return str(subject.info.not_promised.get(self.name, "")) or self.exempt(subject)

    def hold(self, subject: Subject) -> None:
        """Check the promise; errors name the method and the promise.

        Raises
        ------
        ContractError
            When it does not hold, and when the method fails on data that others can use.
        """
        try:
            self.check(subject)
        except ContractError as error:
            raise error.about(type(subject.original).__name__, self.name) from error
        except Exception as error:  # the message must say which promise was being checked
            failed = ContractError(f"{type(error).__name__}: {error}")
            raise failed.about(type(subject.original).__name__, self.name) from error


def only_continuous(subject: Subject) -> str:
    """Exempt methods for counts, whose data cannot be shifted or scaled."""
    return "" if subject.info.input_scale == "continuous" else "counts cannot be shifted or scaled"


def only_with_number(subject: Subject) -> str:
    """Exempt methods whose number of factors is not a parameter."""
    return "" if subject.takes_number else "the number of factors is no parameter"


def only_least_squares(subject: Subject) -> str:
    """Exempt methods with another primary model."""
    return "" if subject.least_squares else "features are not fitted by least squares"


def only_refitted(subject: Subject) -> str:
    """Exempt methods that hand over ready effects, and those with another primary model."""
    if subject.usual.estimate.subtraction is not None:
        return "the method hands over ready effects (Subtraction)"
    return only_least_squares(subject)
