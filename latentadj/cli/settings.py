"""Options of a method given as ``--set key=value``: read as data, never evaluated."""

from __future__ import annotations

import argparse
import ast
import inspect
from collections.abc import Sequence
from typing import Any

from latentadj.exceptions import MethodError
from latentadj.factors import LatentFactorEstimator

_WORDS = {"true": True, "false": False, "none": None, "null": None}
_MAX_LENGTH = 1000

#: Options with a flag of their own.
_ELSEWHERE = {
    "n_factors": "use --n-factors",
    "controls": "use --controls",
    "random_state": "use --seed",
    "model": "use --model",
}


def setting(text: str) -> tuple[str, Any]:
    """Split ``key=value`` and give the value its type.

    Parameters
    ----------
    text : str
        The value is a number, true, false, none, a list of these in Python's notation, or else text.

    Returns
    -------
    key : str
    value : int, float, bool, str, list or None

    Raises
    ------
    argparse.ArgumentTypeError
        Without a key or a sign of equality, or a key with a flag of its own.

    Examples
    --------
    >>> setting("tol=1e-3"), setting("compat=sva"), setting("robust=true")
    (('tol', 0.001), ('compat', 'sva'), ('robust', True))
    """
    key, mark, value = text.partition("=")
    key = key.strip()
    if not mark or not key.isidentifier():
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form key=value")
    if key in _ELSEWHERE:
        raise argparse.ArgumentTypeError(f"{key} cannot be set here: {_ELSEWHERE[key]}")
    return key, typed(value.strip())


def typed(text: str) -> Any:
    """Give text the type it is written in.

    Parameters
    ----------
    text : str

    Returns
    -------
    int, float, bool, str, list, tuple, dict or None

    Examples
    --------
    >>> typed("5"), typed("[1, 2]"), typed("__import__('os')")
    (5, [1, 2], "__import__('os')")
    """
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if len(text) > _MAX_LENGTH:
        return text
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text


def method_options(settings: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Collect settings by key.

    Parameters
    ----------
    settings : sequence of (key, value)

    Returns
    -------
    dict

    Raises
    ------
    MethodError
        A key is given twice.

    Examples
    --------
    >>> method_options([("tol", 0.1), ("max_iter", 3)])
    {'tol': 0.1, 'max_iter': 3}
    """
    options: dict[str, Any] = {}
    for key, value in settings:
        if key in options:
            raise MethodError(f"--set {key} is given twice: {options[key]!r} and {value!r}. Keep one.")
        options[key] = value
    return options


def require_types(cls: type[LatentFactorEstimator], options: dict[str, Any]) -> None:
    """Raise unless every option has the type of its default; options that default to None take anything.

    Parameters
    ----------
    cls : type
        Class of the method.
    options : dict
        Names that the method knows.

    Raises
    ------
    MethodError

    Examples
    --------
    >>> from latentadj import SVA
    >>> require_types(SVA, {"max_iter": "many"})
    Traceback (most recent call last):
    latentadj.exceptions.MethodError: --set max_iter='many' is of type str; SVA expects int, e.g. max_iter=200.
    """
    parameters = inspect.signature(cls).parameters
    for key, value in options.items():
        default = parameters[key].default
        wanted = type(default)
        if default is None or type(value) is wanted or (wanted is float and type(value) is int):
            continue
        raise MethodError(
            f"--set {key}={value!r} is of type {type(value).__name__}; {cls.__name__} expects {wanted.__name__}, "
            f"e.g. {key}={default}."
        )
