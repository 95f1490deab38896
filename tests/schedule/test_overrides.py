from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dqc_plugin.schedule import PrunerStage, QuantizerStage, load_schedule

Write = Callable[[str], Path]
Complaint = Callable[..., list[str]]


def test_values_are_put_in_by_path_the_last_one_wins(write: Write, good: str) -> None:
    overrides = [
        "stages.1.sparsity=0.5",
        "stages[1].sparsity=0.95",
        "train.optimizer={name: adam}",
        "seed=7",
        "name=other",
    ]
    schedule = load_schedule(write(good), overrides)
    pruner = schedule.stages[1]
    assert isinstance(pruner, PrunerStage)
    assert (schedule.seed, schedule.name) == (7, "other")
    assert pruner.options.model_dump()["sparsity"] == 0.95
    assert pruner.train.optimizer.name == "adam"


def test_layers_by_quoted_selector_and_by_dots(write: Write, good: str) -> None:
    overrides = ['stages[2].layers["re:conv.*=?"].bits=4', "stages.2.layers.0.bits=3", "stages.1.layers.conv1=skip"]
    schedule = load_schedule(write(good), overrides)
    pruner, quantizer = schedule.stages[1:3]
    assert isinstance(pruner, PrunerStage) and isinstance(quantizer, QuantizerStage)
    bits = {selector: rule.model_dump()["bits"] for selector, rule in quantizer.layers.items() if rule}
    assert bits == {"re:conv.*=?": 4, "0": 3}
    assert pruner.layers == {"conv1": None}


def test_a_bare_name_may_be_given_arguments(write: Write, good: str) -> None:
    schedule = load_schedule(write(good), ["model.image_size=8", "data.validation=0.1"])
    assert schedule.model is not None and schedule.model.arguments == {"image_size": 8}
    assert schedule.data is not None and (schedule.data.name, schedule.data.validation) == ("digits", 0.1)


def test_a_mapping_is_not_changed_by_overrides() -> None:
    given = {"version": 1, "name": "m", "stages": [{"train": {"epochs": 1}}]}
    assert load_schedule(given, ["stages.0.train.epochs=5"]).stages[0].canonical()["train"]["epochs"] == 5
    assert given["stages"] == [{"train": {"epochs": 1}}]


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("stages.1.sparsty=0.9", "stages[1].sparsty: unknown key; did you mean 'sparsity'?"),
        ("trian.epochs=3", "trian: unknown key; did you mean 'train'?"),
        ("stages.2.bits=9", "stages[2].bits: must be from 2 to 8, not 9"),
        (
            "stages.2.codebook.freeze_after_epochs=9",
            "stages[2].codebook.freeze_after_epochs: 9 is never reached: stages[2] trains 8 epochs",
        ),
        ("stages.7.bits=4", "stages has the numbers 0 to 3, not '7'"),
        ("stages.first.bits=4", "stages has the numbers 0 to 3, not 'first'"),
        ("stages.1.pruner.x=4", "stages[1].pruner is not a mapping or a list, so it has no 'x'"),
        ("stages.1.sparsity", "is not of the form key.path=value, such as stages.1.sparsity=0.9"),
        ("=3", "is not of the form key.path=value, such as stages.1.sparsity=0.9"),
        ("seed=[", "not valid YAML: while parsing a flow node, expected the node content, but found '<stream end>'"),
        ("seed={a: 1, a: 2}", "a: is given twice"),
        ("seed=", "seed: must be a whole number, not null"),
    ],
)
def test_a_wrong_override_is_named_instead_of_a_line(
    complaint: Complaint, good: str, override: str, expected: str
) -> None:
    assert complaint(good, override) == [f"--set {override}: {expected}"]


def test_all_overrides_that_cannot_be_applied_are_told_at_once(complaint: Complaint, good: str) -> None:
    assert len(complaint(good, "stages.7.bits=4", "seed=1", "stages.8.bits=4")) == 2
