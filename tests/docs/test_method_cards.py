"""Pages of methods, as the documentation writes them from the classes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("numpydoc")

DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS))

from method_cards import card_page, markdown_tables, validity, write_method_cards  # noqa: E402

from latentadj.factors import METHODS, RUV4, ResidualPCA  # noqa: E402

PAGE = """# Validity

## Power

| family | oracle | sva | ruv4, true k | ruv4 |
|---|---|---|---|---|
| base | .42 | .41 | .40 | .39 |
| n 8 | .39 | .38 | .37 | .36 |

Text.

## Speed

| method | seconds |
|---|---|
| ruv4 | 0.1 |
| sva | 0.2 |
"""


@pytest.mark.parametrize("cls", METHODS, ids=lambda cls: cls.method_info.name)
def test_a_page_says_what_the_class_says(cls: type) -> None:
    text, info = card_page(cls, []), cls.method_info
    assert text.startswith(f"# {info.title}\n")
    for part in (info.reference, info.identified_by, info.summary, *info.cautions, *info.not_promised.values()):
        assert part in text
    for need in info.needs:
        assert f"{need}={need}" in text
    for option in cls().get_params(deep=False):
        assert f"``{option}``" in text
    assert ">>> " in text.split("## Example")[1]
    assert ("allow_invalid=True" in text) == (not info.valid_for_testing)


def test_error_rates_are_the_columns_and_rows_of_the_validity_page() -> None:
    tables = list(markdown_tables(PAGE))
    assert [table.title for table in tables] == ["Power", "Speed"]
    text = "\n".join(validity("ruv4", tables))
    assert "| family | oracle | ruv4, true k | ruv4 |" in text
    assert "| n 8 | .39 | .37 | .36 |" in text
    assert "| ruv4 | 0.1 |" in text
    assert "sva" not in text
    assert validity("ruv2", tables) == []
    assert "ruv4, true k" in card_page(RUV4, tables)
    assert "Error rates" not in card_page(ResidualPCA, tables)


def test_pages_are_written_once_and_old_ones_go(tmp_path: Path) -> None:
    (tmp_path / "validity.md").write_text(PAGE)
    first = write_method_cards(tmp_path)
    assert sorted(path.stem for path in first) == sorted(cls.method_info.name for cls in METHODS)
    (tmp_path / "method_cards" / "gone.md").write_text("# Gone")
    times = {path: path.stat().st_mtime_ns for path in first}
    write_method_cards(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in first} == times  # an unchanged page is not built again
    assert not (tmp_path / "method_cards" / "gone.md").exists()
