"""What a stage's settings ask for must fit into its epochs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from dqc_plugin.schedule.problems import Keys, Problems, show_keys
from dqc_plugin.schedule.settings import TrainSettings
from dqc_plugin.schedule.stages import CompressStage

# Options that name an epoch of the stage, as paths inside the options.
_EPOCH_OPTIONS: tuple[tuple[str, ...], ...] = (("codebook", "freeze_after_epochs"), ("ramp_epochs",))


def check_lr_schedule(train: TrainSettings, stage: Keys, locate: Callable[[Keys], Keys], problems: Problems) -> None:
    """Adds a problem for a warm-up or a milestone that the stage's epochs do not reach.

    locate: the settings may stand in the stage or in the defaults of all stages.
    """
    if train.epochs == 0:
        return
    warmup = getattr(train.lr_schedule, "warmup_epochs", None)
    if warmup is not None and warmup > train.epochs:
        problems.add(locate(("lr_schedule", "warmup_epochs")), _never(warmup, train, stage))
    late = [epoch for epoch in getattr(train.lr_schedule, "milestones_epochs", ()) if epoch >= train.epochs]
    if late:
        problems.add(locate(("lr_schedule", "milestones_epochs")), _never(late[0], train, stage))


def check_epochs(stage: CompressStage, keys: Keys, problems: Problems) -> None:
    """Adds a problem for every option of the stage or of one of its layers that its epochs do not reach."""
    epochs = stage.train.epochs
    if epochs == 0 and getattr(stage.options, "NEEDS_EPOCHS", False):
        problems.add((*keys, "epochs"), f"must be at least 1: {stage.name} prunes while it trains")
        return
    rules: dict[Keys, BaseModel] = {("layers", key): rule for key, rule in stage.layers.items() if rule is not None}
    for inside, options in ((), stage.options), *rules.items():
        for path in _EPOCH_OPTIONS:
            value = _value(options, path)
            if value is not None and value > epochs and (not inside or value != _value(stage.options, path)):
                problems.add((*keys, *inside, *path), _never(value, stage.train, keys))


def _value(options: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        options = getattr(options, key, None) if isinstance(options, BaseModel) else None
    return options


def _never(epoch: float, train: TrainSettings, stage: Keys) -> str:
    return f"{epoch} is never reached: {show_keys(stage)} trains {train.duration}"
