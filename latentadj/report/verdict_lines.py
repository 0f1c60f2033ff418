"""Lines in plain language at the top of a page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from latentadj.report.block import Block
from latentadj.report.markup import escape

#: Sign and word of a level; the sign is for the eye, the word also for a screen reader.
LEVELS = {"ok": ("✓", "Fine"), "note": ("i", "Note"), "warning": ("!", "Warning")}


@dataclass(frozen=True)
class Verdict:
    """One line of a summary.

    Attributes
    ----------
    level : {"ok", "note", "warning"}
    topic : str
        A word or two.
    text : str
    """

    level: str
    topic: str
    text: str


def verdict_lines(lines: Iterable[Verdict]) -> Block:
    """Show verdicts, each with its level as a colour, a sign and a word.

    Parameters
    ----------
    lines : iterable of Verdict

    Returns
    -------
    Block

    Examples
    --------
    >>> block = verdict_lines([Verdict("ok", "Samples", "All 12 were matched.")])
    >>> "<b>Samples.</b> All 12 were matched." in block.html
    True
    >>> block.values
    [{'level': 'ok', 'topic': 'Samples', 'text': 'All 12 were matched.'}]
    """
    kept = list(lines)
    return Block(f'<ul class="verdicts">{"".join(map(_line, kept))}</ul>', [asdict(line) for line in kept])


def _line(line: Verdict) -> str:
    sign, word = LEVELS[line.level]
    mark = f'<span class="mark" aria-hidden="true">{sign}</span><span class="word">{word}</span>'
    return f'<li class="{line.level}">{mark}<span><b>{escape(line.topic)}.</b> {escape(line.text)}</span></li>'
