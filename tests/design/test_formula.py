"""Formula parsing: the two parts, the allow list, and attacks on it."""

from __future__ import annotations

import contextlib

import numpy as np
import pandas as pd
import pytest

from latentadj.design import Design
from latentadj.design.formula import parse_formula
from latentadj.exceptions import FormulaError

COLUMNS = ["location", "sex", "batch", "age", "odd name", "1st", "class", "a", "b"]


def parts(formula: str) -> tuple[list[str], list[str]]:
    parsed = parse_formula(formula, COLUMNS)
    names = [[parsed.restore(str(term)) for term in part] for part in (parsed.primary, parsed.nuisance)]
    return names[0], names[1]


@pytest.mark.parametrize(
    ("formula", "primary", "nuisance"),
    [
        ("~ location | sex + batch", ["location"], ["1", "sex", "batch"]),
        ("location | sex", ["location"], ["1", "sex"]),
        ("~ location", ["location"], ["1"]),
        ("~location|0+age", ["location"], ["age"]),
        ("~ location | -1 + age", ["location"], ["age"]),
        ("~ 1 | age", [], ["1", "age"]),
        ("~ | age", [], ["1", "age"]),
        ("~ 0 | age", [], ["1", "age"]),
        ("~ 0", [], ["1"]),
        ("~ 1", [], ["1"]),
        ("", [], ["1"]),
        ("~ a:b | a + b", ["a:b"], ["1", "a", "b"]),
        ("~ a*b | age", ["a", "b", "a:b"], ["1", "age"]),
        ("~ (a + b)**2", ["a", "b", "a:b"], ["1"]),
        ("~ `odd name` + `1st` + `class`", ["odd name", "1st", "class"], ["1"]),
        ("~ np.log(`odd name`) | {age * 2}", ["np.log(odd name)"], ["1", "age * 2"]),
    ],
)
def test_two_parts(formula: str, primary: list[str], nuisance: list[str]) -> None:
    assert parts(formula) == (primary, nuisance)


@pytest.mark.parametrize(
    "formula",
    [
        "~ np.log(age)",
        "~ np.log1p(age) + np.sqrt(age) + np.exp(age) + log2(age)",
        "~ C(batch) + C(sex, contr.treatment('m')) + C(sex, Treatment(reference='m')) + C(sex, Sum)",
        "~ center(age) + scale(age) + standardize(age)",
        "~ poly(age, 2) + bs(age, df=4, extrapolation='clip') + cr(age, df=3) + cs(age, df=3)",
        "~ cc(age, df=3)",
        "~ I(age ** 2) + {age + 1} + I(age > 50) + I(-age / 2)",
        "~ Q('odd name')",
    ],
)
def test_allowed_calls(formula: str) -> None:
    assert parse_formula(formula, COLUMNS).primary


ATTACKS = [
    "~ {__import__('os').system('touch PWNED')}",
    "~ __import__('os').system('touch PWNED')",
    "{__import__('os').system('touch PWNED')()} ~ age",
    "{open('PWNED', 'w')()} ~ age",
    "~ {open('PWNED', 'w').write('x')}",
    "~ I(open('PWNED', 'w'))",
    "~ age | {open('PWNED', 'w')}",
    '~ eval(\'open("PWNED", "w")\')',
    "~ exec('x')",
    "~ np.save('PWNED', age)",
    "~ np.load('PWNED')",
    "~ np.fromfile('PWNED')",
    "~ np.lib.npyio.load('PWNED')",
    "~ np.log.__class__(age)",
    "~ np.log(age, age)",
    "~ np.log(age, out=age)",
    "~ np.log(age, **{})",
    "~ np.log(*age)",
    "~ age.to_csv('PWNED')",
    "~ {age.to_csv('PWNED')}",
    "~ I(age.values)",
    "~ age[0]",
    "~ {age[0]}",
    "~ {[c for c in ().__class__.__bases__]}",
    "~ {().__class__.__base__.__subclasses__()}",
    "~ {lambda: age}",
    "~ (lambda: 1)()",
    "~ {(lambda: age)()}",
    "~ I((x := age))",
    "~ I(age if age else age)",
    "~ I(f'{age}')",
    "~ {age.__class__}",
    "~ {np}",
    "~ np",
    "~ C",
    "~ C(sex, contr.__class__)",
    "~ C(sex, contr.treatment.__init__)",
    "~ C(sex, _state={})",
    "~ C(sex, _context=age)",
    "~ poly(age, _state=1)",
    "~ C(sex, contr.treatment(open('PWNED', 'w')))",
    "~ Q(open('PWNED', 'w'))",
    "~ Q('__builtins__')",
    "~ Q('np')",
    "~ __FORMULAIC_CONTEXT__",
    "~ {__FORMULAIC_STATE__}",
    "~ hashed(sex)",
    "~ lag(age)",
    "~ exp10(age)",
    "~ {9**9**9**9}",
    "~ {((9**9)**9)**9}",
    "~ {age ** 99999}",
    "~ {'a' * 999999999}",
    "~ {[0] * 999999999}",
    "~ poly(age, 999999999)",
    "~ bs(age, df=999999999)",
    "~ np.log(`age) + open('PWNED')  #`)",
    '~ np.log(`age"`) + {open("PWNED", \'w\')}',
    "~ C(sex, levels=['}', open('PWNED', 'w')])",
    "~ {'}' + open('PWNED', 'w')}",
    "~ np.log(age)(age)",
    "~ np.log(age).real",
    "~ [age ~ sex]",
    "~ {await age}",
    "~ {yield age}",
    "~ {1}",
    "~ {True}",
]


@pytest.mark.parametrize("formula", ATTACKS)
def test_attacks_are_refused_before_anything_runs(formula, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    table = pd.DataFrame({"age": [30.0, 41.0, 52.0, 66.0], "sex": list("mfmf")})
    with pytest.raises(FormulaError):
        Design.from_formula(formula, table)
    assert list(tmp_path.iterdir()) == []


def test_parsing_alone_would_have_run_the_left_hand_side(tmp_path, monkeypatch) -> None:
    """Why tokens are checked first: formulaic evaluates a callee on the left side while parsing."""
    from formulaic.parser import DefaultFormulaParser

    attack = "{open('PWNED', 'w')()} ~ age"
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FormulaError, match="not allowed"):
        parse_formula(attack, ["age"])
    assert not (tmp_path / "PWNED").exists()
    with contextlib.suppress(Exception):
        DefaultFormulaParser().get_terms(attack)
    if not (tmp_path / "PWNED").exists():
        pytest.skip("this formulaic version no longer evaluates while parsing")


def test_shadowed_function_name_is_refused() -> None:
    with pytest.raises(FormulaError, match="rename the column"):
        parse_formula("~ np.log(age)", ["age", "np"])
    assert parse_formula("~ scale", ["scale"]).variables == ("scale",)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("~ lcation", "`lcation` is not a column.*Did you mean `location`"),
        ("~ np.log(aeg)", "`aeg`.*Did you mean `age`"),
        ("~ `odd nam`", "`odd nam` is not a column.*Did you mean `odd name`"),
        ("y ~ age", "no left-hand side"),
        ("~ a | b | age", "more than one bar"),
        ("~ age + (1 | sex)", "random effect"),
        ("~ .", "all other columns"),
        ("~ 0 + location", "intercept belongs to part two"),
        ("~ sex | sex", "`sex` stands in both parts"),
        ("~ 3 * age", r"\{2 \* x\}"),
        ("~ (a", "cannot be parsed"),
        ("~ `a", "backquote without a partner"),
        ("~ a @ b", "not an operator"),
        ("~ a*b*age*sex*a*b*age*sex*a*b*age", "crossings"),
        ("~ (a + b)**9", "power 9"),
        ("~ " + "a + " * 2000 + "a", "characters"),
    ],
)
def test_messages_say_what_is_wrong(formula: str, message: str) -> None:
    with pytest.raises(FormulaError, match=message):
        parse_formula(formula, COLUMNS)


def test_messages_list_the_columns() -> None:
    with pytest.raises(FormulaError, match="Columns: `1st`, `a`, `age`, `b`, `batch`"):
        parse_formula("~ zzz", COLUMNS)


def test_not_a_text() -> None:
    with pytest.raises(FormulaError, match="not int"):
        parse_formula(3, COLUMNS)  # type: ignore[arg-type]


def test_stand_ins_never_collide_with_columns() -> None:
    table = pd.DataFrame({"_column0q": [1.0, 2.0, 4.0], "odd name": [3.0, 1.0, 1.0]})
    design = Design.from_formula("~ np.log(`odd name`) + `_column0q`", table)
    assert design.names == ("Intercept", "np.log(odd name)", "_column0q")
    np.testing.assert_array_equal(design.primary[:, 1], table["_column0q"])
