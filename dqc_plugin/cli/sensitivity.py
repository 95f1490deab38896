"""``dqc sensitivity``: what each layer loses at each bit width."""

from __future__ import annotations

import json as json_format
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from dqc_plugin.cli.trainers import without_trainers
from dqc_plugin.errors import ConfigError

if TYPE_CHECKING:
    from dqc_plugin.search.sensitivity import Profile, Sensitivity

_PIPED_WIDTH = 120


def sensitivity(
    schedule: Annotated[Path, typer.Argument(help="A schedule with a dqc or sqc stage.")],
    bits: Annotated[str, typer.Option(help="Bit widths, 2 to 8.")] = "2,3,4,5,8",
    images: Annotated[int, typer.Option(min=1, help="Training images for the loss.")] = 2000,
    out: Annotated[Path | None, typer.Option(help="Folder of the start network; runs/<name>-start.")] = None,
    set: Annotated[list[str] | None, typer.Option(help="Override a key: stages.1.sparsity=0.9")] = None,
    plot: Annotated[Path | None, typer.Option(help="Write the figure, as PNG and SVG.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Quantize one layer at a time without training: its noise, what the loss does, its bytes."""
    from dqc_plugin.report import require_matplotlib
    from dqc_plugin.schedule import load_schedule

    with without_trainers():
        from dqc_plugin.search.sensitivity import measure_sensitivity

    if plot:
        require_matplotlib()
    profile = measure_sensitivity(load_schedule(schedule, set or []), _widths(bits), images, out)
    if plot:
        from dqc_plugin.report.sensitivity import write_sensitivity_plot

        write_sensitivity_plot([asdict(row) for row in profile.rows], profile.name, plot)
    if json:
        typer.echo(json_format.dumps(asdict(profile), indent=2))
        return
    console = Console()
    for table in _tables(profile):
        (console if console.is_terminal else Console(width=_PIPED_WIDTH)).print(table)


def _widths(text: str) -> list[int]:
    try:
        return [int(width) for width in text.split(",")]
    except ValueError:
        raise ConfigError(f"--bits: must be whole numbers such as 2,3,4, not {text!r}") from None


def _tables(profile: Profile) -> list[Table]:
    """A row a layer, a column a bit width: what the loss does, the noise, the bytes."""
    loss = f"rise of the loss, {profile.loss:.4f} on {profile.images:,} training images"
    shown: dict[str, Callable[[Sensitivity], str]] = {
        f"{profile.name}: {loss}": lambda row: f"{row.loss_change:+.4f}",
        "signal-to-quantization-noise ratio of the weights, dB": lambda row: f"{row.sqnr_db:.1f}",
        "bytes of the layer in the file": lambda row: f"{row.bytes:,}",
    }
    return [_table(profile, title, cell) for title, cell in shown.items()]


def _table(profile: Profile, title: str, cell: Callable[[Sensitivity], str]) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    table.add_column("layer", overflow="fold")
    for column in ("weights", *(f"{width} bits" for width in dict.fromkeys(row.bits for row in profile.rows))):
        table.add_column(column, justify="right")
    for layer in dict.fromkeys(row.layer for row in profile.rows):
        rows = [row for row in profile.rows if row.layer == layer]
        table.add_row(layer, f"{rows[0].weights:,}", *map(cell, rows))
    return table
