"""Formula text to terms: two parts, tokens checked before formulaic's parser sees them.

The order of the steps matters. formulaic's parser can evaluate parts of a left-hand side while parsing, so
the text is cut into tokens first (plain string work), every token is checked, and only then is the text
parsed. The factors that come out are checked once more, because they are what will be evaluated.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from formulaic.errors import FormulaicError
from formulaic.parser import DefaultFormulaParser
from formulaic.parser.algos.tokenize import tokenize
from formulaic.parser.types import Factor, Term, Token

from latentadj.design.expressions import CODING_NAMES, TRANSFORMS, ExpressionUse, check_expression
from latentadj.design.wording import near_matches, quote_list
from latentadj.exceptions import FormulaError, LatentAdjError

MAX_LENGTH = 5000
MAX_CROSSINGS = 8
MAX_CROSSING_POWER = 4
_QUOTED = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|`([^`]*)`")
_COLOUR = re.compile("\x1b\\[[0-9;]*m")
_RESERVED = frozenset(TRANSFORMS) | CODING_NAMES | {"np", "contr", "log", "log2", "log10", "exp", "exp2"}


@dataclass(frozen=True)
class ParsedFormula:
    """A checked formula, ready to be evaluated on a table.

    Attributes
    ----------
    text : str
        The formula as given.
    nuisance, primary : tuple of formulaic Term
        Terms of part two (with the intercept, the term ``1``) and of part one, lower orders first.
    aliases : dict
        Stand-in identifier -> column name, for names that are not identifiers.
    variables : tuple of str
        Data columns read, in order of appearance.
    categorical : frozenset of str
        Data columns that stand inside ``C(...)``.
    uses : dict
        Factor text -> what it reads.

    Examples
    --------
    >>> parse_formula("~ x | C(batch)", ["x", "batch"]).variables
    ('batch', 'x')
    """

    text: str
    nuisance: tuple[Term, ...]
    primary: tuple[Term, ...]
    aliases: dict[str, str] = field(default_factory=dict)
    variables: tuple[str, ...] = ()
    categorical: frozenset[str] = frozenset()
    uses: dict[str, ExpressionUse] = field(default_factory=dict)

    def restore(self, text: str) -> str:
        """Put the column names back where stand-ins are.

        Examples
        --------
        >>> parsed = parse_formula("~ `cell type`", ["cell type"])
        >>> parsed.restore(str(parsed.primary[0]))
        'cell type'
        """
        for alias, name in self.aliases.items():
            text = text.replace(alias, name)
        return text

    def variables_of(self, term: Term) -> tuple[str, ...]:
        """Return the data columns that a term reads.

        Examples
        --------
        >>> parsed = parse_formula("~ np.log(a):b", ["a", "b"])
        >>> parsed.variables_of(parsed.primary[0])
        ('a', 'b')
        """
        names = (name for factor in term.factors for name in self._use(factor.expr))
        return tuple(dict.fromkeys(names))

    def _use(self, expression: str) -> tuple[str, ...]:
        use = self.uses.get(expression)
        return use.variables if use is not None else ()


def parse_formula(formula: str, columns: Collection[str]) -> ParsedFormula:
    """Parse ``"~ primary | nuisance"`` and check that it only reads columns and calls allowed functions.

    Parameters
    ----------
    formula : str
        Part one is tested, part two is adjusted for and holds the intercept. Without a bar, part two is the
        intercept. ``""``, ``"~ 0"`` and ``"~ 1 | age"`` have nothing to test.
    columns : collection of str
        Column names of the sample table.

    Returns
    -------
    ParsedFormula

    Raises
    ------
    FormulaError
        The text cannot be parsed, names an unknown column, has a left-hand side or more than two parts, or
        calls something that is not allowed.

    Examples
    --------
    >>> parsed = parse_formula("~ cancer | np.log(age)", ["cancer", "age"])
    >>> [str(term) for term in parsed.nuisance], [str(term) for term in parsed.primary]
    (['1', 'np.log(age)'], ['cancer'])
    """
    body = _body(formula)
    body, aliases = _replace_backquotes(body, columns)
    known = frozenset(columns) | frozenset(aliases)
    _check_tokens(body, known, aliases)
    primary, nuisance = _parts(body, formula)
    uses = _check_factors([*nuisance, *primary], known, aliases)
    _check_parts(primary, nuisance, formula)
    return ParsedFormula(
        text=formula.strip(),
        nuisance=_by_order(nuisance),
        primary=_by_order(term for term in primary if not _is_constant(term)),
        aliases=aliases,
        variables=tuple(dict.fromkeys(name for use in uses.values() for name in use.variables)),
        categorical=frozenset(name for use in uses.values() for name in use.categorical),
        uses=uses,
    )


def quoted_sum(names: Sequence[str]) -> str:
    """Write column names as a sum of backquoted terms, ``"0"`` when there are none.

    Examples
    --------
    >>> quoted_sum(["age", "cell type"])
    '`age` + `cell type`'
    """
    bad = [name for name in names if "`" in name]
    if bad:
        raise FormulaError(f"Column names may not hold a backquote: {quote_list(bad)}. Rename them.")
    return " + ".join(f"`{name}`" for name in names) or "0"


def _body(formula: object) -> str:
    """Return the text after the tilde, with an empty part one spelled out."""
    if not isinstance(formula, str):
        raise FormulaError(f"A formula is a text such as '~ disease | age', not {type(formula).__name__}.")
    if len(formula) > MAX_LENGTH:
        raise FormulaError(
            f"The formula has {len(formula)} characters, more than {MAX_LENGTH}. Give lists of column names instead."
        )
    body = formula.strip().removeprefix("~").strip()
    if body.startswith("|"):
        return f"1 {body}"
    return body or "1"


def _replace_backquotes(body: str, columns: Collection[str]) -> tuple[str, dict[str, str]]:
    """Swap names in backquotes for identifiers, so that no later step has quoting to read differently."""
    prefix = "_column"
    while any(prefix in text for text in (body, *columns)):
        prefix += "_"
    aliases: dict[str, str] = {}

    def swap(match: re.Match[str]) -> str:
        name = match.group(1)
        if name is None:
            return match.group(0)
        if name not in columns:
            raise _unknown_column(name, columns)
        if name.isidentifier() and not keyword.iskeyword(name) and name not in _RESERVED:
            return name
        existing = {column: alias for alias, column in aliases.items()}
        alias = existing.get(name, f"{prefix}{len(aliases)}q")
        aliases[alias] = name
        return alias

    body = _QUOTED.sub(swap, body)
    if "`" in body:
        raise FormulaError("The formula has a backquote without a partner. Write odd column names as `like this`.")
    return body, aliases


def _check_tokens(body: str, known: frozenset[str], aliases: dict[str, str]) -> None:
    """Check every token before the parser runs."""
    try:
        tokens = list(tokenize(body))
    except FormulaicError as error:
        raise _cannot_parse(body, error) from None
    depth = 0
    previous = ""
    for token in tokens:
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(token.token, 0) if _is(token, "context") else 0
        if _is(token, "operator"):
            _check_operator(token.token, depth)
        elif _is(token, "value"):
            _check_number(token.token, previous)
        elif _is(token, "python"):
            _check_python(token.token, known, aliases)
        previous = token.token
    _check_size(tokens)


def _check_python(text: str, known: frozenset[str], aliases: dict[str, str]) -> ExpressionUse:
    """Check an expression; messages show column names, not their stand-ins."""
    try:
        use = check_expression(text, known)
    except FormulaError as error:
        message = str(error)
        for alias, name in aliases.items():
            message = message.replace(alias, name)
        raise FormulaError(message) from None
    return ExpressionUse(
        tuple(aliases.get(name, name) for name in use.variables),
        frozenset(aliases.get(name, name) for name in use.categorical),
    )


def _check_operator(operator: str, depth: int) -> None:
    if "~" in operator:
        raise FormulaError(
            "A formula here has no left-hand side: the measured matrix is given apart. Write '~ disease | "
            "age', with the tested variables first and the adjustment variables after the bar."
        )
    if "|" in operator and depth:
        raise FormulaError(
            "A bar inside brackets (a random effect) is not supported. Put the grouping column into part "
            "two as a fixed effect: '~ disease | subject'."
        )
    if operator.strip("+-*:/^|") or operator == ".":
        raise FormulaError(f"`{operator}` is not an operator of a formula. Allowed are + - : * / ** and one bar |.")


def _check_number(text: str, previous: str) -> None:
    if previous in {"**", "^"}:
        if text.isdigit() and int(text[:9]) <= MAX_CROSSING_POWER:
            return
        raise FormulaError(f"Crossing to the power {text[:20]} is not allowed; the limit is {MAX_CROSSING_POWER}.")
    if text == ".":
        raise FormulaError("A dot for 'all other columns' is not supported. List the columns, or give lists of names.")
    if text not in {"0", "1"}:
        raise FormulaError(
            f"The number or text {text[:20]} stands alone in the formula. Allowed are 0 and 1 (the "
            "intercept); write {2 * x} or I(x ** 2) for arithmetic."
        )


def _check_size(tokens: list[Token]) -> None:
    operators = [token.token for token in tokens if _is(token, "operator")]
    if sum(text.count("*") - 2 * text.count("**") + text.count("/") for text in operators) > MAX_CROSSINGS:
        raise FormulaError(
            f"More than {MAX_CROSSINGS} crossings (* or /) in one formula. Name the interactions with ':'."
        )
    if sum(text.count("**") + text.count("^") for text in operators) > 2:
        raise FormulaError("More than two powers in one formula. Name the interactions with ':'.")
    if sum(text.count("|") for text in operators) > 1:
        raise FormulaError("A formula has two parts, '~ tested | adjusted for'; more than one bar was found.")


def _parts(body: str, formula: str) -> tuple[list[Term], list[Term]]:
    """Run formulaic's parser; return the terms of part one and part two."""
    try:
        parsed: Any = DefaultFormulaParser(feature_flags={"MULTIPART"}).get_terms(body)
        root = parsed.root
        parts = [list(part) for part in root] if isinstance(root, tuple) else [list(root)]
    except LatentAdjError:
        raise
    except Exception as error:
        raise _cannot_parse(formula, error) from None
    intercept = list(DefaultFormulaParser().get_terms("1").root)
    return parts[0], parts[1] if len(parts) == 2 else intercept


def _check_factors(terms: Iterable[Term], known: frozenset[str], aliases: dict[str, str]) -> dict[str, ExpressionUse]:
    """Check what the parser made: exactly these texts are looked up or evaluated later."""
    uses: dict[str, ExpressionUse] = {}
    for factor in (factor for term in terms for factor in term.factors):
        expression = str(factor.expr)
        if factor.eval_method is Factor.EvalMethod.PYTHON:
            uses[expression] = _check_python(expression, known, aliases)
        elif factor.eval_method is Factor.EvalMethod.LOOKUP:
            if expression not in known:
                raise _unknown_column(expression, known - frozenset(aliases))
            uses[expression] = ExpressionUse((aliases.get(expression, expression),), frozenset())
        elif expression != "1":
            raise FormulaError(f"The number {expression} may not scale a term; write {{{expression} * x}}.")
    return uses


def _check_parts(primary: list[Term], nuisance: list[Term], formula: str) -> None:
    if primary and not any(_is_constant(term) for term in primary):
        raise FormulaError(
            f"Part one of '{formula}' removes the intercept, but the intercept belongs to part two. "
            "Write '~ disease | 0' to fit without an intercept, or leave the 0 out."
        )
    twice = [str(term) for term in primary if not _is_constant(term) and term in nuisance]
    if twice:
        raise FormulaError(
            f"{quote_list(twice)} stands in both parts of '{formula}'. A term is either tested (before the "
            "bar) or adjusted for (after the bar): remove it from one of them."
        )


def _unknown_column(name: str, columns: Collection[str]) -> FormulaError:
    hint = near_matches(name, columns)
    return FormulaError(f"`{name}` is not a column of the sample table.{hint} Columns: {quote_list(sorted(columns))}.")


def _cannot_parse(formula: str, error: Exception) -> FormulaError:
    reason = _COLOUR.sub("", str(error)).strip().split("\n")[0]
    return FormulaError(
        f"The formula '{formula[:200]}' cannot be parsed: {reason} Write it like '~ disease | age + batch'; "
        "put column names with blanks or symbols in backquotes."
    )


def _by_order(terms: Iterable[Term]) -> tuple[Term, ...]:
    return tuple(sorted(terms, key=lambda term: 0 if _is_constant(term) else len(term.factors)))


def _is_constant(term: Term) -> bool:
    return all(factor.eval_method is Factor.EvalMethod.LITERAL for factor in term.factors)


def _is(token: Token, kind: str) -> bool:
    return token.kind is not None and token.kind.value == kind
