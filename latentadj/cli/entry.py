"""Entry point: one message and a status instead of a traceback."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType

from latentadj.cli.parser import build_parser
from latentadj.cli.terminal import Terminal, open_terminal
from latentadj.exceptions import LatentAdjError

OK, BAD_INPUT, INTERRUPTED, PIPE_CLOSED, TERMINATED = 0, 2, 130, 141, 143

#: Warnings that a user can act on; those for programmers (deprecations) are not shown.
_SHOWN = (UserWarning, RuntimeWarning)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; by default those of the process.

    Returns
    -------
    int
        0, or 2 after bad input (one message on stderr), 130 after Ctrl-C, 141 when the reader of a pipe left, 143
        after a termination signal. Nothing is half-written in any of these cases.

    Examples
    --------
    >>> main(["fit", "no_such_file.csv", "--formula", "~ x", "--samples", "no_such_table.csv", "--out", "no_such_dir"])
    2
    """
    terminal = open_terminal()
    try:
        with _termination_raises(), _spoken_warnings(terminal):
            args = build_parser().parse_args(argv)
            args.run(args, terminal)
            sys.stdout.flush()
        return OK
    except SystemExit as stop:
        return int(stop.code or 0)
    except BrokenPipeError:
        _silence_stdout()
        return PIPE_CLOSED
    except (LatentAdjError, OSError) as error:
        terminal.error(_message(error))
        return BAD_INPUT
    except KeyboardInterrupt:
        terminal.error("interrupted.")
        return INTERRUPTED


def _message(error: BaseException) -> str:
    """Text of an error; a bare OSError is given the name of its file."""
    if isinstance(error, OSError) and not isinstance(error, LatentAdjError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}."
    return str(error)


@contextmanager
def _spoken_warnings(terminal: Terminal) -> Iterator[None]:
    """Print every warning once, as a line without the place in the code."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for category in _SHOWN:
            warnings.simplefilter("always", category)
        warnings.showwarning = lambda message, *_, **__: terminal.warn(str(message))
        yield


@contextmanager
def _termination_raises() -> Iterator[None]:
    """Turn SIGTERM into an exception, so that staged output is removed; only possible in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise SystemExit(TERMINATED)


def _silence_stdout() -> None:
    """Send what is left in the buffer nowhere, or Python complains about the closed pipe on its way out."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
