"""Links between pages of the documentation lead somewhere; addresses on the web are not asked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "vignettes").glob("*.md")),
]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
#: Made when the site is built: a page per method and per name.
MADE = ("api/", "method_cards/")


def anchors(page: Path) -> set[str]:
    """Names that headings get."""
    headings = re.findall(r"^#+ +(.*)$", page.read_text(), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def place(page: Path, target: str) -> Path:
    """File that a relative link of a page means; vignettes are built as if they lay inside the documentation."""
    if page.parent.name == "vignettes" and target.startswith("../"):
        return ROOT / "docs" / target.removeprefix("../")
    if target.startswith("vignettes/") and page.parent.name == "docs":
        return ROOT / target
    return page.parent / target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for link in LINK.findall(page.read_text()):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        target, _, anchor = link.partition("#")
        if target.startswith(MADE):
            continue
        file = place(page, target) if target else page
        assert file.exists(), f"{page.name} links to {link}, which is not there"
        if anchor:
            assert anchor in anchors(file), f"{page.name} links to {link}, and {file.name} has no such heading"


def test_every_page_is_in_the_contents():
    index = (ROOT / "docs" / "index.md").read_text()
    listed = set(re.findall(r"^([\w/]+)$", index, flags=re.M))
    pages = {page.stem for page in (ROOT / "docs").glob("*.md")} - {"index"}
    vignettes = {f"vignettes/{page.stem}" for page in (ROOT / "vignettes").glob("*.md")}
    assert pages | vignettes <= listed
