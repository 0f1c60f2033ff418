"""The guides for users: every Python block runs, and so does every call in a column headed latentadj."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

DOCS = Path(__file__).parents[2] / "docs"
GUIDES = ("getting_started.md", "choosing.md", "from_r.md", "notation.md")
#: Column of a table whose code is run.
RUN = "latentadj"
#: Rows of the table of error rates: the name in validity.csv, and what the guide calls it.
SHOWN = {
    "auto": '"auto"',
    "auto, controls": '"auto", 100 controls',
    "cate": "CATE",
    "leapp": "LEAPP",
    "mouthwash": "MOUTHWASH",
    "backwash": "BACKWASH",
    "dsva": "dSVA",
    "bcconf": "BCconf",
    "corrconf": "CorrConf",
    "sva": "SVA",
    "smart_sva": "SmartSVA",
    "sva_two_step": "two-step SVA",
    "isva": "ISVA",
    "ruv4": "RUV-4",
    "cate_nc": "CATE, controls",
    "ruv_star": r"RUV\*",
    "ruv2": "RUV-2",
    "ruv3": "RUV-III",
    "ruv_rinv": "RUV-rinverse",
    "ruv_inv": "RUV-inverse",
    "none": "no adjustment",
    "residual PCA": "residual PCA",
    "sva, 5 rounds": "sva, as in R",
    "cate, as in R": "cate, as in R",
    "ruv4, as in R, true k": "RUV4, as in R",
}
NOISY = "noisy rare group"


def code_of(text: str) -> Iterator[tuple[int, str]]:
    """Line number and code of every Python block, and of every code span in a column that is run, in page order."""
    language: str | None = None
    column: int | None = None
    block: list[str] = []
    start = 0
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


def run_page(text: str) -> int:
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
        assert run_page((DOCS / name).read_text()) > 0


def error_rates_table() -> list[str]:
    """Rows of the table of the choosing guide, from the validity study."""
    study = pd.read_csv(DOCS / "validity.csv").query("kind == 'method'")
    fdp, power = (study.pivot_table(index="family", columns="name", values=name) for name in ("fdp", "power"))
    families = [family for family in fdp.index if not family.startswith("nothing true")]
    rows = [
        "| method | FDP, median | FDP, largest | in family | above .15 | noisy group | power |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, label in SHOWN.items():
        rates, noisy = fdp.loc[families, name].drop(NOISY).dropna(), float(fdp[name][NOISY])
        relative = float((power[name] / power["oracle+w"]).loc[families].median())
        largest = [two(rates.max()), str(rates.idxmax()), str((rates > 0.15).sum())]
        rows.append(f"| {' | '.join([label, two(rates.median()), *largest, two(noisy), two(relative)])} |")
    return rows


def two(value: float) -> str:
    """Two decimals, without a leading zero."""
    return f"{value:.2f}".removeprefix("0")


def test_error_rates_of_the_guide_are_those_of_the_validity_study() -> None:
    shown = (DOCS / "choosing.md").read_text().split("<!-- figures: begin -->")[1].split("<!-- figures: end -->")[0]
    rows = error_rates_table()
    assert shown.strip().splitlines() == rows, "The table of choosing.md should be:\n" + "\n".join(rows)


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
