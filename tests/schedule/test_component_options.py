from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

import pytest
from pydantic import BaseModel, Field, ValidationError, ValidationInfo, field_validator

from dqc_plugin import DQCQuantizer, registry
from dqc_plugin.data.augmentation import AUGMENTATIONS
from dqc_plugin.errors import ScheduleError
from dqc_plugin.pruners.options import GradualOptions, MovementOptions, SlimOptions, TrainedOptions
from dqc_plugin.quantizers.options import BNNOptions, CodebookOptions, DQCOptions, NNIOptions, SQCOptions
from dqc_plugin.schedule import load_schedule
from dqc_plugin.schedule.specs import Augment

Complaint = Callable[..., list[str]]


class Mine:
    """A quantizer of a user, with options of its own."""

    class Options(BaseModel):
        PER_LAYER: ClassVar[frozenset[str]] = frozenset({"levels"})
        levels: int = Field(3, ge=2, le=16)
        mode: Literal["fast", "exact"] = "fast"


class Paired:
    class Options(BaseModel):
        low: int = 0
        high: int = 9

        @field_validator("high")
        @classmethod
        def _above(cls, high: int, info: ValidationInfo) -> int:
            if high <= info.data.get("low", 0):
                raise ValueError(f"must be above low ({info.data['low']}), not {high}")
            return high


class Bare:
    """A quantizer that says nothing of its options."""


class Greedy:
    class Options(BaseModel):
        epochs: int = 3


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(registry, "_added", {})
    for name, component in (("mine", Mine), ("paired", Paired), ("bare", Bare), ("greedy", Greedy)):
        registry.register("quantizer", name)(component)
    registry.register("pruner", "bare")(Bare)
    return None


def stage(**data: Any) -> Any:
    mapping = {"version": 1, "name": "m", "stages": [{"train": {"epochs": 1}}, data]}
    return load_schedule(mapping).stages[1]


def complaint(**data: Any) -> str:
    with pytest.raises(ScheduleError) as caught:
        stage(**data)
    return str(caught.value)


def test_options_of_a_user_s_component_are_checked_and_kept() -> None:
    made = stage(quantizer="mine", levels=5, layers={"fc": {"levels": 7}})
    assert made.options == Mine.Options(levels=5)
    assert made.layers == {"fc": Mine.Options(levels=7)}
    assert complaint(quantizer="mine", levels=17) == "stages[1].levels: must be from 2 to 16, not 17"
    assert complaint(quantizer="mine", level=7) == "stages[1].level: unknown key; did you mean 'levels'?"
    assert complaint(quantizer="mine", layers={"fc": {"mode": "exact"}}) == (
        "stages[1].layers.fc.mode: holds for the whole stage; set it beside 'layers'"
    )


def test_a_layer_at_odds_with_an_option_of_its_stage_is_an_error() -> None:
    assert complaint(quantizer="paired", high=5, layers={"fc": {"low": 7}}) == (
        "stages[1].layers.fc: must be above low (7), not 5"
    )
    assert complaint(quantizer="paired", high=5, low=6, layers={"fc": {"low": 7}}) == (
        "stages[1].high: must be above low (6), not 5"
    )


def test_a_component_without_options_takes_the_common_ones() -> None:
    assert stage(quantizer="bare", bits=3).options.model_dump() == {"bits": 3}
    assert stage(pruner="bare", sparsity=0.5).options.model_dump() == {"sparsity": 0.5, "granularity": "default"}


def test_options_may_not_use_the_keys_of_every_stage() -> None:
    assert complaint(quantizer="greedy") == (
        "stages[1].quantizer: the options of 'greedy' use keys that every stage has (epochs): rename them"
    )


@pytest.mark.parametrize("name", registry.names("pruner"))
def test_every_pruner_takes_sparsity_and_a_layer_may_override_it(name: str) -> None:
    extra = {"cooldown_begin_step": 10} if name == "movement" else {}
    made = stage(pruner=name, sparsity=0.5, epochs=1, layers={"fc": {"sparsity": 0.25}}, **extra)
    assert (made.options.sparsity, made.layers["fc"].sparsity) == (0.5, 0.25)


@pytest.mark.parametrize("name", ["dqc", "sqc", "qat", "lsq", "dorefa", "ptq"])
def test_every_quantizer_takes_bits_and_a_layer_may_override_them(name: str) -> None:
    made = stage(quantizer=name, bits=4, layers={"fc": {"bits": 3}})
    assert (made.options.bits, made.layers["fc"].bits) == (4, 3)


def test_defaults_are_the_paper_s() -> None:
    assert DQCOptions().model_dump() == {
        "bits": 5,
        "zero": True,
        "granularity": "per_tensor",
        "range": "max",
        "gradient": "straight_through",
        "start_bits": None,
        "codebook": {"refresh_every_steps": 1, "freeze_after_steps": None, "freeze_after_epochs": None},
    }
    assert set(SQCOptions.model_fields) == set(DQCOptions.model_fields) - {"codebook", "start_bits"}


@pytest.mark.parametrize("bits", range(2, 9))
def test_codebook_sizes(bits: int) -> None:
    assert DQCOptions(bits=bits).codebook_size == 2**bits - 1
    assert SQCOptions(bits=bits, zero=False).codebook_size == 2**bits


def test_freeze_in_steps_or_in_epochs() -> None:
    assert CodebookOptions(freeze_after_steps=None, freeze_after_epochs=2).freeze == "after 2 epochs"
    with pytest.raises(ValidationError, match="not both"):
        CodebookOptions(freeze_after_steps=1, freeze_after_epochs=0)


@pytest.mark.parametrize(
    ("model", "options"),
    [
        (MovementOptions, {"warmup_steps": 5, "cooldown_begin_step": 5}),
        (MovementOptions, {}),
        (GradualOptions, {"using": "slim"}),
        (GradualOptions, {"ramp_epochs": 0.0}),
        (TrainedOptions, {"regular_scale": 1.0}),
        (NNIOptions, {"target_names": []}),
        (NNIOptions, {"bits": 1}),
        (BNNOptions, {"bits": 8}),
        (SQCOptions, {"codebook": {}}),
    ],
)
def test_impossible_options(model: type[BaseModel], options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        model(**options)


def test_slim_alone_weighs_its_scaling_factors() -> None:
    assert SlimOptions(regular_scale=0.5).training_steps == TrainedOptions().training_steps == 100


def test_messages_for_options_in_lists(complaint: Complaint) -> None:
    stages = (
        "stages: [{train: {epochs: 1}}, {quantizer: qat, target_names: [weigth]}, {quantizer: lsq, target_names: []}]"
    )
    assert complaint(f"version: 1\nname: x\n{stages}\n") == [
        "x.yml:3: stages[1].target_names[0]: must be one of weight, bias, _input_, _output_, not 'weigth'; "
        "did you mean 'weight'?",
        "x.yml:3: stages[2].target_names: must have at least 1 entry",
    ]


def test_the_augmentations_are_those_of_the_data_room() -> None:
    assert set(get_args(Augment)) == set(AUGMENTATIONS)


def test_an_npz_file_and_its_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my.npz").touch()
    common = {"version": 1, "name": "m", "stages": [{"train": {"epochs": 1}}]}
    data = load_schedule({**common, "data": {"name": "my.npz", "classes": 7}}).data
    assert data is not None and data.arguments == {"classes": 7}
    with pytest.raises(ScheduleError, match=r"^data\.clases: unknown key; did you mean 'classes'\?$"):
        load_schedule({**common, "data": {"name": "my.npz", "clases": 7}})


def test_start_bits_are_above_the_bits_of_the_end() -> None:
    told = complaint(quantizer="dqc", bits=4, start_bits=4)
    assert told == "stages[1].start_bits: must be above bits (4), not 4"
    assert "start_bits: unknown key" in complaint(quantizer="sqc", start_bits=6)
    wide = stage(quantizer="dqc", bits=3, start_bits=5, layers={"conv1": {"bits": 8}})
    entries = [DQCQuantizer.config_entry(options) for options in (wide.options, wide.layers["conv1"])]
    assert [entry["target_settings"]["weight"].get("start_bits") for entry in entries] == [5, None]
