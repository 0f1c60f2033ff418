"""Progress under the cell of a notebook."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any


class NotebookDisplay:
    """A line under a notebook's cell that changes in place; needs IPython only.

    Parameters
    ----------
    name : str
        What is being done.
    display : callable, optional
        ``IPython.display.display``, or something like it.

    Examples
    --------
    >>> class Handle:
    ...     def update(self, data, raw):
    ...         print(data["text/plain"])
    >>> shown = NotebookDisplay("Adjusting", display=lambda data, raw, display_id: Handle())
    >>> shown.show("pass 2: 50 %", 0.5)
    >>> shown.show("pass 2: 75 %", 0.75)
    Adjusting: pass 2: 75 %
    """

    def __init__(self, name: str, display: Callable[..., Any] | None = None) -> None:
        self._name = name
        self._display = display or import_module("IPython.display").display
        self._handle: Any = None

    def show(self, text: str, share: float) -> None:
        """Make the line, or change it."""
        self._put(f"{self._name}: {text}")

    def close(self) -> None:
        """Say that it is done, if anything was shown."""
        if self._handle is not None:
            self._put(f"{self._name}: done")

    def _put(self, line: str) -> None:
        data = {"text/plain": line}
        if self._handle is None:
            self._handle = self._display(data, raw=True, display_id=True)
        else:
            self._handle.update(data, raw=True)


def in_notebook() -> bool:
    """Tell whether this runs in the kernel of a notebook.

    Returns
    -------
    bool

    Examples
    --------
    >>> in_notebook()
    False
    """
    module = sys.modules.get("IPython")
    shell = None if module is None else module.get_ipython()
    return shell is not None and hasattr(shell, "kernel")
