"""A self-contained HTML report of a result."""

from latentadj.report.document import report_html, write_report

__all__ = ["report_html", "write_report"]
