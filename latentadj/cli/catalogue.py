"""``latentadj methods``: the catalogue."""

from __future__ import annotations

from argparse import Namespace

from latentadj.catalogue import methods
from latentadj.cli.terminal import Terminal

_SHORT = {
    "name": "name",
    "title": "method",
    "needs": "needs",
    "valid_for_testing": "valid for testing",
    "identified_by": "relies on",
    "reference": "reference",
}


def run_methods(args: Namespace, terminal: Terminal) -> None:
    """Print the catalogue: a table on a terminal, all columns as tab-separated text in a pipe.

    Parameters
    ----------
    args : argparse.Namespace
    terminal : Terminal
    """
    table = methods().reset_index()
    table["valid_for_testing"] = table["valid_for_testing"].map({True: "yes", False: "no"})
    table["streams"] = table["streams"].map({True: "yes", False: "no"})
    if terminal.interactive:
        table = table[list(_SHORT)].rename(columns=_SHORT)
    terminal.table(table)
