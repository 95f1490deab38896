from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from nni.compression.utils import TorchEvaluator
from torch import nn

from dqc_plugin import DQCQuantizer, SQCQuantizer

MakeEvaluator = Callable[[nn.Module], TorchEvaluator]


def quantizer_of(values: list[float], kind: type[DQCQuantizer] = DQCQuantizer, **settings: Any) -> DQCQuantizer:
    network = nn.Sequential(nn.Linear(len(values), 1, bias=False))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([values]))
    setting = {"freeze_oscillating_above": 0.025, **settings}
    config = {"op_types": ["Linear"], "quant_dtype": "int4", "target_settings": {"weight": setting}}
    return kind(network, [config])


def test_a_weight_that_goes_to_and_fro_keeps_its_codeword() -> None:
    quantizer = quantizer_of([2.0, 0.7, 0.5])
    target = quantizer.targets[0]
    latent, freezer = target.latent.detach(), target.oscillations
    assert freezer is not None
    seen = []
    for step in range(6):
        latent[0, 1] = 0.8 if step % 2 == 0 else 0.7  # 0.75 divides the codewords 0.5 and 1
        latent[0, 2] -= 0.01
        quantizer.after_step()
        seen.append((target.codewords()[0, 1].item(), bool(freezer.frozen[0, 1])))
    assert seen == [(1.0, False), (0.5, False), (1.0, True), (1.0, True), (1.0, True), (1.0, True)]
    assert latent[0].tolist() == pytest.approx([2.0, 1.0, 0.44]) and freezer.frozen.tolist() == [[False, True, False]]


def test_a_codebook_that_moves_away_does_not_move_the_frozen_weight() -> None:
    quantizer = quantizer_of([2.0, 0.7])
    target = quantizer.targets[0]
    for step in range(3):
        target.latent.detach()[0, 1] = 0.8 if step % 2 == 0 else 0.7
        quantizer.after_step()
    target.latent.detach()[0, 0] = 2.0**12
    quantizer.after_step()
    assert target.codewords()[0].tolist() == [4096.0, 0.0] and target.latent[0, 1].item() == 1.0
    target.latent.detach()[0, 0] = 2.0
    quantizer.after_step()
    assert target.codewords()[0].tolist() == [2.0, 1.0]


@pytest.mark.parametrize("kind", [DQCQuantizer, SQCQuantizer])
def test_training_freezes_some_and_exports_their_codewords(
    network: nn.Sequential, make_evaluator: MakeEvaluator, kind: type[DQCQuantizer]
) -> None:
    config = {"op_types": ["Conv2d", "Linear"], "quant_dtype": "int3"}
    settings = {"target_settings": {"weight": {"freeze_oscillating_above": 0.011}}}
    quantizer = kind(network, [{**config, **settings}], make_evaluator(network))
    quantizer.compress(60, None)
    exported = quantizer.export_model()
    frozen = 0
    for target in quantizer.targets:
        assert target.oscillations is not None
        where = target.oscillations.frozen
        frozen += int(where.sum())
        assert torch.equal(target.latent[where], target.oscillations.codewords[where])
        weight = exported.get_parameter(target.name)
        assert torch.equal(weight, target.codewords())
    assert 0 < frozen < sum(target.latent.numel() for target in quantizer.targets)
