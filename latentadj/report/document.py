"""The report of a result: its page, and the files beside it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from latentadj.core.passes import one_blas_thread
from latentadj.plots.style import require_matplotlib
from latentadj.report.files import write_page
from latentadj.report.page import Page
from latentadj.report.sections import SECTIONS
from latentadj.results import AdjustmentResult


def write_report(
    result: AdjustmentResult,
    path: str | os.PathLike[str] = "report.html",
    *,
    linked: Sequence[tuple[str, str]] | None = None,
) -> Path:
    """Write a report that one file holds completely, and its numbers as files beside it.

    Parameters
    ----------
    result : AdjustmentResult
    path : path, default="report.html"
        An earlier file is replaced when the new one is complete; a missing folder is made.
    linked : sequence of (str, str), optional
        Names of files in the same folder that hold the results already, each with what it holds. They are linked from
        the page, and nothing is written but the page. By default the folder ``<stem>_files`` is written too:
        ``results.tsv`` (all of `AdjustmentResult.tidy`), ``factors.tsv`` and ``report.json`` (every text and number of
        the page).

    Returns
    -------
    pathlib.Path
        Of the page.

    Raises
    ------
    MissingExtraError
        Without Matplotlib; nothing is written then.
    OutputError
        When a file cannot be written; earlier ones are then as they were.

    Notes
    -----
    The page needs no network and no other file. The table of features is sorted and searched by a script in the page,
    the only one that the page's security policy lets run; without scripts the first rows are shown. Every text from
    the data (names of features, covariates, levels) is escaped.

    Examples
    --------
    >>> import tempfile
    >>> import latentadj as la
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(12, 30))
    >>> res = la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_report(res, Path(folder, "report.html"))
    ...     path.read_text(encoding="utf-8")[:15], sorted(p.name for p in Path(folder, "report_files").iterdir())
    ('<!DOCTYPE html>', ['factors.tsv', 'report.json', 'results.tsv'])
    """
    page = report_page(result)
    tables = {}
    if linked is None:
        factors = result.factors.rename_axis("sample").reset_index()
        tables = {
            "results": (result.tidy(), "a row per feature and tested column, all digits"),
            "factors": (factors, "the hidden factors, a row per sample"),
        }
    return write_page(page, path, tables, linked=linked)


def report_html(result: AdjustmentResult) -> str:
    """Return the report as one HTML text.

    Parameters
    ----------
    result : AdjustmentResult

    Returns
    -------
    str

    Raises
    ------
    MissingExtraError
        Without Matplotlib.

    Examples
    --------
    >>> import latentadj as la
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(12, 30))
    >>> res = la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=0)
    >>> "http://" in report_html(res)
    False
    """
    return report_page(result).html()


def report_page(result: AdjustmentResult) -> Page:
    """Make the page of a result, with its texts and numbers.

    Parameters
    ----------
    result : AdjustmentResult

    Returns
    -------
    Page

    Raises
    ------
    MissingExtraError
        Without Matplotlib.

    Examples
    --------
    >>> import latentadj as la
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(12, 30))
    >>> page = report_page(la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=0))
    >>> page.parts[0][0], page.values()["sections"][0]["anchor"]
    ('Summary', 'summary')
    """
    require_matplotlib("matplotlib.figure")
    title = f"latentadj report: {result.design.formula or _tested(result)}"
    headline = f"Adjusted regression: {result.design.formula or _tested(result)}"
    with one_blas_thread():
        return Page.build(title, headline, _lead(result), SECTIONS, result)


def _lead(result: AdjustmentResult) -> str:
    k = result.n_factors
    return (
        f"{result.n_features:,} features in {result.n_samples:,} samples, tested for {_tested(result)}; "
        f"{result.method_title}, {k} hidden factor{'s' * (k != 1)}."
    )


def _tested(result: AdjustmentResult) -> str:
    return ", ".join(result.tests.names[:6]) + (", ..." if len(result.tests.names) > 6 else "") or "nothing"
