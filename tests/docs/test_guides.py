"""The guides for users: every Python block runs, and so does every call in a column headed latentadj."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"
GUIDES = ("getting_started.md", "choosing.md", "from_r.md", "notation.md")
#: Column of a table whose code is run.
RUN = "latentadj"


def code_of(text: str) -> Iterator[tuple[int, str]]:
    """Line number and code of every Python block, and of every code span in a column that is run, in page order."""
    language, block, start, column = None, [], 0, None
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            if language == "python":
                yield start, "\n".join(block)
            language, block, start = (line[3:].strip() or "text") if language is None else None, [], number
        elif language is not None:
            block.append(line)
        elif line.startswith("|"):
            cells = table_cells(line)
            column = cells.index(RUN) if RUN in cells else column
            if column is not None and RUN not in cells:
                yield from ((number, span) for span in re.findall(r"`([^`]+)`", cells[column]))
        else:
            column = None


def table_cells(line: str) -> list[str]:
    """Cells of a table row; an escaped bar is a bar."""
    parts = re.split(r"(?<!\\)\|", line.strip().strip("|"))
    return [part.strip().replace(r"\|", "|") for part in parts]


def run_page(text: str, folder: Path) -> int:
    """Run a page's code in one namespace and say how many pieces there were."""
    namespace: dict[str, Any] = {"__name__": "guide"}
    pieces = list(code_of(text))
    for number, code in pieces:
        try:
            exec(compile(code, f"line {number}", "exec"), namespace)
        except Exception as error:
            pytest.fail(f"line {number}: {code}\n{type(error).__name__}: {error}")
    return len(pieces)


@pytest.mark.parametrize("name", GUIDES)
def test_every_line_of_code_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert run_page((DOCS / name).read_text(), tmp_path) > 0


def test_blocks_and_tables_are_found_in_order_and_other_code_is_left_alone() -> None:
    page = """Text with `code`.
```r
library(limma)
```
```python
a = 1
```
| R | latentadj | notes |
|---|---|---|
| `lm(y ~ x)` | `b = a + 1` | `not run` |
| `c` | | |
| `d` | `c = "~ x \\| z"`, `d = c` | |

| other | table |
|---|---|
| `not` | `run` |
"""
    assert list(code_of(page)) == [(5, "a = 1"), (10, "b = a + 1"), (12, 'c = "~ x | z"'), (12, "d = c")]
