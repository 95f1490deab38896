from __future__ import annotations

import pytest
import torch
from torch import nn

from dqc_plugin import DQCQuantizer
from dqc_plugin.quantizers import bypassed

KINDS = ["MultiheadAttention", "NonDynamicallyQuantizableLinear", "Linear"]
WEIGHTS = {"MultiheadAttention": "in_proj_weight"}


def quantized(kinds: list[str]) -> DQCQuantizer:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    config_list = [
        {"op_types": [kind], "target_names": [WEIGHTS.get(kind, "weight")], "quant_dtype": "int3"} for kind in kinds
    ]
    return DQCQuantizer(layer, config_list)


@pytest.mark.parametrize("kinds", [KINDS, ["NonDynamicallyQuantizableLinear"], ["Linear"]])
@pytest.mark.parametrize("training", [True, False])
def test_the_wrapped_layer_computes_with_the_weights_that_are_exported(kinds: list[str], training: bool) -> None:
    quantizer = quantized(kinds)
    inputs = torch.randn(4, 5, 8)
    with torch.no_grad():
        for wrapper in quantizer._module_wrappers.values():
            for space in wrapper.quantization_target_spaces.values():
                space.target.add_(0.3 * torch.randn_like(space.target))
        quantizer.refresh()
        wrapped = quantizer.bound_model.train(training)(inputs)
        plain = quantizer.export_model().train(training)
        assert torch.allclose(plain(inputs), wrapped, atol=1e-6)
    assert not any(module._forward_pre_hooks for module in plain.modules())


def test_the_output_projection_trains() -> None:
    quantizer = quantized(KINDS)
    quantizer.bound_model(torch.randn(4, 5, 8)).square().sum().backward()
    gradient = quantizer._module_wrappers["self_attn.out_proj"].weight.grad
    assert gradient is not None and bool(gradient.any())


def test_unwrapping_takes_the_hooks_away() -> None:
    quantizer = quantized(KINDS)
    assert any(module._forward_pre_hooks for module in quantizer.bound_model.modules())
    quantizer.unwrap_model()
    assert not any(module._forward_pre_hooks for module in quantizer.bound_model.modules())
    bypassed.hook_parents(quantizer.bound_model)
    assert not any(module._forward_pre_hooks for module in quantizer.bound_model.modules())
