"""The codewords of TWN, TTQ and BinaryConnect, and their gradients, by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from nni.compression.utils import TorchEvaluator
from torch import Tensor, nn

from dqc_plugin.quantizers.base import CodebookQuantizer
from dqc_plugin.quantizers.binary_connect import BinaryConnectQuantizer
from dqc_plugin.quantizers.ternary import TernaryQuantizer
from dqc_plugin.quantizers.ttq import TTQQuantizer

WEIGHTS = [2.0, 1.0, 0.1, 0.0, -0.1, -0.4, -3.0, -1.0]  # mean |w| 0.95: TWN's threshold is 0.665
GRADIENT = torch.arange(1.0, 9.0)


def build(kind: type[CodebookQuantizer], **settings: object) -> CodebookQuantizer:
    layer = nn.Linear(8, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([WEIGHTS]))
    return kind(nn.Sequential(layer), [{"op_names": ["0"], "target_settings": {"weight": settings}}])


def forward(quantizer: CodebookQuantizer) -> list[float]:
    target = quantizer.targets[0]
    quantized: Tensor = target.fake_quantize(target.latent)
    (quantized * GRADIENT).sum().backward()
    return quantized.flatten().tolist()


def test_ternary() -> None:
    quantizer = build(TernaryQuantizer)
    assert forward(quantizer) == [1.75, 1.75, 0, 0, 0, 0, -1.75, -1.75]
    assert torch.equal(quantizer.targets[0].latent.grad[0], GRADIENT)
    assert quantizer.targets[0].codebook.codewords.tolist() == [-1.75, 0, 1.75]


def test_a_larger_threshold() -> None:
    assert forward(build(TernaryQuantizer, threshold=2.0)) == [2.5, 0, 0, 0, 0, 0, -2.5, 0]


def test_ternary_follows_the_weights() -> None:
    quantizer = build(TernaryQuantizer)
    with torch.no_grad():
        quantizer.targets[0].latent.mul_(2)
    quantizer.after_step()
    assert quantizer.targets[0].codebook.codewords.tolist() == [-3.5, 0, 3.5]


def test_binary_connect() -> None:
    quantizer = build(BinaryConnectQuantizer)
    assert forward(quantizer) == [1, 1, 1, 1, -1, -1, -1, -1]
    target = quantizer.targets[0]
    assert torch.equal(target.latent.grad[0], GRADIENT)
    quantizer.after_step()
    assert target.latent[0].tolist() == pytest.approx([1, 1, 0.1, 0, -0.1, -0.4, -1, -1])


def test_binary_connect_with_the_mean() -> None:
    assert forward(build(BinaryConnectQuantizer, magnitude="mean")) == pytest.approx([0.95] * 4 + [-0.95] * 4)


def test_ttq_and_its_gradients() -> None:
    quantizer = build(TTQQuantizer, threshold=0.1)  # of 3: 0.3
    target = quantizer.targets[0]
    negative = (0.4 + 3 + 1) / 3
    assert forward(quantizer) == pytest.approx([1.5, 1.5, 0, 0, 0, -negative, -negative, -negative])
    assert target.space.scale.grad.tolist() == [-(6 + 7 + 8), 1 + 2]
    slopes = torch.tensor([1.5, 1.5, 1, 1, 1, negative, negative, negative])
    assert torch.allclose(target.latent.grad[0], GRADIENT * slopes)


def test_ttq_stays_in_order_whatever_the_scales() -> None:
    target = build(TTQQuantizer).targets[0]
    with torch.no_grad():
        target.space.scale.copy_(torch.tensor([-2.0, -1.0]))
    assert target.codebook.codewords.tolist() == [-1.0, 0.0, 2.0]


@pytest.mark.parametrize("frozen", [False, True])
def test_ttq_trains_its_scales_until_frozen(
    network: nn.Sequential, make_evaluator: Callable[[nn.Module], TorchEvaluator], frozen: bool
) -> None:
    quantizer = TTQQuantizer(network, [{"op_types": ["Linear"]}], make_evaluator(network))
    if frozen:
        quantizer.freeze()
    before = quantizer.targets[0].codebook.codewords.clone()
    quantizer.compress(3, None)
    assert torch.equal(quantizer.targets[0].codebook.codewords, before) == frozen
