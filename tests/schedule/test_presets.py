from __future__ import annotations

from typing import Any

import pytest

from dqc_plugin.errors import ScheduleError
from dqc_plugin.schedule import QuantizerStage, Schedule, load_schedule
from dqc_plugin.schedule.presets import PRESETS


def schedule_of(stage: dict[str, Any], train: dict[str, Any] | None = None) -> Schedule:
    stages = [{"train": {"epochs": 1}}, stage]
    data = {"version": 1, "name": "p", "model": "lenet5", "data": "digits", "train": train or {}, "stages": stages}
    return load_schedule(data)


def stage_of(stage: dict[str, Any], train: dict[str, Any] | None = None) -> QuantizerStage:
    read = schedule_of(stage, train).stages[1]
    assert isinstance(read, QuantizerStage)
    return read


@pytest.mark.parametrize(("quantizer", "preset"), [(name, preset) for name in PRESETS for preset in PRESETS[name]])
def test_a_preset_is_the_same_as_its_keys_written_out(quantizer: str, preset: str) -> None:
    named = stage_of({"quantizer": quantizer, "preset": preset, "bits": 3})
    assert named.canonical() == stage_of({"quantizer": quantizer, **PRESETS[quantizer][preset], "bits": 3}).canonical()
    assert named.canonical() != stage_of({"quantizer": quantizer, "bits": 3, "epochs": named.train.epochs}).canonical()


def test_the_stage_goes_over_the_preset_and_the_preset_over_the_defaults() -> None:
    own = {"quantizer": "dqc", "preset": "paper", "optimizer": {"lr": 0.5}}
    stage = stage_of(own, {"optimizer": {"momentum": 0.1, "weight_decay": 0.3}, "batch_size": 7})
    assert (stage.train.optimizer.lr, stage.train.optimizer.momentum) == (0.5, 0.9)  # type: ignore[union-attr]
    assert (stage.train.optimizer.weight_decay, stage.train.batch_size) == (0.0, 128)


@pytest.mark.parametrize(
    ("stage", "complaint"),
    [
        ({"quantizer": "dqc", "preset": "papper"}, "no preset 'papper' of dqc; did you mean 'paper'?"),
        ({"quantizer": "dqc", "preset": ["paper"]}, "must be one of paper, strong"),
        ({"quantizer": "inq", "preset": "paper"}, "'inq' has no presets; dqc and sqc have"),
        ({"pruner": "agp", "sparsity": 0.5, "epochs": 2, "preset": "paper"}, "unknown key"),
    ],
)
def test_a_preset_that_is_not_there(stage: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ScheduleError) as error:
        schedule_of(stage)
    assert [line for line in str(error.value).splitlines() if "preset" in line and complaint in line]


def test_epochs_that_do_not_fit_the_preset_are_named() -> None:
    with pytest.raises(ScheduleError, match=r"stages\[1\].*123 is never reached"):
        schedule_of({"quantizer": "dqc", "preset": "paper", "epochs": 30})
