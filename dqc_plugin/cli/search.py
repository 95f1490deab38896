"""``dqc search``: bit widths of each layer by an NNI experiment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from dqc_plugin.cli.progress import TerminalReporter
from dqc_plugin.cli.trainers import without_trainers

if TYPE_CHECKING:
    from dqc_plugin.search.outcome import Outcome

_PIPED_WIDTH = 140


def search(
    config: Annotated[
        Path, typer.Argument(help="An NNI experiment YAML with the keys quantizer, schedule, bits, aim.")
    ],
    out: Annotated[Path | None, typer.Option(help="Folder of the search; runs/<name of the file>.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a search that was stopped.")] = False,
    plot: Annotated[Path | None, typer.Option(help="Write the figure, as PNG and SVG.")] = None,
) -> None:
    """Search the bits of each layer with NNI; the front of accuracy and bytes, the best schedule and file."""
    from dqc_plugin.report import require_matplotlib

    with without_trainers():
        from dqc_plugin.search.config import load_search
        from dqc_plugin.search.search import run_search

    if plot:
        require_matplotlib()
    loaded = load_search(config)
    folder = out or Path("runs") / loaded.name
    console = Console()
    with TerminalReporter(console) as reporter:
        result = run_search(loaded, folder, resume, reporter, lambda counts: console.print(_counts(counts)))
    if not console.is_terminal:
        console = Console(width=_PIPED_WIDTH)
    console.print(_table(result.outcome))
    if plot:
        from dqc_plugin.report.search import write_search_plot

        write_search_plot(folder / "trials.json", loaded.name, plot)
    if result.failed:
        console.print(
            f"{result.failed} trials failed: see {folder}/nni/*/environments/*/trials/*/trial.stderr", soft_wrap=True
        )
    if not result.outcome.within:
        console.print("no trial keeps the aim's limit; best is the nearest")
    console.print(f"{folder}/best.yml, {folder}/best.dqc, verified", highlight=False, soft_wrap=True)


def _counts(counts: Mapping[str, int]) -> str:
    return "trials: " + ", ".join(f"{number} {status.lower()}" for status, number in sorted(counts.items()))


def _table(outcome: Outcome) -> Table:
    from dqc_plugin.report.search import one_width

    table = Table(
        title="what no other trial beats (* the best by the aim), and one bit width for all layers",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1),
        pad_edge=False,
    )
    for column in ("", "accuracy %", "bytes", "parameters"):
        table.add_column(column, justify="left" if column in ("", "parameters") else "right", overflow="fold")
    for trial in outcome.trials:
        width = one_width(trial.parameters)
        if trial not in outcome.front and width is None:
            continue
        words = ", ".join(f"{name}={value}" for name, value in trial.parameters.items())
        mark = "* " if trial == outcome.best else ""
        beaten = "" if trial in outcome.front else ", beaten"
        name = f"{mark}{width} bits{beaten}" if width is not None else mark
        table.add_row(name, f"{100 * trial.accuracy:.2f}", f"{trial.bytes:,}", words)
    return table
