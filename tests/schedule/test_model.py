from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dqc_plugin.schedule import TrainSettings, load_schedule
from dqc_plugin.schedule.settings import SGD, Adam, Cosine, MultiStep

Write = Callable[[str], Path]


def fractions(low: float = 0, high: float = 0.99) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False)


OPTIMIZERS = st.one_of(
    st.fixed_dictionaries({"name": st.just("sgd"), "lr": fractions(0.001)}, optional={"momentum": fractions()}),
    st.fixed_dictionaries({"name": st.just("adam")}, optional={"betas": st.tuples(fractions(), fractions())}),
)
TRAIN = st.fixed_dictionaries(
    {"epochs": st.integers(1, 9)},
    optional={
        "batch_size": st.integers(1, 512),
        "optimizer": OPTIMIZERS,
        "loss": st.fixed_dictionaries({}, optional={"l1": fractions(), "label_smoothing": fractions()}),
        "gradient_clip_norm": st.one_of(st.none(), fractions(0.1)),
    },
)
SELECTORS = st.sampled_from(["conv1", "re:conv.*", "Linear", "layer1.0.conv1"])
PRUNER = st.tuples(
    TRAIN,
    st.fixed_dictionaries({"pruner": st.sampled_from(["level", "agp"]), "sparsity": fractions()}),
    st.fixed_dictionaries(
        {},
        optional={
            "layers": st.dictionaries(
                SELECTORS, st.one_of(st.just("skip"), st.fixed_dictionaries({"sparsity": fractions()}))
            )
        },
    ),
).map(lambda parts: parts[0] | parts[1] | parts[2])
QUANTIZER = st.tuples(
    TRAIN,
    st.fixed_dictionaries(
        {"quantizer": st.sampled_from(["dqc", "sqc"])}, optional={"bits": st.integers(2, 8), "zero": st.booleans()}
    ),
    st.dictionaries(SELECTORS, st.fixed_dictionaries({"bits": st.integers(2, 8)})).map(
        lambda layers: {"layers": layers}
    ),
).map(lambda parts: parts[0] | parts[1] | parts[2])
SCHEDULES = st.fixed_dictionaries(
    {
        "version": st.just(1),
        "name": st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,8}", fullmatch=True),
        "stages": st.tuples(
            TRAIN.map(lambda train: {"train": train}), PRUNER, QUANTIZER, st.just({"coder": "huffman"})
        ),
    },
    optional={
        "seed": st.integers(0, 99),
        "threads": st.one_of(st.none(), st.integers(1, 4)),
        "model": st.just("lenet5"),
    },
)


@settings(deadline=None, max_examples=40)
@given(SCHEDULES)
def test_the_canonical_form_is_the_same_schedule(mapping: dict[str, Any]) -> None:
    schedule = load_schedule(mapping)
    again = load_schedule(json.loads(json.dumps(schedule.canonical())))
    assert again == schedule
    assert again.canonical() == schedule.canonical()
    assert again.digest() == schedule.digest()


def test_the_digest_is_that_of_what_is_said_not_of_how(write: Write, good: str) -> None:
    digest = load_schedule(write(good)).digest()
    said_otherwise = (
        good.replace("lr: 0.05", "lr: 5.0e-2")
        .replace("name: small\n", "")
        .replace("version: 1", "name: small\nversion: 1")
    )
    assert load_schedule(write(said_otherwise)).digest() == digest
    spelled_out = good.replace("bits: 5", "bits: 5\n    zero: true").replace("model: lenet5", "model: {name: lenet5}")
    assert load_schedule(write(spelled_out)).digest() == digest
    assert load_schedule(write(good), ["stages.1.sparsity=0.91"]).digest() != digest
    assert load_schedule(write(good), ["stages.1.layers.conv1=skip"]).digest() != digest


def test_the_digest_stays_from_release_to_release() -> None:
    schedule = load_schedule({"version": 1, "name": "fixed", "stages": [{"train": {"epochs": 1}}]})
    assert schedule.digest() == "75fdb6873eda374fc43812f99775e568f5fc94b4b2469efb79a675d0bfd2099f"


def test_keys_that_came_later_change_no_digest_until_they_say_something() -> None:
    stages: list[Any] = [{"train": {"epochs": 1}}, {"quantizer": "dqc", "epochs": 2, "layers": {"fc": {"bits": 3}}}]
    schedule = {"version": 1, "name": "fixed", "stages": stages}
    digest = "6a4fe503f1c96bf70d1b548ddbb636c2df7ceb2b35b912b6832f6cc1f253088c"
    assert load_schedule(schedule).digest() == digest
    stages[1].update(distill=None, weight_averaging=None, batch_norm_batches=0, optimizer={"weight_decay_on": "all"})
    stages[1].update(start_bits=None, precision=None)
    assert load_schedule({**schedule, "compile": False}).digest() == digest
    assert load_schedule({**schedule, "compile": True}).digest() != digest
    for key, value in {
        "distill": {},
        "weight_averaging": {},
        "batch_norm_batches": 1,
        "precision": "bfloat16",
        "start_bits": 6,
        "layers": {"fc": {"bits": 3, "start_bits": 6}},
        "optimizer": {"weight_decay_on": "weights"},
    }.items():
        changed = load_schedule({**schedule, "stages": [stages[0], {**stages[1], key: value}]})
        assert changed.digest() != digest, key
        assert load_schedule(json.loads(json.dumps(changed.canonical()))) == changed


def test_a_layer_that_goes_back_to_a_later_default_says_so() -> None:
    stages = [{"train": {"epochs": 1}}, {"quantizer": "dqc", "start_bits": 6, "layers": {"fc": {"start_bits": None}}}]
    schedule = load_schedule({"version": 1, "name": "fixed", "stages": stages})
    assert load_schedule(json.loads(json.dumps(schedule.canonical()))) == schedule


def test_a_schedule_is_read_only(write: Write, good: str) -> None:
    schedule = load_schedule(write(good))
    with pytest.raises(ValidationError):
        schedule.seed = 3
    with pytest.raises(ValidationError):
        schedule.stages[0].train.epochs = 3  # type: ignore[union-attr, misc]


def test_stages_carry_complete_settings_with_the_documented_defaults() -> None:
    assert TrainSettings().model_dump() == {
        "epochs": 0,
        "precision": None,
        "batch_size": 128,
        "accumulate_batches": 1,
        "optimizer": {
            "name": "sgd",
            "lr": 0.05,
            "momentum": 0.9,
            "nesterov": False,
            "weight_decay": 0.0,
            "weight_decay_on": "all",
        },
        "lr_schedule": {"name": "constant", "warmup_epochs": 0.0},
        "loss": {"name": "cross_entropy", "l1": 0.0, "l2": 0.0, "label_smoothing": 0.0},
        "gradient_clip_norm": None,
        "distill": None,
        "weight_averaging": None,
        "batch_norm_batches": 0,
    }


def test_settings_in_python_pick_by_name_too() -> None:
    made = TrainSettings(optimizer={"name": "adam"}, lr_schedule={"name": "multistep", "milestones_epochs": [1, 2]})
    assert made.optimizer == Adam()
    assert made.lr_schedule == MultiStep(milestones_epochs=(1, 2))
    assert TrainSettings(optimizer=SGD(lr=1), lr_schedule=Cosine()).optimizer.lr == 1


@pytest.mark.parametrize(("epochs", "text"), [(0, "0 epochs"), (1, "1 epoch"), (12, "12 epochs")])
def test_duration(epochs: int, text: str) -> None:
    assert TrainSettings(epochs=epochs).duration == text
