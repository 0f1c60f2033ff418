"""Progress as lines of text."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

#: Seconds between lines where nothing can be shown in place.
LINE_SECONDS = 10.0


class LineDisplay:
    """Lines of text: in place on a terminal, else a new one every ten seconds or more.

    Parameters
    ----------
    stream : text stream
    name : str
        What is being done.
    clock : callable, optional
        Gives the time in seconds.

    Examples
    --------
    >>> import sys
    >>> LineDisplay(sys.stdout, "Fitting").show("pass 1: 50 %", 0.5)
    Fitting: pass 1: 50 %
    """

    def __init__(self, stream: TextIO, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._name, self._clock = stream, name, clock
        self._in_place = stream_is_terminal(stream)
        self._width = 0
        self._last: float | None = None

    def show(self, text: str, share: float) -> None:
        """Write the line."""
        line = f"{self._name}: {text}"
        if self._in_place:
            self._stream.write(f"\r{line:<{self._width}}")
            self._width = len(line)
        elif self._last is None or self._clock() - self._last >= LINE_SECONDS:
            self._last = self._clock()
            self._stream.write(f"{line}\n")
        self._stream.flush()

    def close(self) -> None:
        """Wipe the line off a terminal."""
        if self._in_place and self._width:
            self._stream.write(f"\r{'':<{self._width}}\r")
            self._stream.flush()


def stream_is_terminal(stream: TextIO) -> bool:
    """Tell whether a stream is a terminal.

    Parameters
    ----------
    stream : text stream

    Returns
    -------
    bool

    Examples
    --------
    >>> import io
    >>> stream_is_terminal(io.StringIO())
    False
    """
    return hasattr(stream, "isatty") and stream.isatty()
