"""Self-contained HTML pages: the report of a result, and the building blocks for others."""

from latentadj.report.document import report_html, report_page, write_report

__all__ = ["report_html", "report_page", "write_report"]
