from __future__ import annotations

import copy

import pytest
import torch
from nni.compression.base.wrapper import ModuleWrapper
from nni.compression.pruning import LevelPruner
from nni.compression.quantization import QATQuantizer
from torch import Tensor, nn

from dqc_plugin import DQCQuantizer
from dqc_plugin.quantizers.lean_wrapper import LeanWrapper

CONFIG = [{"op_types": ["Conv2d", "Linear"], "quant_dtype": "int3"}]


@pytest.fixture
def emptied(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    calls: list[int] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: calls.append(1))
    return calls


def test_the_same_outputs_without_emptying_the_cache(
    network: nn.Sequential, batch: tuple[Tensor, Tensor], emptied: list[int]
) -> None:
    pruner = LevelPruner(network, [{"op_types": ["Conv2d", "Linear"], "sparse_ratio": 0.5}])
    pruner.compress()
    quantizer = DQCQuantizer.from_compressor(pruner, CONFIG)
    outputs = quantizer.bound_model(batch[0])
    assert not emptied
    for wrapper in quantizer._module_wrappers.values():
        wrapper.module.forward = ModuleWrapper.forward.__get__(wrapper)
    assert torch.equal(quantizer.bound_model(batch[0]), outputs) and len(emptied) == 2


def test_it_is_lean_again_after_an_export(
    network: nn.Sequential, batch: tuple[Tensor, Tensor], emptied: list[int]
) -> None:
    quantizer = DQCQuantizer(network, CONFIG)
    copy.deepcopy(quantizer.export_model())
    quantizer.bound_model(batch[0])
    assert not emptied


def test_a_follower_that_needs_more_gets_nnis_wrapper(network: nn.Sequential, batch: tuple[Tensor, Tensor]) -> None:
    quantizer = DQCQuantizer(network, CONFIG)
    inputs = [{"op_types": ["Linear"], "target_names": ["_input_"], "quant_dtype": "int8"}]
    follower = QATQuantizer.from_compressor(quantizer, inputs)
    assert not any(isinstance(wrapper, LeanWrapper) for wrapper in follower._module_wrappers.values())
    follower.bound_model.train()(batch[0])
    [space] = follower._target_spaces["4"].values()
    assert space.tracked_max is not None
