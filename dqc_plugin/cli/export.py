"""``dqc export``: a compressed file in another format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from torch import Tensor, nn

    from dqc_plugin.schedule import Schedule


def export(
    file: Annotated[Path, typer.Argument(help="A compressed file.")],
    out: Annotated[Path, typer.Argument(help="What to write: .onnx, .safetensors or .pt (a state dict).")],
    schedule: Annotated[
        Path | None, typer.Option(help="For ONNX: the schedule that names the model and the data.")
    ] = None,
    set: Annotated[list[str] | None, typer.Option(help="Override a key: model.image_size=8")] = None,
) -> None:
    """Write a compressed network as ONNX, safetensors or a torch state dict."""
    from dqc_plugin.export import export as export_file
    from dqc_plugin.export import export_onnx
    from dqc_plugin.schedule import build_model, load_schedule

    if out.suffix != ".onnx":
        _unasked(out, schedule is not None or bool(set))
        export_file(file, out)
    else:
        named = _required(schedule, out)
        read = load_schedule(named, set or [])
        export_onnx(_fitting(file, build_model(read), named), _inputs(read, named), out)
    typer.echo(f"{out}: {out.stat().st_size:,} bytes")


def _unasked(out: Path, is_given: bool) -> None:
    from dqc_plugin.errors import ExportError

    if is_given:
        raise ExportError(f"{out}: --schedule and --set are for ONNX; this format needs neither, leave them out")


def _required(schedule: Path | None, out: Path) -> Path:
    from dqc_plugin.errors import ExportError

    if schedule is None:
        raise ExportError(f"{out}: ONNX needs the network, not its weights alone: give --schedule, the run's schedule")
    return schedule


def _fitting(file: Path, model: nn.Module, schedule: Path) -> nn.Module:
    """The model with the file's weights."""
    from dqc_plugin.artifact import load
    from dqc_plugin.errors import ExportError, MisfitError

    try:
        return load(file, into=model)
    except MisfitError as error:
        raise ExportError(f"{error}. Is {schedule} the schedule of its run, with the same --set?") from None


def _inputs(schedule: Schedule, file: Path) -> Tensor:
    from dqc_plugin.data import load_data
    from dqc_plugin.errors import ExportError

    if schedule.data is None:
        raise ExportError(
            f"{file} names no data, whose shape ONNX needs: name it with --set data=..., or give a batch as inputs of "
            "dqc_plugin.export.export in Python"
        )
    data = load_data(schedule.data.name, **schedule.data.arguments)
    inputs, _ = next(iter(data.batches(data.test, 2)))
    return inputs
