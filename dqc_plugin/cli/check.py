"""``dqc check``: what a schedule will do, layer by layer, without doing it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from dqc_plugin.schedule import Family, LayerPlan, Schedule, Totals

_PIPED_WIDTH = 120
_LEFT = ("layer", "pruner", "quantizer", "freeze")
_COLUMNS = (
    "layer",
    "shape",
    "weights",
    "pruner",
    "zeros\n%",
    "quantizer",
    "bits",
    "codebook\nsize",
    "freeze",
    "expected\nbytes",
)


def check(
    file: Annotated[Path, typer.Argument(help="The schedule, a YAML file.")],
    set: Annotated[list[str] | None, typer.Option(help="Override a key: stages.1.sparsity=0.9")] = None,
) -> None:
    """Check a schedule and show what each layer gets and how many bytes that should take; of a family, the runs."""
    from dqc_plugin.schedule import load_family

    family = load_family(file, set or [])
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PIPED_WIDTH)
    if family.axes:
        console.print(_runs(family))
    else:
        _show(family.cells[0].schedule, console)


def _runs(family: Family) -> Table:
    from dqc_plugin.schedule import build_model, resolve, totals

    table = Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    table.add_column("run", overflow="fold")
    table.add_column("stages", overflow="fold")
    table.add_column("expected\nbytes", justify="right")
    for cell in family.cells:
        model = build_model(cell.schedule)
        total = totals(resolve(cell.schedule, model), model)
        table.add_row(cell.schedule.name, escape(cell.schedule.overview), f"{total.expected_bytes:,}")
    return table


def _show(schedule: Schedule, console: Console) -> None:
    from dqc_plugin.schedule import build_model, resolve, totals

    model = build_model(schedule)
    plans = resolve(schedule, model)
    console.print(f"{schedule.name}: {schedule.overview}", highlight=False, soft_wrap=True, markup=False)
    console.print(_table(plans, totals(plans, model)))
    console.print(_summary(totals(plans, model)), highlight=False, soft_wrap=True)


def _table(plans: list[LayerPlan], total: Totals) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for column in _COLUMNS:
        table.add_column(column, justify="left" if column in _LEFT else "right", overflow="fold")
    for plan in plans:
        table.add_row(*_row(plan))
    table.add_section()
    table.add_row("total", "", f"{total.weights:,}", *[""] * 6, f"{total.expected_bytes:,}")
    return table


def _row(plan: LayerPlan) -> tuple[str, ...]:
    return (
        plan.layer,
        "x".join(map(str, plan.shape)),
        f"{plan.weights:,}",
        plan.pruner or "-",
        f"{100 * plan.sparsity:.1f}" if plan.pruner else "-",
        plan.quantizer or "-",
        str(plan.bits or "-"),
        str(plan.codebook_size or "-"),
        plan.freeze or "-",
        f"{plan.expected_bytes:,}",
    )


def _summary(total: Totals) -> str:
    expected, dense = total.expected_bytes + total.other_bytes, total.float_bytes + total.other_bytes
    return (
        f"expected {expected:,} bytes, {total.other_bytes:,} of them kept exactly (biases and the like); "
        f"float32 {dense:,} bytes; ratio {total.ratio:.1f}x"
    )
