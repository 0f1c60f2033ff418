"""Every method of the catalogue on the made-up study; each is fitted once per session and shared by its checks."""

from __future__ import annotations

from functools import cache

import pytest

from latentadj.factors import METHODS
from latentadj.testing import PROMISES, Subject, made_up_study
from latentadj.testing.estimator import SINGLE
from latentadj.testing.study import FORMULA

all_methods = pytest.mark.parametrize("method", METHODS, ids=lambda cls: cls.method_info.name)
all_promises = pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.name)


@cache
def subject(method: type) -> Subject:
    """The method with its default settings."""
    info = method.method_info
    return Subject(method(), made_up_study(info.input_scale), FORMULA, info.rounding, SINGLE)


def needs(*names: str) -> list[type]:
    """Methods that declare a need, and whose number of factors can be asked for."""
    own = "number_as_asked"
    return [
        cls
        for cls in METHODS
        if set(names) <= set(cls.method_info.needs)
        and subject(cls).takes_number
        and own not in cls.method_info.not_promised
    ]
