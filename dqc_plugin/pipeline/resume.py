"""Where a run goes on: after the last stage that is finished, without the records of work that is done again."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from dqc_plugin.artifact import verify
from dqc_plugin.errors import ArtifactError, RunError
from dqc_plugin.pipeline.context import Context
from dqc_plugin.pipeline.folder import load_checkpoint
from dqc_plugin.pipeline.state import NetworkState, cpu_weights
from dqc_plugin.schedule import CoderStage, Stage


def last_finished(context: Context) -> tuple[NetworkState, int]:
    """The network after the last finished stage, and the number of the next one.

    A stage without its record, and a coder whose file is gone or damaged, are not finished.
    """
    fresh = cpu_weights(context.make_model())
    recorded = {record["stage"] for record in context.folder.records() if record["event"] == "stage"}
    stages = enumerate(context.schedule.stages)
    next_one = next((n for n, stage in stages if n not in recorded or not _has_its_file(context, stage)), None)
    for number in reversed(range(len(context.schedule.stages) if next_one is None else next_one)):
        saved = load_checkpoint(context.folder.end_of_stage(number))
        if saved is not None:
            _require_same_network(context, saved["weights"], fresh)
            return NetworkState.from_checkpoint(saved, context.device), number + 1
    return NetworkState(fresh), 0


def _has_its_file(context: Context, stage: Stage) -> bool:
    if not isinstance(stage, CoderStage):
        return True
    try:
        verify(context.folder.path / stage.file)
    except ArtifactError:
        return False
    return True


def _require_same_network(context: Context, saved: Mapping[str, Tensor], fresh: Mapping[str, Tensor]) -> None:
    if {name: value.shape for name, value in saved.items()} != {name: value.shape for name, value in fresh.items()}:
        raise RunError(
            f"{context.folder.path} holds a run of another network; choose another folder, or delete this one"
        )


def forget_repeated_work(context: Context, first: int) -> None:
    """Drop records of epochs that a kill left without a checkpoint."""
    records = context.folder.records()
    saved = load_checkpoint(context.folder.epoch_of_stage(first))
    epochs = int(saved["epochs_done"]) if saved else 0
    kept = [
        record
        for record in records
        if record["stage"] < first
        or (record["stage"] == first and record["event"] == "epoch" and record["epoch"] <= epochs)
    ]
    if kept != records:
        context.folder.keep_records(kept)


def seconds_spent(context: Context, stage: int) -> float:
    """What the epochs of a stage took before the run was stopped."""
    records = context.folder.records()
    return sum(float(record["seconds"]) for record in records if (record["event"], record["stage"]) == ("epoch", stage))
