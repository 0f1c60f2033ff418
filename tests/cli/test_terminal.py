"""Printing: tab-separated in a pipe, tables on a terminal, with rich and without."""

from __future__ import annotations

import io
from collections.abc import Callable

import pandas as pd
import pytest

from latentadj.catalogue import methods
from latentadj.cli import main
from latentadj.cli.cells import cell_text
from latentadj.cli.terminal import Terminal, open_terminal


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


FRAME = pd.DataFrame({"term": ["cancer[T.Normal]", "[red]x[/red]"], "p_value": [1.23456e-9, float("nan")]})


def rich_terminal(out: io.StringIO, err: io.StringIO) -> Terminal:
    pytest.importorskip("rich")
    from latentadj.cli.pretty import RichTerminal

    return RichTerminal(out, err)


KINDS = pytest.mark.parametrize("kind", [Terminal, rich_terminal], ids=["plain", "rich"])


@KINDS
def test_pipe_gets_tabs(kind: Callable[..., Terminal]) -> None:
    out, err = io.StringIO(), io.StringIO()
    terminal = kind(out, err)
    terminal.table(FRAME)
    assert out.getvalue() == "term\tp_value\ncancer[T.Normal]\t1.235e-09\n[red]x[/red]\t\n"
    with terminal.stage("Fitting"):
        pass
    assert err.getvalue() == ""


@KINDS
def test_names_are_printed_as_they_are(kind: Callable[..., Terminal]) -> None:
    out, err = Screen(), Screen()
    terminal = kind(out, err)
    terminal.table(FRAME, "Title [b]")
    terminal.facts({"Design": "~ cancer [x]"})
    terminal.say("line [x]")
    terminal.warn("`cancer[T.Normal]` is odd")
    for text in ("cancer[T.Normal]", "[red]x[/red]", "Title [b]", "~ cancer [x]", "line [x]"):
        assert text in out.getvalue()
    assert "`cancer[T.Normal]` is odd" in err.getvalue()


@KINDS
def test_progress_on_a_terminal_names_the_stage(kind: Callable[..., Terminal]) -> None:
    out, err = io.StringIO(), Screen()
    with kind(out, err).stage("Reading [x].csv"):
        pass
    assert "Reading [x].csv" in err.getvalue()
    assert out.getvalue() == ""


@KINDS
def test_progress_ends_when_the_work_fails(kind: Callable[..., Terminal]) -> None:
    terminal = kind(io.StringIO(), Screen())
    with pytest.raises(ZeroDivisionError), terminal.stage("Fitting"):
        raise ZeroDivisionError
    with terminal.stage("Again"):  # rich refuses a second live display while one is running
        pass


def test_warnings_once() -> None:
    err = io.StringIO()
    terminal = Terminal(io.StringIO(), err)
    terminal.warn("a")
    terminal.warn("a")
    assert err.getvalue() == "warning: a\n"
    assert terminal.warnings == ["a"]


def test_columns_are_aligned_without_rich() -> None:
    out = Screen()
    Terminal(out, io.StringIO()).table(pd.DataFrame({"a": ["long text", "x"], "b": [1, 2]}))
    assert out.getvalue() == "a          b\nlong text  1\nx          2\n"


def test_nothing_that_a_terminal_obeys_is_printed() -> None:
    assert cell_text("\x1b[31mg1\t\n") == "?[31mg1??"


def test_rich_is_used_on_a_terminal_and_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", Screen())
    if pytest.importorskip("rich"):
        assert type(open_terminal()).__name__ == "RichTerminal"
    monkeypatch.setattr("latentadj.cli.terminal.find_spec", lambda name: None)
    assert type(open_terminal()) is Terminal
    assert main(["methods"]) == 0


def test_methods_in_a_pipe_is_the_catalogue(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["methods"]) == 0
    out = capsys.readouterr().out
    table = pd.read_csv(io.StringIO(out), sep="\t", keep_default_na=False)
    catalogue = methods().reset_index()
    assert list(table.columns) == list(catalogue.columns)
    assert table["name"].tolist() == catalogue["name"].tolist()
    assert table["summary"].tolist() == catalogue["summary"].tolist()
    assert (table["valid_for_testing"] == "yes").tolist() == catalogue["valid_for_testing"].tolist()
