"""Tables and a spinner with rich (the "cli" extra)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from latentadj.cli.cells import cell_text
from latentadj.cli.terminal import Terminal

_STYLES = {"latentadj: error:": "bold red", "warning:": "yellow", "note:": "cyan"}


class RichTerminal(Terminal):
    """A terminal with boxed tables on `out` and a spinner on `err`, each only where the stream is a terminal.

    Names such as ``cancer[T.Normal]`` are printed as they are; rich's markup is off.

    Parameters
    ----------
    out, err : text stream

    Examples
    --------
    >>> import sys
    >>> RichTerminal(sys.stdout, sys.stderr).say("[b]plain[/b]")
    [b]plain[/b]
    """

    def __init__(self, out: TextIO, err: TextIO) -> None:
        super().__init__(out, err)
        self._out = _console(out)
        self._err = _console(err)

    def say(self, text: str) -> None:
        """Print a line of the results."""
        if not self.interactive:
            super().say(text)
            return
        self._out.print(Text(text))

    def facts(self, facts: Mapping[str, str]) -> None:
        """Print names and values, a line each."""
        if not self.interactive:
            super().facts(facts)
            return
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="bold", no_wrap=True)
        grid.add_column()
        for name, value in facts.items():
            grid.add_row(Text(name), Text(cell_text(value)))
        self._out.print(grid)

    def table(self, frame: pd.DataFrame, title: str = "") -> None:
        """Print a table; the index is left out. See `Terminal.table`."""
        if not self.interactive:
            super().table(frame, title)
            return
        table = Table(title=Text(title) if title else None, title_justify="left", header_style="bold")
        for name, kind in frame.dtypes.items():
            table.add_column(Text(str(name)), justify="right" if _is_number(kind) else "left")
        for row in frame.itertuples(index=False):
            table.add_row(*(Text(cell_text(value)) for value in row))
        self._out.print(table)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Show a spinner with the time elapsed while something is being done."""
        if not self.shows_progress:
            yield
            return
        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
        with Progress(*columns, console=self._err, transient=True) as progress:
            progress.add_task(name, total=None)
            yield

    def _report(self, line: str) -> None:
        if not self.shows_progress:
            super()._report(line)
            return
        text = Text(line)
        for start, style in _STYLES.items():
            if line.startswith(start):
                text.stylize(style, 0, len(start))
        self._err.print(text, soft_wrap=True)


def _console(stream: TextIO) -> Console:
    return Console(file=stream, markup=False, highlight=False, emoji=False)


def _is_number(kind: object) -> bool:
    return isinstance(kind, np.dtype) and kind.kind in "iuf"
