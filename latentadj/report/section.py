"""A part of a page, made from whatever the page is about."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from latentadj.report.block import Block


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Attributes
    ----------
    title, anchor : str
        The anchor is unique on its page and made of small letters.
    body : Callable
        Takes what the page is about and gives its blocks.

    Examples
    --------
    >>> from latentadj.report.elements import paragraph
    >>> section = Section("Size", "size", lambda study: [paragraph(f"{study['n']} samples")])
    >>> [block.html for block in section.body({"n": 3})]
    ['<p>3 samples</p>']
    """

    title: str
    anchor: str
    body: Callable[[Any], Iterable[Block]]
