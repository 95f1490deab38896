from __future__ import annotations

from typing import Any

import pytest
from torch import nn

from dqc_plugin.errors import ScheduleError
from dqc_plugin.schedule import PrunerStage, QuantizerStage, compressible_layers, load_schedule, stage_settings


def quantizer(layers: dict[str, Any]) -> QuantizerStage:
    stages = [{"train": {"epochs": 1}}, {"quantizer": "dqc", "bits": 5, "layers": layers}]
    stage = load_schedule({"version": 1, "name": "m", "stages": stages}).stages[1]
    assert isinstance(stage, QuantizerStage)
    return stage


def pruner(**options: Any) -> PrunerStage:
    stages = [{"train": {"epochs": 1}}, {"pruner": "level", **options}]
    stage = load_schedule({"version": 1, "name": "m", "stages": stages}).stages[1]
    assert isinstance(stage, PrunerStage)
    return stage


def bits(layers: dict[str, Any], model: nn.Module) -> dict[str, int]:
    settings = stage_settings(quantizer(layers), model)
    return {module: options.model_dump()["bits"] for (module, _), options in settings.items()}


def complaint(stage: PrunerStage | QuantizerStage, model: nn.Module) -> str:
    with pytest.raises(ScheduleError) as caught:
        stage_settings(stage, model)
    return str(caught.value)


def test_convolutions_and_linear_layers_in_the_order_of_the_model(small: nn.Module) -> None:
    layers = compressible_layers(small)
    assert [(layer.name, layer.type, layer.shape) for layer in layers] == [
        ("conv1", "Conv2d", (4, 1, 3, 3)),
        ("block.conv", "Conv2d", (8, 4, 3, 3)),
        ("fc", "Linear", (2, 8)),
    ]


def test_transposed_and_one_dimensional_convolutions_and_a_shared_module_once() -> None:
    shared = nn.Conv1d(1, 1, 1)
    model = nn.Sequential(shared, nn.ConvTranspose2d(1, 1, 1), shared, nn.Embedding(2, 2))
    assert [layer.name for layer in compressible_layers(model)] == ["0", "1", "3"]


def test_without_rules_every_layer_gets_the_stage_s_options(small: nn.Module) -> None:
    assert bits({}, small) == {"conv1": 5, "block.conv": 5, "fc": 5}


def test_name_goes_before_pattern_and_pattern_before_type(small: nn.Module) -> None:
    by_type = {"Conv2d": {"bits": 2}}
    by_pattern = {**by_type, "re:.*conv.*": {"bits": 3}}
    by_name = {**by_pattern, "conv1": {"bits": 4}}
    assert bits(by_type, small) == {"conv1": 2, "block.conv": 2, "fc": 5}
    assert bits(by_pattern, small) == {"conv1": 3, "block.conv": 3, "fc": 5}
    assert bits(by_name, small) == {"conv1": 4, "block.conv": 3, "fc": 5}
    assert bits(dict(reversed(by_name.items())), small) == {"conv1": 4, "block.conv": 3, "fc": 5}


def test_one_rule_holds_and_not_a_mixture(small: nn.Module) -> None:
    options = stage_settings(quantizer({"Conv2d": {"zero": False}, "conv1": {"bits": 4}}), small)
    assert options["conv1", "weight"].model_dump()["zero"] is True
    assert options["block.conv", "weight"].model_dump()["zero"] is False


def test_layers_may_be_left_out(small: nn.Module) -> None:
    assert bits({"Conv2d": "skip", "conv1": {"bits": 4}}, small) == {"conv1": 4, "fc": 5}
    assert bits({"fc": {"skip": True}}, small) == {"conv1": 5, "block.conv": 5}


def test_a_pattern_must_match_the_whole_name() -> None:
    model = nn.ModuleDict({"layer1": nn.Linear(2, 2), "layer10": nn.Linear(2, 2)})
    assert bits({"re:layer1": {"bits": 2}}, model) == {"layer1": 2, "layer10": 5}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("conv2", "stages[1].layers.conv2: matches no layer; did you mean 'conv1'?"),
        ("linear", "stages[1].layers.linear: matches no layer; did you mean 'Linear'?"),
        ("bn", "stages[1].layers.bn: matches no layer; layers: conv1, block.conv, fc"),
        ("conv", "stages[1].layers.conv: matches no layer; did you mean 'conv1'?"),
        (
            "re:conv",
            "stages[1].layers[\"re:conv\"]: matches no layer (it must match the whole name); did you mean 'conv1'?",
        ),
        (
            "re:x.*",
            'stages[1].layers["re:x.*"]: matches no layer (it must match the whole name); '
            "layers: conv1, block.conv, fc",
        ),
    ],
)
def test_a_selector_that_matches_nothing(small: nn.Module, selector: str, expected: str) -> None:
    assert complaint(quantizer({selector: {"bits": 3}}), small) == expected


def test_a_long_list_of_layers_is_cut() -> None:
    model = nn.Sequential(*(nn.Linear(1, 1) for _ in range(12)))
    assert complaint(quantizer({"head": "skip"}), model).endswith("; layers: 0, 1, 2, 3, 4, 5, 6, 7 and 4 more")


def test_patterns_that_disagree_are_named_both(small: nn.Module) -> None:
    rules = {"re:conv.*": {"bits": 3}, "re:.*1": {"bits": 4}}
    assert complaint(quantizer(rules), small) == (
        "stages[1].layers[\"re:.*1\"]: and 're:conv.*' disagree about layer 'conv1'; narrow one or name the layer"
    )
    assert bits({"re:conv.*": {"bits": 3}, "re:.*1": {"bits": 3}}, small)["conv1"] == 3
    assert bits({**rules, "conv1": {"bits": 2}}, small)["conv1"] == 2


def test_every_layer_left_out(small: nn.Module) -> None:
    assert complaint(quantizer({"re:.*": "skip"}), small) == "stages[1]: every layer is left out; take the stage away"


def test_a_model_without_layers() -> None:
    assert complaint(quantizer({}), nn.ReLU()) == (
        "stages[1]: the model has no layer that can be compressed (convolution, linear, embedding)"
    )


def test_a_pruned_layer_needs_a_sparsity(small: nn.Module) -> None:
    assert complaint(pruner(layers={"fc": {"sparsity": 0.5}}), small) == (
        "stages[1].sparsity: is required: no rule gives one to conv1, block.conv"
    )
    given = stage_settings(pruner(layers={"fc": {"sparsity": 0.5}, "Conv2d": {"sparsity": 0.0}}), small)
    assert {name: options.model_dump()["sparsity"] for (name, _), options in given.items()} == {
        "conv1": 0.0,
        "block.conv": 0.0,
        "fc": 0.5,
    }


def test_an_attention_has_its_projections() -> None:
    joint, apart = nn.MultiheadAttention(8, 2), nn.MultiheadAttention(8, 2, kdim=4, vdim=6)
    assert [layer.name for layer in compressible_layers(nn.ModuleDict({"a": joint}))] == [
        "a.in_proj_weight",
        "a.out_proj",
    ]
    names = ["q_proj_weight", "k_proj_weight", "v_proj_weight", "out_proj"]
    assert [layer.name for layer in compressible_layers(apart)] == names


def test_a_selector_for_one_projection() -> None:
    given = bits({"re:.*in_proj_weight": {"bits": 3}}, nn.TransformerEncoderLayer(8, 2, 16))
    assert given == {"self_attn": 3, "self_attn.out_proj": 5, "linear1": 5, "linear2": 5}


def test_weights_that_are_one_are_refused_unless_left_out() -> None:
    model = nn.ModuleDict({"embedding": nn.Embedding(9, 4), "head": nn.Linear(4, 9), "fc": nn.Linear(4, 4)})
    model["head"].weight = model["embedding"].weight
    text = complaint(quantizer({}), model)
    assert "embedding and head share one weight" in text and "embedding: skip, head: skip" in text
    assert bits({"embedding": "skip", "head": "skip"}, model) == {"fc": 5}


@pytest.mark.parametrize("selector", ["memory", "LSTM"])
def test_recurrent_weights_stay_floats(selector: str) -> None:
    model = nn.ModuleDict({"memory": nn.LSTM(4, 4), "fc": nn.Linear(4, 4)})
    assert bits({}, model) == {"fc": 5}
    assert complaint(quantizer({selector: {"bits": 4}}), model).endswith(
        "matches no layer: weights of LSTM stay floats"
    )
