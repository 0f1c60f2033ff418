"""Contrasts as text: ``"cancer[Biopsy] - cancer[Cancer]"`` to weights over design columns."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from latentadj.design.codings import LevelCoding
from latentadj.design.wording import near_matches, quote_list
from latentadj.exceptions import FormulaError, NotEstimableError

_NUMBER = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w\[])")
_CHUNK = re.compile(r"[^\s+*/()\[\]-]*(?:\[[^\]]*\])?")
_CONSTANT = ""
_MAX_DEPTH = 50

LinearForm = dict[str, float]


def contrast_weights(
    text: str,
    names: Sequence[str],
    codings: Mapping[str, LevelCoding],
    entangled: Mapping[str, Sequence[str]],
) -> NDArray[np.float64]:
    """Turn the text of a contrast into one weight per design column.

    Parameters
    ----------
    text : str
        Sum of names with numbers in front: coefficients (``cancer[T.Cancer]``, ``age``) and levels
        (``cancer[Biopsy]``). Brackets and division by numbers are allowed, backquotes around odd names too.
    names : sequence of str
        The d design columns.
    codings : mapping
        Categorical variable -> how its levels are coded.
    entangled : mapping
        Categorical variable without a coding of its own -> the terms it takes part in.

    Returns
    -------
    (d,) float64

    Raises
    ------
    FormulaError
        The text cannot be read, a name is unknown, or level weights of a variable do not sum to zero.
    NotEstimableError
        Levels of a variable that takes part in an interaction: their difference depends on the other
        variable.

    Notes
    -----
    A level stands for the expected value in samples of that level, all else equal: its weights are the row
    of the coding. Because the weights of levels sum to zero, everything else cancels and the reference adds
    nothing.

    Examples
    --------
    >>> contrast_weights("(a + b) / 2", ["Intercept", "a", "b"], {}, {})
    array([0. , 0.5, 0.5])
    """
    level_names = {f"{name}[{level}]": (name, level) for name, c in codings.items() for level in c.levels}
    known = [*names, *(name for name in level_names if name not in set(names))]
    form = _Reader(text, known, entangled).read()
    if abs(form.pop(_CONSTANT, 0.0)) > 0.0:
        raise FormulaError(
            f"The contrast '{text}' adds a number to coefficients. A contrast is compared with 0: remove it."
        )
    position = {name: column for column, name in enumerate(names)}
    weights = np.zeros(len(names))
    of_levels: dict[str, LinearForm] = {}
    for name, weight in form.items():
        if name in position:
            weights[position[name]] += weight
        else:
            variable, level = level_names[name]
            of_levels.setdefault(variable, {})[level] = weight
    for variable, by_level in of_levels.items():
        _add_levels(weights, position, variable, by_level, codings[variable], text)
    if not np.any(weights):
        raise FormulaError(
            f"The contrast '{text}' is zero for every coefficient. Name two different levels or a coefficient."
        )
    return weights


def _add_levels(
    weights: NDArray[np.float64],
    position: Mapping[str, int],
    variable: str,
    by_level: LinearForm,
    coding: LevelCoding,
    text: str,
) -> None:
    total = sum(by_level.values())
    if abs(total) > 1e-9 * max(abs(weight) for weight in by_level.values()):
        raise FormulaError(
            f"In the contrast '{text}' the weights of the levels of `{variable}` sum to {total:g}, not to "
            "0: a level alone has no meaning without what it is compared with. Write a difference such as "
            f"{variable}[{coding.levels[-1]}] - {variable}[{coding.levels[0]}], or name a coefficient: "
            f"{quote_list(coding.columns)}."
        )
    for level, weight in by_level.items():
        row = coding.rows[coding.levels.index(level)]
        for column, value in zip(coding.columns, row, strict=True):
            weights[position[column]] += weight * float(value)


class _Reader:
    """Recursive reader of linear expressions; names may hold symbols, so the longest match wins."""

    def __init__(self, text: str, known: Sequence[str], entangled: Mapping[str, Sequence[str]]) -> None:
        if not isinstance(text, str) or not text.strip():
            raise FormulaError("A contrast is a text such as 'cancer[Biopsy] - cancer[Cancer]'; nothing was given.")
        self.text = text
        self.known = known
        self.by_length = sorted(known, key=len, reverse=True)
        self.entangled = entangled
        self.place = 0
        self.depth = 0

    def read(self) -> LinearForm:
        form = self.sum()
        if self.peek():
            raise self.problem(f"cannot be read from '{self.text[self.place :][:30]}' on")
        return form

    def problem(self, what: str) -> FormulaError:
        return FormulaError(
            f"The contrast '{self.text[:200]}' {what}. Write a sum of names with numbers in front. Names: "
            f"{quote_list(self.known, 30)}."
        )

    def peek(self) -> str:
        while self.place < len(self.text) and self.text[self.place].isspace():
            self.place += 1
        return self.text[self.place : self.place + 1]

    def take(self, symbols: str) -> str:
        symbol = self.peek()
        if symbol and symbol in symbols:
            self.place += 1
            return symbol
        return ""

    def sum(self) -> LinearForm:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise self.problem("is nested too deeply")
        form = self.product()
        while sign := self.take("+-"):
            form = _combine(form, self.product(), -1.0 if sign == "-" else 1.0)
        self.depth -= 1
        return form

    def product(self) -> LinearForm:
        form = self.item()
        while operator := self.take("*/"):
            form = self.times(form, self.item(), operator)
        return form

    def times(self, left: LinearForm, right: LinearForm, operator: str) -> LinearForm:
        if operator == "*" and set(left) <= {_CONSTANT}:
            left, right = right, left
        if not set(right) <= {_CONSTANT}:
            raise self.problem("multiplies or divides two names" if operator == "*" else "divides by a name")
        number = right.get(_CONSTANT, 0.0)
        if operator == "/" and number == 0.0:
            raise self.problem("divides by zero")
        factor = number if operator == "*" else 1.0 / number
        return {name: weight * factor for name, weight in left.items()}

    def item(self) -> LinearForm:
        negative = False
        while sign := self.take("+-"):
            negative ^= sign == "-"
        form = self.bracket() if self.take("(") else self.atom()
        return {name: -weight for name, weight in form.items()} if negative else form

    def bracket(self) -> LinearForm:
        form = self.sum()
        if not self.take(")"):
            raise self.problem("has a bracket that is not closed")
        return form

    def atom(self) -> LinearForm:
        if self.peek() == "`":
            return {self.quoted(): 1.0}
        number = _NUMBER.match(self.text, self.place)
        if number:
            self.place = number.end()
            return {_CONSTANT: float(number.group())}
        return {self.name(): 1.0}

    def quoted(self) -> str:
        """Read a name in backquotes, with a level in square brackets behind it if there is one."""
        end = self.text.find("`", self.place + 1)
        if end < 0:
            raise self.problem("has a backquote without a partner")
        name = self.text[self.place + 1 : end]
        suffix = re.compile(r"\[[^\]]*\]").match(self.text, end + 1)
        self.place = end + 1
        if suffix and name + suffix.group() in self.known:
            self.place = suffix.end()
            return name + suffix.group()
        if name in self.known:
            return name
        raise self.unknown(name + (suffix.group() if suffix else ""))

    def name(self) -> str:
        rest = self.text[self.place :]
        for name in self.by_length:
            if rest.startswith(name) and not re.match(r"[\w\[:.(]", rest[len(name) :][:1]):
                self.place += len(name)
                return name
        chunk = _CHUNK.match(rest)
        found = chunk.group() if chunk else ""
        if not found:
            raise self.problem(f"lacks a name or a number at '{rest[:20] or 'the end'}'")
        raise self.unknown(found)

    def unknown(self, name: str) -> FormulaError | NotEstimableError:
        variable = name.split("[", 1)[0]
        if variable in self.entangled and "[" in name and not name.startswith(f"{variable}[T."):
            return NotEstimableError(
                f"`{name}`: the variable `{variable}` takes part in {quote_list(self.entangled[variable])}, "
                "so the difference of its levels depends on the other variable. Write the contrast with "
                f"coefficient names: {quote_list(self.known, 30)}."
            )
        hint = near_matches(name, chain(self.known, self.entangled))
        return FormulaError(
            f"`{name}` in the contrast '{self.text[:200]}' is not a design column or a level.{hint} "
            f"Names: {quote_list(self.known, 30)}."
        )


def _combine(left: LinearForm, right: LinearForm, sign: float) -> LinearForm:
    return {name: left.get(name, 0.0) + sign * right.get(name, 0.0) for name in dict.fromkeys([*left, *right])}
