"""``latentadj methods`` on a terminal, and the card of a method."""

from __future__ import annotations

import io
from argparse import Namespace

import pytest

import latentadj as la
from latentadj.catalogue import method_card
from latentadj.cli import main
from latentadj.cli.catalogue import run_methods
from latentadj.cli.terminal import Terminal


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(name: str | None = None) -> str:
    out = Screen()
    run_methods(Namespace(name=name), Terminal(out, io.StringIO()))
    return out.getvalue()


def test_the_table_fits_and_says_what_matters() -> None:
    lines = shown().splitlines()
    assert lines[0].split() == ["name", "relies", "on", "needs", "data", "tests", "reference"]
    assert max(map(len, lines)) <= 120
    row = next(line for line in lines if line.startswith("ruv4 "))
    assert "controls" in row
    assert " yes " in row
    assert row.endswith("Gagnon-Bartsch, Jacob and Speed (2013)")
    assert " no " in next(line for line in lines if line.startswith("residual_pca "))
    assert len(lines) == len(la.methods()) + 3
    assert "latentadj methods NAME" in lines[-1]


@pytest.mark.parametrize("name", list(la.methods().index))
def test_every_card_is_printed(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["methods", name]) == 0
    printed = dict(line.split("\t", 1) for line in capsys.readouterr().out.splitlines())
    assert printed == method_card(name)
    info = la.methods().loc[name]
    assert printed["Reference"] == info["reference"]
    assert printed["Valid for testing"].startswith("yes" if info["valid_for_testing"] else "no")
    assert "random_state" in printed["Options"]


def test_an_unknown_method_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["methods", "combat"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("latentadj: error: method='combat' is unknown; choose one of none, ")
