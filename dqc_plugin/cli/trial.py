"""``dqc trial``: one trial of an NNI experiment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from dqc_plugin.cli.trainers import without_trainers


def trial(
    schedule: Annotated[Path, typer.Argument(help="The schedule that NNI's parameters change.")],
    out: Annotated[Path | None, typer.Option(help="Folder of all trials; runs/<name>-trials unless given.")] = None,
    max_bytes: Annotated[int | None, typer.Option(min=1, help="Aim: the best accuracy under so many bytes.")] = None,
    min_accuracy_percent: Annotated[float | None, typer.Option(help="Aim: the fewest bytes above it.")] = None,
    points_per_halving: Annotated[
        float, typer.Option(help="Aim without a limit: points that half the bytes are worth.")
    ] = 1.0,
    set: Annotated[list[str] | None, typer.Option(help="Override a key: stages.1.epochs=2")] = None,
) -> None:
    """Run a schedule with the parameters that NNI gives; report accuracy and bytes after every epoch."""
    import nni

    from dqc_plugin.schedule import load_schedule

    with without_trainers():
        from dqc_plugin.search.search import trial_folder
        from dqc_plugin.search.trial import check_searchable, make_aim, run_trial

    aim = make_aim(max_bytes, min_accuracy_percent, points_per_halving)
    base = load_schedule(schedule, set or [])
    check_searchable(base)
    folder = out or Path("runs") / f"{base.name}-trials"
    parameters: dict[str, Any] = nni.get_next_parameter() or {}
    finished = run_trial(base, parameters, trial_folder(folder, parameters), folder / "start", aim, nni)
    typer.echo(json.dumps({"parameters": finished.parameters, **finished.metrics}))
