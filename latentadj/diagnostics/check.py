"""What a check returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class CheckResult:
    """Outcome of one check, in a word, in a sentence and in numbers.

    Attributes
    ----------
    name : str
        What was checked.
    verdict : str
        The class that was found, one word or two.
    level : {"ok", "note", "warning"}
    cause : str
        What usually produces this class, one sentence.
    next_step : str
        What to do about it, one sentence.
    statistics : mapping of str to float
        The numbers behind the verdict; NaN where one cannot be computed.

    Examples
    --------
    >>> print(CheckResult("p-values", "uniform", "ok", "No effects.", "Nothing to do."))
    p-values: uniform. No effects. Nothing to do.
    """

    name: str
    verdict: str
    level: str
    cause: str
    next_step: str
    statistics: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name}: {self.verdict}. {self.cause} {self.next_step}"
