"""What the catalogue knows about a method."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MethodInfo:
    """A method's card.

    Attributes
    ----------
    name : str
        Short name, as in ``method="sva"``.
    title : str
        Full name.
    reference : str
        Paper the method comes from.
    identified_by : str
        The assumption that separates hidden factors from true effects.
    summary : str
        One sentence on what it does.
    needs : tuple of str
        Inputs it cannot do without, e.g. ``("controls",)``.
    valid_for_testing : bool
        Whether its p-values may be used for the primary variables.
    streams : bool
        Whether it reads the data in passes over feature blocks only.
    """

    name: str
    title: str
    reference: str
    identified_by: str
    summary: str
    needs: tuple[str, ...] = ()
    valid_for_testing: bool = True
    streams: bool = True
