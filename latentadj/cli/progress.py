"""How far a long piece of work has come, on a terminal; nothing in a pipe."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from latentadj.cli.terminal import Terminal

#: Seconds between two updates.
INTERVAL = 0.2


class CellProgress:
    """A line that counts cells and estimates the time left.

    Parameters
    ----------
    terminal : Terminal

    Examples
    --------
    >>> import io
    >>> with CellProgress(Terminal(io.StringIO(), io.StringIO())) as progress:
    ...     progress(1, 2)
    """

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.start = self.last = time.perf_counter()
        self.first = 0

    def __enter__(self) -> Self:
        return self

    def __call__(self, done: int, total: int) -> None:
        """Say how many cells are finished."""
        now = time.perf_counter()
        self.first = self.first or done
        if not self.terminal.shows_progress or (now - self.last < INTERVAL and done < total):
            return
        self.last = now
        left = (now - self.start) * (total - done) / max(done - self.first + 1, 1)
        self.terminal.err.write(f"\r{done} of {total} cells, {now - self.start:.0f} s, about {left:.0f} s left   ")
        self.terminal.err.flush()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.terminal.shows_progress:
            self.terminal.err.write("\n")
