"""Parameters of the network itself, such as a ViT's class token, beside a quantizer that trains some of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from nni.compression.utils import TorchEvaluator
from torch import Tensor, nn

from dqc_plugin.quantizers.ttq import TTQQuantizer
from dqc_plugin.quantizers.weight_sharing import WeightSharingQuantizer


class WithToken(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(64))
        self.head = nn.Linear(64, 10)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(images.flatten(1) + self.token)  # type: ignore[no-any-return]


@pytest.mark.parametrize(("kind", "dtype"), [(WeightSharingQuantizer, "int3"), (TTQQuantizer, "int2")])
def test_a_class_token_is_no_obstacle(
    kind: Any, dtype: str, make_evaluator: Callable[[nn.Module], TorchEvaluator]
) -> None:
    torch.manual_seed(0)
    model = WithToken()
    quantizer = kind(model, [{"op_types": ["Linear"], "quant_dtype": dtype}], make_evaluator(model))
    [target] = quantizer.targets
    before = target.codebook.codewords.clone()
    quantizer.compress(3, None)
    assert not torch.equal(target.codebook.codewords, before)
    assert bool(model.token.any())
