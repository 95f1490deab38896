"""``dqc run``: run a schedule, or go on with it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from dqc_plugin.cli.progress import TerminalReporter
from dqc_plugin.cli.trainers import without_trainers


def run(
    schedule: Annotated[Path, typer.Argument(help="The schedule, a YAML file.")],
    out: Annotated[Path | None, typer.Option(help="Run folder; runs/<name> unless given.")] = None,
    set: Annotated[list[str] | None, typer.Option(help="Override a key: stages.1.sparsity=0.9")] = None,
) -> None:
    """Run a schedule stage by stage; the same command again resumes."""
    with without_trainers():
        from dqc_plugin.pipeline.runner import run as run_schedule

    console = Console(quiet=os.environ.get("RANK", "0") != "0")  # of torchrun's processes, one speaks
    with TerminalReporter(console) as reporter:
        result = run_schedule(schedule, out, overrides=set or [], reporter=reporter)
    console.print(_summary(result.stages))
    if result.file is not None:
        console.print(f"{result.file}: {result.file.stat().st_size:,} bytes, verified", highlight=False, soft_wrap=True)


def _summary(stages: list[dict[str, Any]]) -> Table:
    table = Table(title="Stages")
    for column in ("stage", "accuracy %", "zeros %", "bytes", "ratio", "seconds"):
        table.add_column(column, justify="left" if column == "stage" else "right")
    for record in stages:
        table.add_row(
            record["title"],
            f"{100 * record['metric']:.2f}",
            f"{100 * record['sparsity']:.1f}",
            f"{record['bytes']:,}" if "bytes" in record else "",
            f"{record['ratio']:.1f}x" if "ratio" in record else "",
            f"{record['seconds']:.1f}",
        )
    return table
