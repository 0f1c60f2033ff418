"""The page: head, style, navigation and sections, written in one piece."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

from latentadj.data.writers import atomic_directory
from latentadj.plots.style import require_matplotlib
from latentadj.report.markup import escape, paragraph
from latentadj.report.sections import SECTIONS
from latentadj.results import AdjustmentResult

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def write_report(result: AdjustmentResult, path: str | os.PathLike[str] = "report.html") -> Path:
    """Write a report that one file holds completely: no network, no scripts, light and dark, printable.

    Parameters
    ----------
    result : AdjustmentResult
    path : path, default="report.html"
        An earlier file is replaced when the new one is complete; a missing folder is made.

    Returns
    -------
    pathlib.Path
        Where it was written.

    Raises
    ------
    MissingExtraError
        Without Matplotlib; nothing is written then.
    OutputError
        When the file cannot be written.

    Notes
    -----
    Every text from the data (names of features, covariates, levels) is escaped.

    Examples
    --------
    >>> import tempfile
    >>> import latentadj as la
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(12, 30))
    >>> res = la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_report(res, Path(folder, "report.html"))
    ...     path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    True
    """
    target = Path(path)
    page = report_html(result).encode("utf-8", "xmlcharrefreplace")
    with atomic_directory(target.parent, overwrite=True) as staging:
        (staging / target.name).write_bytes(page)
    return target


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
    require_matplotlib("matplotlib.figure")
    title = f"latentadj report: {result.design.formula or ', '.join(result.tests.names)}"
    parts = [f'<section id="{s.anchor}"><h2>{escape(s.title)}</h2>{s.body(result)}</section>' for s in SECTIONS]
    links = "".join(f'<a href="#{s.anchor}">{escape(s.title)}</a>' for s in SECTIONS)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title><style>{_style()}</style></head>"
        f"<body><header><h1>{escape(_headline(result))}</h1>{paragraph(_lead(result), 'lead')}</header>"
        f"<nav>{links}</nav><main>{''.join(parts)}</main></body></html>\n"
    )


def _headline(result: AdjustmentResult) -> str:
    return result.design.formula or "Adjusted regression"


def _lead(result: AdjustmentResult) -> str:
    tested = ", ".join(result.tests.names[:6]) + (", ..." if len(result.tests.names) > 6 else "")
    k = result.n_factors
    return (
        f"{result.n_features:,} features in {result.n_samples:,} samples, tested for {tested or 'nothing'}; "
        f"{result.method_title}, {k} hidden factor{'s' * (k != 1)}."
    )


def _style() -> str:
    return resources.files("latentadj.report").joinpath("style.css").read_text(encoding="utf-8")
