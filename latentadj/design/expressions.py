"""What a formula may compute: an allow list over the syntax tree of each expression.

formulaic evaluates the text of a call or of ``{...}`` as Python. Here every such text is parsed first (never
run), and refused unless it consists of data columns, numbers, arithmetic, comparisons, NumPy's elementwise
functions and formulaic's own transforms.
"""

from __future__ import annotations

import ast
from collections.abc import Collection
from dataclasses import dataclass

from latentadj.design.wording import near_matches, quote_list
from latentadj.exceptions import FormulaError

_ONE_ARGUMENT = (
    "abs absolute arccos arccosh arcsin arcsinh arctan arctanh cbrt ceil cos cosh deg2rad degrees exp exp2 "
    "expm1 fabs floor isfinite log log10 log1p log2 negative positive rad2deg radians reciprocal rint sign "
    "sin sinh sqrt square tan tanh trunc"
)
NUMPY_FUNCTIONS: dict[str, int] = {
    **dict.fromkeys(_ONE_ARGUMENT.split(), 1),
    **dict.fromkeys(["add", "divide", "hypot", "maximum", "minimum", "multiply", "subtract"], 2),
    "clip": 3,
}
BARE_NUMPY = frozenset({"log", "log2", "log10", "exp", "exp2"})

_SPLINE = frozenset({"df", "knots", "lower_bound", "upper_bound", "constraints", "extrapolation"})
TRANSFORMS: dict[str, frozenset[str]] = {
    "C": frozenset({"contrasts", "levels", "spans_intercept"}),
    "I": frozenset(),
    "Q": frozenset(),
    "bs": frozenset({"df", "knots", "degree", "include_intercept", "lower_bound", "upper_bound", "extrapolation"}),
    "cc": _SPLINE,
    "center": frozenset(),
    "cr": _SPLINE,
    "cs": _SPLINE,
    "poly": frozenset({"degree", "raw"}),
    "scale": frozenset({"center", "scale", "ddof"}),
    "standardize": frozenset({"center", "rescale", "ddof"}),
}
CODING_NAMES = frozenset({"Treatment", "Poly", "Sum", "Helmert", "Diff"})
CODING_ATTRIBUTES = frozenset({"treatment", "SAS", "sum", "helmert", "diff", "poly"})

MAX_EXPONENT = 10
MAX_COLUMNS_OF_A_CALL = 100
_ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.BitAnd, ast.BitOr)
_COMPARISONS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)


@dataclass(frozen=True)
class ExpressionUse:
    """What one checked expression reads.

    Attributes
    ----------
    variables : tuple of str
        Data columns in order of appearance.
    categorical : frozenset of str
        Those that stand directly inside ``C(...)``.

    Examples
    --------
    >>> check_expression("C(batch)", ["batch"]).categorical
    frozenset({'batch'})
    """

    variables: tuple[str, ...]
    categorical: frozenset[str]


def check_expression(expression: str, columns: Collection[str]) -> ExpressionUse:
    """Refuse an expression that is more than data columns and allowed functions.

    Parameters
    ----------
    expression : str
        Text that would be evaluated, such as ``"np.log(age)"``.
    columns : collection of str
        Names of the data columns that it may read.

    Returns
    -------
    ExpressionUse

    Raises
    ------
    FormulaError
        The text is no expression, reads an unknown name, or uses anything outside the allow list.

    Notes
    -----
    Nothing is evaluated here. The list is one of permissions: a kind of syntax that is not named is refused.

    Examples
    --------
    >>> check_expression("np.log(age)", ["age"]).variables
    ('age',)
    >>> check_expression("age.to_csv('x')", ["age"])
    Traceback (most recent call last):
    ...
    latentadj.exceptions.FormulaError: In the formula, `age.to_csv('x')` calls `age.to_csv`, which...
    """
    try:
        tree = ast.parse(expression, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise FormulaError(
            f"In the formula, `{expression[:80]}` is not a valid expression. Allowed are data columns, "
            "numbers, arithmetic, NumPy's elementwise functions (np.log, np.sqrt, ...) and transforms such "
            "as C, center, scale, poly, bs, cr. Put odd column names in backquotes."
        ) from None
    checker = _Checker(expression, frozenset(columns))
    try:
        checker.value(tree.body)
    except RecursionError:
        raise checker.refusal("is nested too deeply") from None
    if not checker.variables:
        raise checker.refusal("reads no column of the sample table")
    return ExpressionUse(tuple(dict.fromkeys(checker.variables)), frozenset(checker.categorical))


class _Checker:
    """Walk one syntax tree; remember the columns read, refuse what is not on the list."""

    def __init__(self, expression: str, columns: frozenset[str]) -> None:
        self.expression = expression
        self.columns = columns
        self.variables: list[str] = []
        self.categorical: set[str] = set()

    def refusal(self, what: str) -> FormulaError:
        return FormulaError(
            f"In the formula, `{self.expression[:80]}` {what}. A formula is data, not code: allowed are "
            "data columns, numbers, arithmetic, comparisons, np.log, np.log2, np.log1p, np.sqrt, np.exp and "
            f"NumPy's other elementwise functions, and {', '.join(sorted(TRANSFORMS))}. Compute anything "
            "else as a new column of the sample table."
        )

    def value(self, node: ast.expr) -> None:
        """Check a node that stands for one value per sample."""
        match node:
            case ast.Name():
                self.column(node.id)
            case ast.Constant(value=int() | float()):
                pass
            case ast.BinOp():
                self.arithmetic(node)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
                self.value(node.operand)
            case ast.Compare():
                self.comparison(node)
            case ast.Call():
                self.call(node)
            case _:
                raise self.refusal(f"holds `{ast.unparse(node)[:40]}`, which is not allowed")

    def column(self, name: str) -> None:
        if name not in self.columns:
            raise FormulaError(
                f"`{name}` (in `{self.expression[:80]}`) is not a column of the sample table."
                f"{near_matches(name, self.columns)} Columns: {quote_list(sorted(self.columns))}."
            )
        self.variables.append(name)

    def arithmetic(self, node: ast.BinOp) -> None:
        if not isinstance(node.op, _ARITHMETIC):
            raise self.refusal("uses an operator that is not allowed")
        if isinstance(node.op, ast.Pow):
            self.power(node)
        self.value(node.left)
        self.value(node.right)

    def power(self, node: ast.BinOp) -> None:
        """Keep powers to columns with a small exponent: ``9 ** 9 ** 9 ** 9`` never ends."""
        exponent = node.right.operand if isinstance(node.right, ast.UnaryOp) else node.right
        size = exponent.value if isinstance(exponent, ast.Constant) else None
        if not isinstance(size, int | float) or abs(size) > MAX_EXPONENT:
            raise self.refusal(f"has a power whose exponent is not a number up to {MAX_EXPONENT}")
        if not any(isinstance(part, ast.Name) for part in ast.walk(node.left)):
            raise self.refusal("has a power of a constant")

    def comparison(self, node: ast.Compare) -> None:
        if len(node.ops) != 1 or not isinstance(node.ops[0], _COMPARISONS):
            raise self.refusal("holds a comparison that is not allowed (one of < <= > >= == !=)")
        for side in (node.left, node.comparators[0]):
            if not isinstance(side, ast.Constant):
                self.value(side)

    def call(self, node: ast.Call) -> None:
        name = ast.unparse(node.func)
        root = name.split(".", 1)[0]
        bare = name.removeprefix("np.")
        if root in self.columns and (bare in NUMPY_FUNCTIONS or name in TRANSFORMS):
            raise self.refusal(f"calls `{name}` while the sample table has a column `{root}`: rename the column")
        if bare in NUMPY_FUNCTIONS and (bare != name or name in BARE_NUMPY):
            self.numpy_call(node, name, NUMPY_FUNCTIONS[bare])
        elif name in TRANSFORMS:
            self.transform_call(node, name)
        else:
            raise self.refusal(f"calls `{name[:40]}`, which is not allowed")

    def numpy_call(self, node: ast.Call, name: str, n_arguments: int) -> None:
        if node.keywords or len(node.args) != n_arguments:
            raise self.refusal(f"calls `{name}`, which here takes exactly {n_arguments} plain argument(s)")
        for argument in node.args:
            self.value(argument)

    def transform_call(self, node: ast.Call, name: str) -> None:
        if not node.args:
            raise self.refusal(f"calls `{name}` without a column")
        for keyword in node.keywords:
            if keyword.arg not in TRANSFORMS[name]:
                raise self.refusal(f"gives `{name}` the argument `{keyword.arg}`, which is not allowed")
        if name == "Q":
            self.quoted_column(node)
            return
        self.value(node.args[0])
        if name == "C" and isinstance(node.args[0], ast.Name):
            self.categorical.add(node.args[0].id)
        for option in [*node.args[1:], *(keyword.value for keyword in node.keywords)]:
            self.option(option, coding=name == "C")

    def quoted_column(self, node: ast.Call) -> None:
        argument = node.args[0]
        if len(node.args) != 1 or not (isinstance(argument, ast.Constant) and isinstance(argument.value, str)):
            raise self.refusal("calls `Q` with something else than one column name in quotes")
        self.column(argument.value)

    def option(self, node: ast.expr, *, coding: bool) -> None:
        """Check an argument after the first one: literals, lists of literals, and codings for ``C``."""
        if coding and self.is_coding(node):
            return
        if isinstance(node, ast.List | ast.Tuple):
            for item in node.elts:
                self.literal(item)
        else:
            self.literal(node)
            number = node.value if isinstance(node, ast.Constant) else None
            if not coding and isinstance(number, int) and number > MAX_COLUMNS_OF_A_CALL:
                raise self.refusal(
                    f"asks for {str(number)[:20]} columns, more than the {MAX_COLUMNS_OF_A_CALL} allowed "
                    "(write the bounds of a spline with a decimal point)"
                )

    def literal(self, node: ast.expr) -> None:
        inner = node.operand if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd) else node
        value = inner.value if isinstance(inner, ast.Constant) else ...
        if not isinstance(value, int | float | str | None):
            raise self.refusal(f"has the argument `{ast.unparse(node)[:40]}`, which is not a plain number or text")

    def is_coding(self, node: ast.expr) -> bool:
        """Tell whether the node is a coding such as ``Sum``, ``contr.sum`` or ``contr.treatment("B")``."""
        function = node.func if isinstance(node, ast.Call) else node
        named = isinstance(function, ast.Name) and function.id in CODING_NAMES - self.columns
        dotted = isinstance(function, ast.Attribute) and ast.unparse(function) in {
            f"contr.{name}" for name in CODING_ATTRIBUTES if "contr" not in self.columns
        }
        if not (named or dotted):
            return False
        if isinstance(node, ast.Call):
            for option in [*node.args, *(keyword.value for keyword in node.keywords)]:
                self.literal(option)
            if any(keyword.arg not in {"base", "reference", "scores"} for keyword in node.keywords):
                raise self.refusal("gives a coding an argument that is not allowed")
        return True
