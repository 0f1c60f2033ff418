"""Pages on disk, with their numbers beside them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from latentadj.data.writers import atomic_directory, plain_values
from latentadj.exceptions import OutputError
from latentadj.report.page import Page


def write_page(
    page: Page,
    path: str | os.PathLike[str],
    tables: Mapping[str, tuple[pd.DataFrame, str]] | None = None,
    *,
    linked: Sequence[tuple[str, str]] | None = None,
) -> Path:
    """Write a page and the numbers on it, all files or none.

    Parameters
    ----------
    page : Page
    path : path
        Of the page. An earlier one is replaced when all is complete; a missing folder is made.
    tables : mapping of str to (pandas.DataFrame, str), optional
        Tables to write as ``<stem>_files/<name>.tsv``, with what they hold in a few words. Index labels are not
        written.
    linked : sequence of (str, str), optional
        Names of files in the same folder that hold the numbers already, with what they hold. They are linked, and
        nothing is written but the page. Without it ``<stem>_files/`` gets the tables and ``report.json``, every
        text and number of the page.

    Returns
    -------
    pathlib.Path
        Of the page.

    Raises
    ------
    OutputError
        When a file cannot be written; the folder is then as it was.

    Examples
    --------
    >>> import tempfile
    >>> page = Page("t", "Nothing", "There is nothing.", ())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_page(page, Path(folder, "r.html"), {"a": (pd.DataFrame({"x": [1]}), "one number")})
    ...     sorted(str(p.relative_to(folder)) for p in Path(folder).rglob("*.*"))
    ['r.html', 'r_files/a.tsv', 'r_files/report.json']
    """
    target = Path(path)
    with atomic_directory(target.parent, overwrite=True) as staging:
        try:
            links = _write_numbers(page, staging, target.stem, tables or {}) if linked is None else linked
            text = page.html([(quote(name), what) for name, what in links])
            (staging / target.name).write_bytes(text.encode("utf-8", "xmlcharrefreplace"))
        except OSError as error:
            raise OutputError(
                f"{target} and the files beside it cannot be written ({error.strerror or error}). Free space on the "
                "disk, or choose another folder."
            ) from error
    return target


def _write_numbers(
    page: Page, staging: Path, stem: str, tables: Mapping[str, tuple[pd.DataFrame, str]]
) -> list[tuple[str, str]]:
    folder = f"{stem}_files"
    (staging / folder).mkdir()
    written = []
    for name, (frame, what) in tables.items():
        place = staging / folder / f"{name}.tsv"
        # a name without a form in UTF-8 is written as its code
        frame.to_csv(place, sep="\t", index=False, lineterminator="\n", encoding="utf-8", errors="backslashreplace")
        written.append((f"{folder}/{name}.tsv", what))
    text = json.dumps(plain_values(page.values()), indent=1, allow_nan=False)
    (staging / folder / "report.json").write_text(text + "\n", encoding="ascii")
    return [*written, (f"{folder}/report.json", "every text and number of this page")]
