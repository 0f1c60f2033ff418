"""What the command line prints: plain here, coloured tables and a spinner where rich is installed."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec
from typing import TextIO

import pandas as pd

from latentadj.cli.cells import cell_text
from latentadj.execution.displays import open_display
from latentadj.execution.line_display import LineDisplay
from latentadj.execution.showing import shown_by


class Terminal:
    """Plain printing: aligned columns on a terminal, tab-separated in a pipe.

    Parameters
    ----------
    out, err : text stream
        Results go to `out`; progress, warnings and errors go to `err`.

    Attributes
    ----------
    interactive : bool
        Whether `out` is a terminal.

    Examples
    --------
    >>> Terminal(sys.stdout, sys.stderr).facts({"Factors": "2"})  # doctest: +NORMALIZE_WHITESPACE
    Factors	2
    """

    def __init__(self, out: TextIO, err: TextIO) -> None:
        self.out, self.err = out, err
        self.interactive = _is_terminal(out)
        self.shows_progress = _is_terminal(err)
        self.warnings: list[str] = []

    def say(self, text: str) -> None:
        """Print a line of the results."""
        self.out.write(f"{text}\n")

    def facts(self, facts: Mapping[str, str]) -> None:
        """Print names and values, a line each."""
        width = max(map(len, facts), default=0)
        for name, value in facts.items():
            label = f"{name:<{width}}  " if self.interactive else f"{name}\t"
            self.out.write(f"{label}{cell_text(value)}\n")

    def table(self, frame: pd.DataFrame, title: str = "") -> None:
        """Print a table; the index is left out.

        Parameters
        ----------
        frame : pandas.DataFrame
        title : str, default=""
        """
        rows = [[str(name) for name in frame.columns]]
        rows += [[cell_text(value) for value in row] for row in frame.itertuples(index=False)]
        if title:
            self.out.write(f"\n{title}\n")
        for line in _aligned(rows) if self.interactive else ["\t".join(row) for row in rows]:
            self.out.write(f"{line}\n")

    def note(self, text: str) -> None:
        """Print a remark to `err`."""
        self._report(f"note: {text}")

    def warn(self, text: str) -> None:
        """Print a warning to `err`, each text once, and remember it."""
        if text not in self.warnings:
            self.warnings.append(text)
            self._report(f"warning: {text}")

    def error(self, text: str) -> None:
        """Print an error to `err`."""
        self._report(f"latentadj: error: {text}")

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Show on a terminal that something is being done, and how long it took; nothing in a pipe.

        Parameters
        ----------
        name : str
            What is being done, e.g. "Reading the matrix".
        """
        if not self.shows_progress:
            yield
            return
        start = time.perf_counter()
        self.err.write(f"{name} ...")
        self.err.flush()
        try:
            yield
        finally:
            self.err.write(f"\r{name}: {time.perf_counter() - start:.1f} s\n")

    @contextmanager
    def work(self, name: str) -> Iterator[None]:
        """Like `stage`, and show how far the passes over the data are once it has taken five seconds.

        Parameters
        ----------
        name : str
            What is being done.
        """
        if not self.shows_progress:
            yield
            return
        display = open_display(name, self.err)
        line = self.stage(name) if isinstance(display, LineDisplay) else nullcontext()
        with line, shown_by(display):
            yield

    def _report(self, line: str) -> None:
        self.err.write(f"{line}\n")


def open_terminal() -> Terminal:
    """Return a terminal for the process's streams: with rich if it is installed and a stream is a terminal.

    Returns
    -------
    Terminal

    Examples
    --------
    >>> isinstance(open_terminal(), Terminal)
    True
    """
    watched = _is_terminal(sys.stdout) or _is_terminal(sys.stderr)
    if watched and find_spec("rich") is not None:
        from latentadj.cli.pretty import RichTerminal

        return RichTerminal(sys.stdout, sys.stderr)
    return Terminal(sys.stdout, sys.stderr)


def _is_terminal(stream: TextIO) -> bool:
    return hasattr(stream, "isatty") and stream.isatty()


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
