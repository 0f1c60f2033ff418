"""``latentadj methods``: the catalogue, and the card of a method."""

from __future__ import annotations

from argparse import Namespace

import pandas as pd

from latentadj.catalogue import method_card, methods
from latentadj.cli.terminal import Terminal

#: What fits the width of a terminal; the rest is on the cards.
_SHORT = {
    "name": "name",
    "identification": "relies on",
    "needs": "needs",
    "input_scale": "data",
    "valid_for_testing": "tests",
    "reference": "reference",
}
_LEGEND = (
    "relies on: what tells hidden factors from true effects. tests: whether its p-values may be used.\n"
    "'latentadj methods NAME' prints everything about a method."
)


def run_methods(args: Namespace, terminal: Terminal) -> None:
    """Print the catalogue: a table on a terminal, all columns as tab-separated text in a pipe; or a method's card.

    Parameters
    ----------
    args : argparse.Namespace
        With ``name``, a method or None.
    terminal : Terminal
    """
    name = getattr(args, "name", None)
    if name is not None:
        terminal.facts(method_card(name))
        return
    table = _with_words(methods().reset_index())
    if not terminal.interactive:
        terminal.table(table)
        return
    table["reference"] = table["reference"].map(_authors_and_year)
    terminal.table(table[list(_SHORT)].rename(columns=_SHORT))
    terminal.say(_LEGEND)


def _with_words(table: pd.DataFrame) -> pd.DataFrame:
    words = {True: "yes", False: "no"}
    return table.assign(**{name: table[name].map(words) for name in ("valid_for_testing", "streams")})


def _authors_and_year(reference: str) -> str:
    """Keep the names and the year; of more than three names the first."""
    head, closing, _ = reference.partition(")")
    names, opening, year = head.partition(" (")
    if len(names.replace(" and ", ", ").split(", ")) > 3:
        names = f"{names.split(', ')[0]} et al."
    return names + opening + year + closing
