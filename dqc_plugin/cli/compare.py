"""``dqc compare``: one table of several runs, or of a family of schedules, which it runs first."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from dqc_plugin.errors import ConfigError, RunError

if TYPE_CHECKING:
    from dqc_plugin.report import Document, Row, Run
    from dqc_plugin.schedule import Family

_PIPED_WIDTH = 140


def compare(
    what: Annotated[list[Path], typer.Argument(help="Run folders, or one schedule file with a matrix.")],
    out: Annotated[Path | None, typer.Option(help="Where a family's runs are; runs/<family> unless given.")] = None,
    set: Annotated[list[str] | None, typer.Option(help="Override a key of the family: train.epochs=2")] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            help="A folder for tables, layers and plot; runs that are in its table.json already are not run again."
        ),
    ] = None,
    no_run: Annotated[bool, typer.Option("--no-run", help="Only show what is finished.")] = False,
) -> None:
    """Compare runs: mean and spread over seeds, size, ratio, and what the paper says. A family runs what is missing."""
    from dqc_plugin.report import (
        Other,
        make_document,
        make_rows,
        read_known,
        read_runs,
        require_kept,
        require_matplotlib,
        write_report,
    )
    from dqc_plugin.schedule import load_family

    if report:
        require_matplotlib()
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PIPED_WIDTH)
    failed: list[str] = []
    command = f"dqc {shlex.join(word for word in sys.argv[1:] if word != '--no-run')}"  # what makes it again
    families = [path for path in what if not path.is_dir() and path.suffix in (".yml", ".yaml")]
    if families and len(what) > 1:
        raise ConfigError(f"{families[0]}: a family is compared by itself; give it alone, or run folders alone")
    if len(what) == 1 and not what[0].is_dir():
        family = load_family(what[0], set or [])
        folder = out or Path("runs") / family.name
        known = read_known(report)
        if report and set:
            require_kept(known, {cell.schedule.digest() for cell in family.cells}, report)
        failed = [] if no_run else _run(family, folder, known, console)
        others = [Other(**other.model_dump()) for other in family.others]
        document = make_document(family.name, command, _rows(family, folder, known), others)
    elif out or set or no_run:
        raise ConfigError("--out, --set and --no-run are for a family; run folders are only read")
    else:
        document = make_document("comparison", command, make_rows([(run.labels, run, None) for run in read_runs(what)]))
    console.print(_table(document))
    if report:
        write_report(document, report)
    if failed:
        raise RunError("\n".join(failed))


def _run(family: Family, folder: Path, known: Mapping[str, Run], console: Console) -> list[str]:
    from dqc_plugin.cli.progress import TerminalReporter
    from dqc_plugin.cli.trainers import without_trainers

    with without_trainers():
        from dqc_plugin.pipeline.family import run_family

    with TerminalReporter(console) as reporter:
        return run_family(
            family,
            folder,
            reporter,
            lambda number, cell: console.print(
                f"{cell.schedule.name} ({number + 1} of {len(family.cells)})", markup=False, highlight=False
            ),
            known,
        )


def _rows(family: Family, folder: Path, known: Mapping[str, Run]) -> list[Row]:
    from dqc_plugin.report import Published, make_rows, read_run

    return make_rows(
        [
            (
                cell.labels,
                read_run(folder / cell.schedule.name, cell.labels, cell.schedule.digest())
                or known.get(cell.schedule.digest()),
                Published(**cell.reference.model_dump()) if cell.reference else None,
            )
            for cell in family.cells
        ]
    )


def _table(document: Document) -> Table:
    from dqc_plugin.report import columns, table_rows

    table = Table(title=document.name, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for name in columns(document):
        table.add_column(name, justify="left" if name in document.axes else "right", overflow="fold")
    for row in table_rows(document):
        table.add_row(*row)
    return table
