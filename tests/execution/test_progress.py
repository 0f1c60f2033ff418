"""Progress: what is said, when, and where."""

from __future__ import annotations

import io
import sys
import types

import numpy as np
import pytest

from latentadj.core.kernels import GramKernel
from latentadj.core.matrix import ArrayMatrix
from latentadj.core.passes import run_pass
from latentadj.execution.displays import open_display
from latentadj.execution.line_display import LineDisplay
from latentadj.execution.notebook_display import NotebookDisplay, in_notebook
from latentadj.execution.progress import PassProgress
from latentadj.execution.rich_display import RichDisplay
from latentadj.execution.showing import show_progress


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Kept:
    """A display that keeps what it is told."""

    def __init__(self):
        self.texts, self.shares, self.closed = [], [], False

    def show(self, text, share):
        self.texts.append(text)
        self.shares.append(share)

    def close(self):
        self.closed = True


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_passes_and_time_left():
    shown, clock = Kept(), Clock()
    progress = PassProgress(shown, clock=clock)
    for _ in range(2):
        progress.begin(1600)
        for _ in range(4):
            clock.now += 30.0
            progress.advance(400)
    assert shown.texts == [
        *("pass 1: 25 %, 1:30 left in this pass", "pass 1: 50 %, 1:00 left in this pass"),
        *("pass 1: 75 %, 0:30 left in this pass", "pass 1: done"),
        *("pass 2: 25 %, 1:30 left in this pass", "pass 2: 50 %, 1:00 left in this pass"),
        *("pass 2: 75 %, 0:30 left in this pass", "pass 2: done"),
    ]
    assert shown.shares == [0.25, 0.5, 0.75, 1.0] * 2


def test_known_number_of_passes():
    shown, clock = Kept(), Clock()
    progress = PassProgress(shown, n_passes=7, quiet=0.0, clock=clock)
    progress.begin(10)
    clock.now = 1.0
    progress.advance(5)
    assert shown.texts == ["pass 1 of 7: 50 %, 0:01 left in this pass"]


def test_short_work_is_quiet():
    shown, clock = Kept(), Clock()
    progress = PassProgress(shown, clock=clock)
    progress.begin(10)
    clock.now = 4.9
    progress.advance(5)
    assert shown.texts == []
    clock.now = 5.0
    progress.advance(2)
    assert len(shown.texts) == 1


@pytest.mark.parametrize("n_threads", [1, 2])
def test_passes_tell_all_of_their_features(n_threads):
    from latentadj.core.passes import pass_options

    shown = Kept()
    with pass_options(progress=PassProgress(shown, quiet=0.0), n_threads=n_threads):
        run_pass(ArrayMatrix(np.ones((4, 1000))), GramKernel(4), width=10)
    assert len(shown.shares) == 16
    assert shown.shares == sorted(shown.shares)
    assert shown.texts[-1] == "pass 1: done"


def test_lines_in_a_log_come_at_most_every_ten_seconds():
    out, clock = io.StringIO(), Clock()
    display = LineDisplay(out, "Fitting", clock)
    for clock.now in range(0, 31):
        display.show(f"pass 1: {clock.now} %", 0.0)
    display.close()
    assert out.getvalue() == "".join(f"Fitting: pass 1: {i} %\n" for i in (0, 10, 20, 30))


def test_a_line_on_a_terminal_changes_in_place_and_goes():
    out = Screen()
    display = LineDisplay(out, "Fitting")
    display.show("pass 10: done", 1.0)
    display.show("pass 11: 5 %", 0.05)
    display.close()
    wide, short = "Fitting: pass 10: done", "Fitting: pass 11: 5 %"
    assert out.getvalue() == f"\r{wide}\r{short:<{len(wide)}}\r{'':<{len(short)}}\r"


def test_rich_shows_the_words():
    pytest.importorskip("rich")
    out = Screen()
    display = RichDisplay(out, "Fitting [x]")
    display.show("pass 3: 40 %, 0:07 left in this pass", 0.4)
    display.close()
    assert "Fitting [x]: pass 3: 40 %, 0:07 left in this pass" in out.getvalue()


def test_a_notebook_line_is_updated_in_place():
    calls = []

    class Handle:
        def update(self, data, raw):
            calls.append(("update", data["text/plain"], raw))

    def display(data, raw, display_id):
        calls.append(("new", data["text/plain"], display_id))
        return Handle()

    shown = NotebookDisplay("Adjusting", display)
    shown.close()
    assert calls == []
    shown.show("pass 1: 50 %", 0.5)
    shown.show("pass 1: done", 1.0)
    shown.close()
    assert calls == [
        ("new", "Adjusting: pass 1: 50 %", True),
        ("update", "Adjusting: pass 1: done", True),
        ("update", "Adjusting: done", True),
    ]


def test_the_display_fits_the_place(monkeypatch):
    assert isinstance(open_display("x", io.StringIO()), LineDisplay)
    monkeypatch.setattr("latentadj.execution.displays.find_spec", lambda name: None)
    assert isinstance(open_display("x", Screen()), LineDisplay)
    shell = types.SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    assert in_notebook()
    monkeypatch.setitem(sys.modules, "IPython.display", types.SimpleNamespace(display=print))
    assert isinstance(open_display("x"), NotebookDisplay)
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: object()))
    assert not in_notebook()  # IPython in a terminal


def test_a_real_ipython_takes_it(capsys):
    """IPython's own display function, without a kernel: it prints the text."""
    pytest.importorskip("IPython")
    shown = NotebookDisplay("Adjusting")
    shown.show("pass 1: 50 %", 0.5)
    shown.close()
    assert "Adjusting: pass 1: 50 %" in capsys.readouterr().out


def test_show_progress():
    out = io.StringIO()
    with show_progress("Adjusting", stream=out, quiet=0.0):
        run_pass(ArrayMatrix(np.ones((4, 1000))), GramKernel(4), width=100)
    assert out.getvalue().startswith("Adjusting: pass 1: ")
    before = out.getvalue()
    run_pass(ArrayMatrix(np.ones((4, 1000))), GramKernel(4))
    assert out.getvalue() == before
