"""The shell of a page: head, style, navigation, sections and the script that moves tables."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from latentadj.report.block import Block
from latentadj.report.markup import escape
from latentadj.report.section import Section


@dataclass(frozen=True)
class Page:
    """A self-contained page, finished up to its links to other files.

    Attributes
    ----------
    title : str
        Of the window.
    headline, lead : str
        The first line and the sentence below it.
    parts : tuple of (str, str, tuple of Block)
        Title, anchor and blocks of every section.

    Examples
    --------
    >>> from latentadj.report.elements import paragraph
    >>> section = Section("All", "all", lambda n: [paragraph(str(n))])
    >>> page = Page.build("t", "A study", "Of three samples.", [section], 3)
    >>> page.values()["sections"]
    [{'title': 'All', 'anchor': 'all', 'content': ['3']}]
    >>> page.html().startswith("<!DOCTYPE html>")
    True
    """

    title: str
    headline: str
    lead: str
    parts: tuple[tuple[str, str, tuple[Block, ...]], ...]

    @classmethod
    def build(cls, title: str, headline: str, lead: str, sections: Iterable[Section], about: Any) -> Page:
        """Make every section.

        Parameters
        ----------
        title, headline, lead : str
        sections : iterable of Section
        about : object
            What the page is about; given to the body of each section.

        Returns
        -------
        Page
        """
        parts = tuple((section.title, section.anchor, tuple(section.body(about))) for section in sections)
        return cls(title, headline, lead, parts)

    def html(self, files: Sequence[tuple[str, str]] = ()) -> str:
        """Return the page as one text that needs nothing from outside.

        Parameters
        ----------
        files : sequence of (str, str)
            Relative path and description of files beside the page, to be linked.

        Returns
        -------
        str
        """
        script = _resource("grid.js")
        body = "".join(_section(title, anchor, blocks) for title, anchor, blocks in self.parts)
        links = "".join(f'<li><a href="#{anchor}">{escape(title)}</a></li>' for title, anchor, _ in self.parts)
        return (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{_policy(script)}">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            '<meta name="color-scheme" content="light dark">'
            f"<title>{escape(self.title)}</title><style>{_resource('style.css')}</style></head>"
            f'<body><a class="skip" href="#content">Skip to the content</a><header><h1>{escape(self.headline)}</h1>'
            f'<p class="lead">{escape(self.lead)}</p>{_file_links(files)}</header>'
            f'<nav aria-label="Sections"><ul>{links}</ul></nav>'
            f'<main id="content">{body}</main><script>{script}</script></body></html>\n'
        )

    def values(self) -> dict[str, Any]:
        """Return the texts and numbers of the page, without its pictures, as nested lists and mappings."""
        sections = [
            {"title": title, "anchor": anchor, "content": [b.values for b in blocks if b.values is not None]}
            for title, anchor, blocks in self.parts
        ]
        return {"title": self.title, "headline": self.headline, "lead": self.lead, "sections": sections}


def _section(title: str, anchor: str, blocks: Iterable[Block]) -> str:
    content = "".join(block.html for block in blocks)
    heading = f'<h2 id="{anchor}-title">{escape(title)}</h2>'
    return f'<section id="{anchor}" aria-labelledby="{anchor}-title">{heading}{content}</section>'


def _file_links(files: Sequence[tuple[str, str]]) -> str:
    if not files:
        return ""
    items = (f'<li><a href="{escape(path)}">{escape(path)}</a> {escape(what)}</li>' for path, what in files)
    return f'<p class="files-title">The numbers as files:</p><ul class="files">{"".join(items)}</ul>'


def _policy(script: str) -> str:
    """Allow the page its own style, pictures and the one script that it was written with; nothing else runs."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def _resource(name: str) -> str:
    return resources.files("latentadj.report").joinpath(name).read_text(encoding="utf-8")
