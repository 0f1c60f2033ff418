"""Rules beside the one that decides, asked when somebody looks at their answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from latentadj.core.matrix import Array, ArrayMatrix, FeatureMatrix
from latentadj.core.passes import one_blas_thread
from latentadj.num_factors.base import NumFactorsRule, scaled_spectrum
from latentadj.num_factors.evaluation import answers_of
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import NumFactorsResult, RuleAnswer


@dataclass(frozen=True)
class Question:
    """Rules that are still to be asked.

    Attributes
    ----------
    problem : AdjustmentProblem
    rules : sequence of NumFactorsRule
    limit : int
        Largest answer.
    key : int
        Of the rules' random streams.
    scale : {"unit", None}
        Scale of the spectrum that the answers are shown beside.
    """

    problem: AdjustmentProblem
    rules: Sequence[NumFactorsRule]
    limit: int
    key: int
    scale: str | None = "unit"

    def answered(self, first: tuple[RuleAnswer, ...] = ()) -> dict[str, Any]:
        """Ask the rules: the fields of a `NumFactorsResult` that depend on them."""
        with one_blas_thread():
            answers, refused = answers_of(self.problem, self.rules, self.limit, self.key)
            shares = scaled_spectrum(self.problem, self.scale).shares
        return {"answers": first + answers, "not_applied": refused, "shares": shares}

    def kept(self) -> Question:
        """Return the same question without the problem's sums, which are one pass; decompositions stay."""
        problem = replace(self.problem)
        vars(problem).update(
            {k: v for k, v in vars(self.problem).items() if k in ("unit_spectrum", "spectrum", "basis")}
        )
        return replace(self, problem=problem)


class PendingResult(NumFactorsResult):
    """A `NumFactorsResult` whose rules, but for the one that decided, are asked when somebody looks at them.

    Copies, pickles and what is stored on disk hold the answers.

    Attributes
    ----------
    answers, shares, not_applied
        As in `NumFactorsResult`; looking at one of them asks the rules, once.
    """

    @classmethod
    def of(cls, known: NumFactorsResult, question: Question) -> PendingResult:
        """Return a result that knows its number, the rule's own answer and the null, and asks for the rest."""
        out = object.__new__(cls)
        vars(out).update({name: getattr(known, name) for name in ("n_factors", "chosen_by", "limit", "null_shares")})
        vars(out)["_ask"] = partial(question.kept().answered, known.answers)
        return out

    @cached_property
    def _found(self) -> dict[str, Any]:
        ask: Callable[[], dict[str, Any]] = vars(self)["_ask"]
        found = ask()
        del vars(self)["_ask"]
        return found

    @cached_property
    def answers(self) -> tuple[RuleAnswer, ...]:  # type: ignore[override]
        """Answers of all rules, the one that was used first."""
        out: tuple[RuleAnswer, ...] = self._found["answers"]
        return out

    @cached_property
    def not_applied(self) -> tuple[tuple[str, str], ...]:  # type: ignore[override]
        """Rules that could not be applied to these data, and why."""
        out: tuple[tuple[str, str], ...] = self._found["not_applied"]
        return out

    @cached_property
    def shares(self) -> Array:  # type: ignore[override]
        """Share of the residual sum of squares along each direction."""
        return np.asarray(self._found["shares"])

    def __reduce__(self) -> tuple[type[NumFactorsResult], tuple[Any, ...]]:
        """Travel with the answers and without the data."""
        return NumFactorsResult, tuple(getattr(self, item.name) for item in fields(NumFactorsResult))


def in_memory(matrix: FeatureMatrix) -> bool:
    """Whether a matrix, or what views of it lead to, is an array: a file may be closed when somebody looks."""
    while not isinstance(matrix, ArrayMatrix):
        base = getattr(matrix, "base", None)
        if base is None:
            return False
        matrix = base
    return not isinstance(matrix.values, np.memmap)
