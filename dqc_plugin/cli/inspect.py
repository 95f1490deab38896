"""``dqc inspect``: what a compressed file holds, and what each part costs."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from dqc_plugin.artifact import OtherRow, Report
    from dqc_plugin.artifact.report import Sizes

_PIPED_WIDTH = 100


def inspect(
    file: Annotated[Path, typer.Argument(help="A compressed file.")],
    json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Show the tensors of a compressed file and their sizes."""
    from dqc_plugin.artifact import inspect as inspect_file

    report = inspect_file(file)
    if json:
        typer.echo(json_format.dumps(report.as_dict(), indent=2))
        return
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PIPED_WIDTH)
    for table in _tables(report):
        console.print(table)
    console.print(_summary(report), highlight=False, markup=False, soft_wrap=True)


def _tables(report: Report) -> list[Table]:
    tables = [_layers(report), _stages(report)] if report.layers else []
    return [*tables, _others(report.others)] if report.others else tables


def _layers(report: Report) -> Table:
    table = _table(
        "Quantized tensors",
        "shape",
        "weights",
        "kept\n%",
        "bits",
        "codebook\nsize",
        "entropy\nbits",
        "bits per\nweight",
        "bytes",
        "ratio",
    )
    for row in report.layers:
        table.add_row(
            _layer(row.name),
            _shape(row.shape),
            *_counts(row.sizes),
            str(row.bits),
            str(row.codebook_size),
            *_costs(row.sizes),
        )
    table.add_section()
    table.add_row("total", "", *_counts(report.total), "", "", *_costs(report.total))
    return table


def _stages(report: Report) -> Table:
    """The columns of Deep Compression's tables."""
    table = _table(
        "After pruning (P), quantization (Q) and coding (H); bits are per kept weight (or filler zero)",
        "weight bits\nP+Q -> H",
        "index bits\nP+Q -> H",
        "bytes\nP",
        "\nP+Q",
        "\nH",
        "rate %\nP",
        "\nP+Q",
        "\nH",
    )
    for row in report.layers:
        table.add_row(_layer(row.name), *_compression(row.sizes))
    table.add_section()
    table.add_row("total", *_compression(report.total))
    return table


def _others(rows: tuple[OtherRow, ...]) -> Table:
    table = _table("Kept exactly", "shape", "dtype", "bytes", "stored")
    for row in rows:
        stored = f"{row.bytes_stored:,}" if row.same_as is None else escape(f"as {row.same_as}")
        table.add_row(escape(row.name), _shape(row.shape), row.dtype, f"{row.bytes_dense:,}", stored)
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    table.add_column("tensor", overflow="fold")
    for column in columns:
        table.add_column(column, justify="right", overflow="fold")
    return table


def _layer(name: str) -> str:
    return escape(name.removesuffix(".weight"))


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "()"


def _counts(sizes: Sizes) -> tuple[str, str]:
    return f"{sizes.weights:,}", f"{100 * sizes.kept_share:.1f}"


def _costs(sizes: Sizes) -> tuple[str, ...]:
    return (
        f"{sizes.entropy:.2f}",
        f"{sizes.effective_bits_per_weight:.3f}",
        f"{sizes.bytes_coded:,}",
        f"{sizes.ratio:.1f}x",
    )


def _compression(sizes: Sizes) -> tuple[str, ...]:
    return (
        f"{sizes.index_bits_quantized:.1f} -> {sizes.index_bits_coded:.1f}",
        f"{sizes.position_bits_quantized:.1f} -> {sizes.position_bits_coded:.1f}",
        f"{sizes.bytes_pruned:,}",
        f"{sizes.bytes_quantized:,}",
        f"{sizes.bytes_coded:,}",
        *(f"{100 * rate:.1f}" for rate in (sizes.rate_pruned, sizes.rate_quantized, sizes.rate_coded)),
    )


def _summary(report: Report) -> str:
    return (
        f"{report.file}: {report.file_bytes:,} bytes on disk, {report.bytes_overhead:,} of them header and index; "
        f"float32 {report.bytes_dense:,} bytes; ratio {report.ratio:.2f}x"
    )
