"""How far a computation has come, in words."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

#: Work that is done within this many seconds is not shown.
QUIET_SECONDS = 5.0


class Display(Protocol):
    """Shows the newest state of a computation."""

    def show(self, text: str, share: float) -> None:
        """Show how far the pass is, in words and as a share from 0 to 1, in place of what was shown before."""
        ...

    def close(self) -> None:
        """Nothing more will come."""
        ...


class PassProgress:
    """Counts passes over the data and says when the one at work will be done.

    Parameters
    ----------
    display : Display
    n_passes : int, optional
        Number of passes that there will be, where that is known. Most methods find out on the way.
    quiet : float, default=5
        Seconds after which something is shown for the first time.
    clock : callable, optional
        Gives the time in seconds.

    Notes
    -----
    Features are reported by sixteenths of a pass. The time left in a pass is the time it took so far times what is left
    over what is done; runs that a checkpoint put back make it too short at first.

    Examples
    --------
    >>> class Printed:
    ...     def show(self, text, share):
    ...         print(text)
    ...     def close(self):
    ...         pass
    >>> seconds = iter([0.0, 0.0, 30.0])
    >>> progress = PassProgress(Printed(), clock=lambda: next(seconds))
    >>> progress.begin(1000)
    >>> progress.advance(250)
    pass 1: 25 %, 1:30 left in this pass
    """

    def __init__(
        self,
        display: Display,
        n_passes: int | None = None,
        quiet: float = QUIET_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._display, self._n_passes, self._quiet, self._clock = display, n_passes, quiet, clock
        self._start = clock()
        self._pass = self._done = self._total = 0
        self._pass_start = self._start

    def begin(self, n_features: int) -> None:
        """A pass over so many features begins."""
        self._pass += 1
        self._done, self._total = 0, n_features
        self._pass_start = self._clock()

    def advance(self, n_features: int) -> None:
        """So many features more are done."""
        self._done += n_features
        now = self._clock()
        if now - self._start >= self._quiet:
            share = self._done / max(self._total, 1)
            self._display.show(self._text(share, now - self._pass_start), share)

    def _text(self, share: float, elapsed: float) -> str:
        number = f"pass {self._pass}" + (f" of {self._n_passes}" if self._n_passes else "")
        if share >= 1.0:
            return f"{number}: done"
        left = f", {duration(elapsed * (1.0 - share) / share)} left in this pass" if share > 0.0 else ""
        return f"{number}: {share:.0%}{left}".replace("%", " %")


def duration(seconds: float) -> str:
    """Write a time in minutes and seconds, or hours, minutes and seconds.

    Parameters
    ----------
    seconds : float

    Returns
    -------
    str

    Examples
    --------
    >>> duration(7.4), duration(90), duration(4000)
    ('0:07', '1:30', '1:06:40')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
