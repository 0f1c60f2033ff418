"""A piece of a page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Block:
    """A piece of a page: what is shown, and the numbers in it.

    Attributes
    ----------
    html : str
        Complete elements; everything that came from outside is escaped.
    values : object
        The same as plain values for the JSON file beside the page; None when nothing is to be kept.

    Examples
    --------
    >>> Block("<p>Two samples.</p>", "Two samples.").values
    'Two samples.'
    """

    html: str
    values: object = None
