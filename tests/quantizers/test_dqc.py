from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from nni.compression.pruning import LevelPruner
from nni.compression.quantization import QATQuantizer
from nni.compression.utils import TorchEvaluator
from torch import Tensor, nn

from dqc_plugin import DQCQuantizer, SQCQuantizer
from dqc_plugin.codebooks import from_record
from dqc_plugin.errors import ConfigError, WeightError
from dqc_plugin.quantizers.power_of_two import lowered_bits

MakeEvaluator = Callable[[nn.Module], TorchEvaluator]
Batch = tuple[Tensor, Tensor]


def config(bits: int = 3, **settings: Any) -> list[dict[str, Any]]:
    return [{"op_types": ["Conv2d", "Linear"], "quant_dtype": f"int{bits}", "target_settings": {"weight": settings}}]


@pytest.mark.parametrize("zero", [True, False])
@pytest.mark.parametrize("granularity", ["default", "out_channel"])
def test_export_equals_the_simulated_network(
    network: nn.Sequential, make_evaluator: MakeEvaluator, batch: Batch, zero: bool, granularity: str
) -> None:
    float_keys = set(network.state_dict())
    quantizer = DQCQuantizer(network, config(zero=zero, granularity=granularity), make_evaluator(network))
    model, calibration = quantizer.compress(10, None)
    model.eval()
    plain = quantizer.export_model()
    assert torch.equal(plain(batch[0]), model(batch[0]))
    assert set(plain.state_dict()) == float_keys and not hasattr(plain[0], "_nni_wrapper")
    codebook = from_record(calibration["0"]["weight"])
    assert torch.equal(codebook.quantize(plain[0].weight), plain[0].weight)
    assert codebook.size == 8 - zero
    copy.deepcopy(plain)


def test_the_codebook_follows_the_weights(network: nn.Sequential, make_evaluator: MakeEvaluator) -> None:
    quantizer = DQCQuantizer(network, config(), make_evaluator(network))
    with torch.no_grad():
        quantizer.targets[0].latent.mul_(8)
    before = quantizer.targets[0].codebook.scale.clone()
    quantizer.after_step()
    assert quantizer.targets[0].codebook.scale == 8 * before


@pytest.mark.parametrize(
    ("settings", "changes_at"),
    [
        ({}, [1, 2, 3, 4, 5, 6]),
        ({"refresh_every_steps": 3}, [3, 6]),
        ({"freeze_after_steps": 2}, [1, 2]),
        ({"freeze_after_steps": 0}, []),
        ({"freeze_after_epochs": 2}, [1, 2, 3, 4]),
        ({"refresh_every_steps": 2, "freeze_after_steps": 5}, [2, 4]),
    ],
)
def test_when_the_codebook_changes(network: nn.Sequential, settings: dict[str, Any], changes_at: list[int]) -> None:
    target = (quantizer := DQCQuantizer(network, config(**settings), steps_per_epoch=2)).targets[0]
    seen = []
    for step in range(1, 7):
        before = target.codebook.scale.clone()
        with torch.no_grad():
            target.latent.mul_(2)
        quantizer.after_step()
        if target.codebook.scale != before:
            seen.append(step)
    assert seen == changes_at


def test_sqc_keeps_its_first_codebook(network: nn.Sequential, make_evaluator: MakeEvaluator) -> None:
    quantizer = SQCQuantizer(network, config(), make_evaluator(network))
    first = quantizer.targets[0].codebook.scale.clone()
    with torch.no_grad():
        quantizer.targets[0].latent.mul_(4)
    quantizer.compress(4, None)
    assert quantizer.targets[0].codebook.scale == first and quantizer.targets[0].frozen


def test_bits_of_each_layer(network: nn.Sequential) -> None:
    quantizer = DQCQuantizer(
        network,
        [
            {"op_names": ["0"], "quant_dtype": "int8"},
            {"op_names": ["4"], "quant_dtype": "int2", "target_settings": {"weight": {"zero": False}}},
        ],
    )
    calibration = quantizer.get_calibration_config()
    assert (calibration["0"]["weight"]["bits"], calibration["4"]["weight"]["bits"]) == (8, 2)
    assert quantizer.export_model()[4].weight.unique().numel() == 4


def test_without_training(network: nn.Sequential) -> None:
    _, calibration = DQCQuantizer(network, config()).compress(0, None)
    assert calibration["0"]["weight"]["step"] == 0
    with pytest.raises(ConfigError, match="compress needs an evaluator"):
        DQCQuantizer(copy.deepcopy(_plain(network)), config()).compress(5, None)


def _plain(network: nn.Sequential) -> nn.Sequential:
    for module in network:
        if hasattr(module, "_nni_wrapper"):
            module._nni_wrapper.unwrap()
    return network


def test_calibration_config_round_trip(network: nn.Sequential, make_evaluator: MakeEvaluator) -> None:
    pristine = copy.deepcopy(network)
    quantizer = DQCQuantizer(network, config(freeze_after_steps=3), make_evaluator(network))
    _, calibration = quantizer.compress(6, None)
    other = DQCQuantizer(pristine, config(freeze_after_steps=3))
    other.update_calibration_config(calibration)
    again = other.get_calibration_config()
    assert _comparable(again) == _comparable(calibration)
    assert other.targets[0].frozen and other.targets[0].step == 6


def _comparable(calibration: dict[str, dict[str, dict[str, Any]]]) -> dict[str, Any]:
    return {
        f"{layer}.{target}.{key}": value.tolist() if isinstance(value, Tensor) else value
        for layer, targets in calibration.items()
        for target, record in targets.items()
        for key, value in record.items()
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bits": 4}, "0.weight: the calibration config has bits 4, the quantizer 3"),
        ({"scale": torch.ones(8)}, "scale has shape \\[8\\], not \\[\\]"),
    ],
)
def test_a_calibration_config_that_does_not_fit(network: nn.Sequential, change: dict[str, Any], message: str) -> None:
    quantizer = DQCQuantizer(network, config())
    calibration = quantizer.get_calibration_config()
    calibration["0"]["weight"].update(change)
    with pytest.raises(ConfigError, match=message):
        quantizer.update_calibration_config(calibration)


def test_a_state_dict_brings_codebook_and_progress(network: nn.Sequential, make_evaluator: MakeEvaluator) -> None:
    pristine = copy.deepcopy(network)
    quantizer = DQCQuantizer(network, config(freeze_after_steps=3), make_evaluator(network))
    model, _ = quantizer.compress(5, None)
    other = DQCQuantizer(pristine, config(freeze_after_steps=3))
    other.bound_model.load_state_dict(model.state_dict())
    assert other.targets[0].step == 5 and other.targets[0].frozen
    assert torch.equal(other.export_model()[0].weight, quantizer.export_model()[0].weight)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (config(refresh_every_step=2), "unknown key 'refresh_every_step'; did you mean 'refresh_every_steps'"),
        (config(range="least"), r"config_list\[0\].weight: range: Input should be 'max' or 'mse'"),
        (config(granularity="in_channel"), "granularity must be default"),
        (config(freeze_after_steps=1, freeze_after_epochs=1), "not both"),
        ([{"op_types": ["Conv2d"], "zero": True}], "'zero' belongs under target_settings"),
        ([{"op_types": ["Conv2d"], "quant_dtype": "int9"}], "quant_dtype must be int2 to int8, not 'int9'"),
        ([{"op_types": ["Conv2d"], "bits": 5}], "config_list: .*bits"),
        ([{"op_names": ["conv1"]}], "no layer 'conv1'"),
        ([{"op_types": ["Conv1d"]}], "no layer of type 'Conv1d'; did you mean 'Conv2d'"),
        ([{"op_names_re": ["conv.*"]}], "no layer's name matches 'conv.*'"),
        ([{"op_types": ["ReLU"]}], "ReLU.*no parameter 'weight'|2 has no parameter 'weight'"),
        ([{"op_types": ["Flatten"]}], "3 is a Flatten, which NNI cannot quantize"),
        ([{"op_types": ["Conv2d"], "target_names": ["_input_"]}], "codebooks are for parameters"),
        (
            [{"op_types": ["Conv2d"]}, {"op_names": ["0"]}],
            r"config_list\[1\]: 0.weight is quantized already, by config_list\[0\]",
        ),
        (config(freeze_after_epochs=1), "freeze_after_epochs needs steps_per_epoch"),
    ],
)
def test_bad_config_lists(network: nn.Sequential, entries: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        DQCQuantizer(network, entries)


def test_bits_fall_over_the_first_half_of_the_training(network: nn.Sequential, make_evaluator: MakeEvaluator) -> None:
    quantizer = DQCQuantizer(network, config(3, start_bits=5), make_evaluator(network))
    widths: list[int] = []
    target, after_step = quantizer.targets[0], quantizer.after_step

    def watch() -> None:
        widths.append(target.bits)
        assert len(target.fake_quantize(target.latent).unique()) <= target.codebook.size
        after_step()

    quantizer.after_step = watch  # type: ignore[method-assign]
    _, calibration = quantizer.compress(16, None)
    assert widths == [5] * 4 + [4] * 4 + [3] * 8
    assert calibration["0"]["weight"]["bits"] == 3 and len(quantizer.export_model()[0].weight.unique()) <= 7


@pytest.mark.parametrize(("steps", "epochs"), [(0, None), (None, 0)])
def test_without_training_the_bits_are_those_of_the_end(
    network: nn.Sequential, steps: int | None, epochs: int | None
) -> None:
    _, calibration = DQCQuantizer(network, config(3, start_bits=5)).compress(steps, epochs)
    assert calibration["0"]["weight"]["bits"] == 3


@pytest.mark.parametrize(("start", "final"), [(5, 3), (8, 2), (4, 3)])
@pytest.mark.parametrize("total", [0, 1, 2, 5, 64, 1001])
def test_lowered_bits_fall_one_by_one(start: int, final: int, total: int) -> None:
    widths = [lowered_bits(start, final, step, total) for step in range(total + 1)]
    assert widths == sorted(widths, reverse=True) and widths[total // 2 :] == [final] * (total + 1 - total // 2)
    if total >= 64:
        counts = [widths[: total // 2].count(width) for width in range(start, final, -1)]
        assert widths[0] == start and max(counts) - min(counts) <= 1


def test_start_bits_must_be_above_and_need_a_length(network: nn.Sequential) -> None:
    with pytest.raises(ConfigError, match="0.weight: start_bits must be above the 5 bits"):
        DQCQuantizer(copy.deepcopy(network), config(5, start_bits=5))
    with pytest.raises(ConfigError, match=r"0.weight: start_bits needs to know how long .*compress"):
        DQCQuantizer(network, config(3, start_bits=5)).after_step()


def test_sqc_refuses_keys_of_a_changing_codebook(network: nn.Sequential) -> None:
    with pytest.raises(ConfigError, match="SQC never changes its codebook"):
        SQCQuantizer(network, config(freeze_after_steps=3))


def test_a_second_quantizer_on_a_target_is_an_error(network: nn.Sequential, make_evaluator: MakeEvaluator) -> None:
    first = QATQuantizer(
        network, [{"op_names": ["0"], "target_names": ["weight"], "quant_dtype": "int8"}], make_evaluator(network)
    )
    with pytest.raises(ConfigError, match="0.weight is quantized already, by another quantizer"):
        DQCQuantizer.from_compressor(first, config())


def test_a_wrapped_model_is_an_error(network: nn.Sequential) -> None:
    LevelPruner(network, [{"op_types": ["Linear"], "sparse_ratio": 0.5}])
    with pytest.raises(ConfigError, match="use from_compressor"):
        DQCQuantizer(network, config())


def test_weights_lost_from_the_optimizer_are_an_error(network: nn.Sequential, make_evaluator: MakeEvaluator) -> None:
    evaluator = make_evaluator(network)  # built before the wrapping that follows
    pruner = LevelPruner(network, [{"op_types": ["Linear"], "sparse_ratio": 0.5}])
    pruner.compress()
    quantizer = DQCQuantizer.from_compressor(pruner, config(), evaluator)
    with pytest.raises(ConfigError, match="not in the optimizer, so they would never train: 4.weight"):
        quantizer.compress(1, None)


def test_not_a_number_is_an_error_with_its_layer(network: nn.Sequential, make_evaluator: MakeEvaluator) -> None:
    quantizer = DQCQuantizer(network, config(), make_evaluator(network))
    with torch.no_grad():
        quantizer.targets[1].latent[0, 0] = torch.nan
    with pytest.raises(WeightError, match="4.weight holds NaN or infinity"):
        quantizer.compress(1, None)
