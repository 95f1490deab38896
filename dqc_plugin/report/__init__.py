"""Tables and plots of finished runs, from the files in their folders."""

from dqc_plugin.report.document import Document, make_document
from dqc_plugin.report.known import read_known, require_kept
from dqc_plugin.report.plot import require_matplotlib
from dqc_plugin.report.rows import Other, Published, Row, Spread, make_rows
from dqc_plugin.report.runs import Run, read_run, read_runs
from dqc_plugin.report.table import columns, table_rows
from dqc_plugin.report.writers import write_report

__all__ = [
    "Document",
    "Other",
    "Published",
    "Row",
    "Run",
    "Spread",
    "columns",
    "make_document",
    "make_rows",
    "read_known",
    "read_run",
    "read_runs",
    "require_kept",
    "require_matplotlib",
    "table_rows",
    "write_report",
]
