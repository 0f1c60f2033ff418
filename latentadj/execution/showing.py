"""Progress of everything that is computed inside a ``with`` block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from latentadj.core.pass_options import pass_options
from latentadj.execution.displays import open_display
from latentadj.execution.progress import QUIET_SECONDS, Display, PassProgress


@contextmanager
def show_progress(
    name: str = "Adjusting",
    *,
    stream: TextIO | None = None,
    n_passes: int | None = None,
    quiet: float = QUIET_SECONDS,
) -> Iterator[PassProgress]:
    """Show how far the passes over the data are that are made inside a ``with`` block.

    Nothing is shown for work of less than about five seconds. In a notebook a line under the cell changes in place; on
    a terminal there is a bar where rich is installed and a line otherwise; elsewhere a line every ten seconds.

    Parameters
    ----------
    name : str, default="Adjusting"
        What is being done.
    stream : text stream, optional
        By default the notebook, or standard error.
    n_passes : int, optional
        Number of passes, where it is known; most methods find out on the way.
    quiet : float, default=5
        Seconds after which something is shown for the first time.

    Yields
    ------
    PassProgress

    Examples
    --------
    >>> import numpy as np
    >>> import latentadj as la
    >>> X, y = np.random.default_rng(0).normal(size=(12, 50)), np.repeat([0, 1], 6)
    >>> with show_progress():
    ...     result = la.adjust(X, la.Design.from_arrays(y), n_factors=1)
    """
    with shown_by(open_display(name, stream), n_passes=n_passes, quiet=quiet) as progress:
        yield progress


@contextmanager
def shown_by(display: Display, *, n_passes: int | None = None, quiet: float = QUIET_SECONDS) -> Iterator[PassProgress]:
    """Show the progress of the passes inside a ``with`` block by a given display, and close it.

    Parameters
    ----------
    display : Display
    n_passes, quiet
        As in `show_progress`.

    Yields
    ------
    PassProgress

    Examples
    --------
    >>> import io
    >>> with shown_by(open_display("Nothing", io.StringIO())):
    ...     pass
    """
    progress = PassProgress(display, n_passes, quiet)
    try:
        with pass_options(progress=progress):
            yield progress
    finally:
        display.close()
