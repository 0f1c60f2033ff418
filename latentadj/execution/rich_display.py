"""Progress as a bar on a terminal, with rich (the "cli" extra)."""

from __future__ import annotations

from importlib import import_module
from typing import TextIO


class RichDisplay:
    """A bar on a terminal, made by rich; it is gone when the work is done.

    Parameters
    ----------
    stream : text stream
        A terminal.
    name : str
        What is being done.

    Examples
    --------
    >>> import io
    >>> display = RichDisplay(io.StringIO(), "Fitting")
    >>> display.show("pass 1: 50 %", 0.5)
    >>> display.close()
    """

    def __init__(self, stream: TextIO, name: str) -> None:
        console = import_module("rich.console").Console(file=stream, markup=False, highlight=False, emoji=False)
        parts = import_module("rich.progress")
        text = parts.TextColumn("{task.description}", markup=False)
        self._name = name
        self._bar = parts.Progress(
            parts.SpinnerColumn(), text, parts.BarColumn(20), parts.TimeElapsedColumn(), console=console, transient=True
        )
        self._task = self._bar.add_task(name, total=None)
        self._bar.start()

    def show(self, text: str, share: float) -> None:
        """Move the bar."""
        self._bar.update(self._task, description=f"{self._name}: {text}", completed=share, total=1.0)

    def close(self) -> None:
        """Take the bar away."""
        self._bar.stop()
