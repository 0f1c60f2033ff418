"""Where progress is shown: a terminal, with rich or without, a notebook, or lines of text."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import TextIO

from latentadj.execution.line_display import LineDisplay, stream_is_terminal
from latentadj.execution.notebook_display import NotebookDisplay, in_notebook
from latentadj.execution.progress import Display
from latentadj.execution.rich_display import RichDisplay


def open_display(name: str, stream: TextIO | None = None) -> Display:
    """Choose where progress is shown: in a notebook, on a terminal with rich or without, or as lines.

    Parameters
    ----------
    name : str
        What is being done.
    stream : text stream, optional
        By default standard error, or the notebook.

    Returns
    -------
    Display

    Examples
    --------
    >>> import io
    >>> type(open_display("Fitting", io.StringIO())).__name__
    'LineDisplay'
    """
    if stream is None and in_notebook():
        return NotebookDisplay(name)
    stream = stream or sys.stderr
    if stream_is_terminal(stream) and find_spec("rich") is not None:
        return RichDisplay(stream, name)
    return LineDisplay(stream, name)
