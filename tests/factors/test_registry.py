"""Methods of other packages: found by name, and left out with a warning where they cannot be used."""

from __future__ import annotations

import warnings
from importlib.metadata import EntryPoint

import pytest

import latentadj as la
from latentadj.exceptions import BrokenEntryPointWarning
from latentadj.factors import METHODS, registry
from latentadj.factors.registry import available_methods, find_method

GOOD = EntryPoint("refactor", "tests.examples.third_party_method:Refactor", registry.GROUP)


def install(monkeypatch: pytest.MonkeyPatch, *points: EntryPoint) -> None:
    monkeypatch.setattr(registry, "entry_points", lambda group: list(points))


def test_built_in_methods_come_first_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, GOOD)
    names = list(available_methods())
    assert names == [*[cls.method_info.name for cls in METHODS], "refactor"]
    assert find_method("refactor").__name__ == "Refactor"


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("gone", "no_such_package_at_all:Method", "ModuleNotFoundError"),
        ("missing", "latentadj.factors.sva:NoSuchClass", "AttributeError"),
        ("function", "latentadj:adjust", "not a class derived from LatentFactorEstimator"),
        ("abstract", "latentadj:LatentFactorEstimator", "has no method_info"),
        ("other_name", "tests.examples.third_party_method:Refactor", "method_info says 'refactor'"),
        ("sva", "tests.examples.third_party_method:Refactor", "is taken by SVA"),
    ],
)
def test_a_broken_entry_point_is_left_out(name: str, value: str, word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, EntryPoint(name, value, registry.GROUP), GOOD)
    with pytest.warns(BrokenEntryPointWarning, match=word) as caught:
        found = available_methods()
    assert len(caught) == 1
    assert list(found)[-1] == "refactor"
    assert found["sva"] is la.SVA
    assert len(found) == len(METHODS) + 1


def test_built_in_names_never_ask_other_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(group: str) -> list[EntryPoint]:
        raise RuntimeError("entry points were read")

    monkeypatch.setattr(registry, "entry_points", refuse)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find_method("cate") is la.CATE


def test_the_warning_is_one_of_the_package() -> None:
    assert issubclass(BrokenEntryPointWarning, la.LatentAdjWarning)


def test_cards_refuse_what_the_ledger_would_not_know() -> None:
    with pytest.raises(ValueError, match="identification='faith' is unknown"):
        la.MethodInfo("m", "M", "reference", "faith", "summary", identification="faith")
    with pytest.raises(ValueError, match="input_scale='log' is unknown"):
        la.MethodInfo("m", "M", "reference", "controls", "summary", input_scale="log")
