from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from dqc_plugin.errors import ScheduleError
from dqc_plugin.schedule import LayerPlan, build_model, expected_bytes, load_schedule, resolve, totals

Write = Callable[[str], Path]


def plans(model: nn.Module, *stages: dict[str, Any]) -> dict[str, LayerPlan]:
    schedule = load_schedule({"version": 1, "name": "m", "stages": [{"train": {"epochs": 5}}, *stages]})
    return {plan.layer: plan for plan in resolve(schedule, model)}


def test_a_row_for_every_layer(small: nn.Module) -> None:
    rows = plans(
        small,
        {"pruner": "level", "sparsity": 0.5, "layers": {"conv1": {"sparsity": 0.25}}},
        {"quantizer": "dqc", "bits": 4, "epochs": 5, "codebook": {"freeze_after_epochs": 3}, "layers": {"fc": "skip"}},
    )
    assert list(rows) == ["conv1", "block.conv", "fc"]
    conv, fc = rows["conv1"], rows["fc"]
    assert (conv.type, conv.shape, conv.weights, conv.float_bytes) == ("Conv2d", (4, 1, 3, 3), 36, 144)
    assert (conv.pruner, conv.sparsity, conv.quantizer, conv.bits) == ("level", 0.25, "dqc", 4)
    assert (conv.codebook_size, conv.freeze) == (15, "after 3 epochs")
    assert conv.expected_bytes == expected_bytes(36, 0.25, 4)
    assert sorted(conv.options) == [1, 2]
    assert (fc.pruner, fc.sparsity, fc.quantizer, fc.bits, fc.codebook_size, fc.freeze) == ("level", 0.5, *[None] * 4)
    assert (fc.expected_bytes, sorted(fc.options)) == (64, [1])


@pytest.mark.parametrize(
    ("stage", "size", "freeze"),
    [
        ({"quantizer": "dqc", "bits": 5}, 31, "never"),
        ({"quantizer": "dqc", "bits": 5, "zero": False}, 32, "never"),
        ({"quantizer": "dqc", "codebook": {"freeze_after_steps": 0}}, 31, "at once"),
        ({"quantizer": "dqc", "codebook": {"freeze_after_steps": 100}}, 31, "after 100 steps"),
        ({"quantizer": "dqc", "epochs": 1, "codebook": {"freeze_after_epochs": 1}}, 31, "after 1 epoch"),
        ({"quantizer": "sqc", "bits": 3}, 7, "at once"),
        ({"quantizer": "lsq", "bits": 4}, 16, None),
    ],
)
def test_codebook_size_and_freeze(small: nn.Module, stage: dict[str, Any], size: int, freeze: str | None) -> None:
    row = plans(small, stage)["fc"]
    assert (row.codebook_size, row.freeze) == (size, freeze)


def test_weights_that_a_quantizer_does_not_target_stay_floats(small: nn.Module) -> None:
    row = plans(small, {"quantizer": "qat", "target_names": ["_input_"]})["fc"]
    assert (row.quantizer, row.bits, row.expected_bytes) == (None, None, row.float_bytes)


def test_two_pruners_leave_the_larger_sparsity(small: nn.Module) -> None:
    row = plans(small, {"pruner": "l1", "sparsity": 0.2}, {"pruner": "level", "sparsity": 0.9})["fc"]
    assert (row.pruner, row.sparsity) == ("l1 + level", 0.9)


def test_two_quantizers_may_share_a_model_but_no_layer(small: nn.Module) -> None:
    rows = plans(
        small,
        {"quantizer": "sqc", "layers": {"Conv2d": "skip"}},
        {"quantizer": "dqc", "layers": {"fc": "skip"}},
    )
    assert {name: row.quantizer for name, row in rows.items()} == {"conv1": "dqc", "block.conv": "dqc", "fc": "sqc"}
    with pytest.raises(ScheduleError) as caught:
        plans(small, {"quantizer": "sqc", "layers": {"Conv2d": "skip"}}, {"quantizer": "dqc"})
    assert str(caught.value) == (
        "stages[2]: layer 'fc' is quantized by stages[1] already; give it 'skip' under 'layers' of one"
    )


def test_what_does_not_fit_the_model_is_told_at_once_by_line(write: Write, good: str, small: nn.Module) -> None:
    text = good.replace("{sparsity: 0.3}}", "{sparsity: 0.3}, conv2: skip}")
    text = text.replace("    epochs: 8", "    layers:\n      fc1: {bits: 8}\n    epochs: 8")
    with pytest.raises(ScheduleError) as caught:
        resolve(load_schedule(write(text), ["stages.2.layers.Linaer=skip"]), small)
    assert str(caught.value).splitlines() == [
        "x.yml:12: stages[1].layers.conv2: matches no layer; did you mean 'conv1'?",
        "x.yml:18: stages[2].layers.fc1: matches no layer; did you mean 'fc'?",
        "--set stages.2.layers.Linaer=skip: stages[2].layers.Linaer: matches no layer; did you mean 'Linear'?",
    ]


def test_totals_count_what_is_kept_as_it_is(small: nn.Module) -> None:
    rows = list(plans(small, {"quantizer": "dqc", "bits": 8}).values())
    total = totals(rows, small)
    assert (total.weights, total.float_bytes) == (36 + 288 + 16, 4 * 340)
    # biases of conv1 and fc, batch norm's four vectors of 4, its int64 counter
    assert total.other_bytes == 4 * (4 + 2 + 4 * 4) + 8
    assert total.expected_bytes == 340 + 3 * 4
    assert total.ratio == pytest.approx((1360 + 96) / (352 + 96))


@pytest.mark.parametrize(
    ("weights", "sparsity", "bits", "expected"),
    [
        (1000, 0.0, 8, 1004),
        (1000, 0.5, 8, 125 + 500 + 4),
        (1000, 0.9, None, 4000),
        (430_500, 0.92, 5, 43_172),
        (0, 0.0, 5, 4),
    ],
)
def test_expected_bytes(weights: int, sparsity: float, bits: int | None, expected: int) -> None:
    assert expected_bytes(weights, sparsity, bits) == expected


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 10**7), st.floats(0, 0.999), st.integers(2, 8))
def test_expected_bytes_grow_with_bits_and_stay_below_a_bit_more_a_weight(n: int, sparsity: float, bits: int) -> None:
    estimate = expected_bytes(n, sparsity, bits)
    assert estimate <= expected_bytes(n, sparsity, bits + 1)
    assert 4 <= estimate <= n * (bits + 1) / 8 + 5


def test_the_model_is_built_with_its_arguments() -> None:
    mapping = {
        "version": 1,
        "name": "m",
        "model": {"name": "lenet5", "image_size": 8},
        "stages": [{"train": {"epochs": 1}}],
    }
    assert sum(p.numel() for p in build_model(load_schedule(mapping)).parameters()) == 114_760


def no_model() -> dict[str, int]:
    return {}


def broken() -> float:
    return 1 / 0


def test_a_schedule_without_a_model_and_a_factory_of_something_else(write: Write) -> None:
    text = "version: 1\nname: x\nstages: [{train: {epochs: 1}}]\n"
    with pytest.raises(ScheduleError, match=r"^x\.yml:1: model: is required here: a registered name such as lenet5"):
        build_model(load_schedule(write(text)))
    with pytest.raises(ScheduleError, match=r"^x\.yml:4: model: 'test_plan:no_model' gave a dict, not a torch module$"):
        build_model(load_schedule(write(text + "model: test_plan:no_model\n")))
    with pytest.raises(
        ScheduleError, match=r"^x\.yml:4: model: 'test_plan:broken' cannot be made: ZeroDivisionError: "
    ):
        build_model(load_schedule(write(text + "model: test_plan:broken\n")))
