"""``--set key=value`` is read as data."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

from latentadj import CATE, SVA
from latentadj.cli.settings import method_options, require_types, setting, typed
from latentadj.exceptions import MethodError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("-2.5", -2.5),
        ("1e-3", 1e-3),
        ("true", True),
        ("False", False),
        ("None", None),
        ("sva", "sva"),
        ("'5'", "5"),
        ("[1, 'a']", [1, "a"]),
        ("", ""),
        ("1,5", (1, 5)),
        ("a=b", "a=b"),
        ("__import__('os').getcwd()", "__import__('os').getcwd()"),
        ("(" * 500 + ")" * 500, "(" * 500 + ")" * 500),
        ("9" * 2000, "9" * 2000),
    ],
    ids=lambda value: str(value)[:20],
)
def test_values(text: str, value: Any) -> None:
    found = typed(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", ["max_iter", "=3", "max iter=3", "n_factors=3", "controls=a", "model=x"])
def test_keys_that_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        setting(text)


def test_repeated_key() -> None:
    with pytest.raises(MethodError, match=r"tol is given twice: 0\.1 and 0\.2"):
        method_options([("tol", 0.1), ("tol", 0.2)])


def test_types() -> None:
    require_types(SVA, {"max_iter": 5, "tol": 1, "compat": "sva"})
    require_types(CATE, {"factor_analysis": "pc"})
    for cls, options in ((SVA, {"max_iter": 5.0}), (SVA, {"max_iter": True}), (CATE, {"factor_analysis": 3})):
        with pytest.raises(MethodError, match="expects"):
            require_types(cls, options)
