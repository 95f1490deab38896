"""Parameters of the network itself, such as a ViT's class token, beside a quantizer that trains some of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from nni.compression.utils import TorchEvaluator
from torch import nn

from dqc_plugin.quantizers.ttq import TTQQuantizer
from dqc_plugin.quantizers.weight_sharing import WeightSharingQuantizer


@pytest.mark.parametrize(("kind", "dtype"), [(WeightSharingQuantizer, "int3"), (TTQQuantizer, "int2")])
def test_a_class_token_is_no_obstacle(
    kind: Any, dtype: str, with_token: Any, make_evaluator: Callable[[nn.Module], TorchEvaluator]
) -> None:
    quantizer = kind(with_token, [{"op_types": ["Linear"], "quant_dtype": dtype}], make_evaluator(with_token))
    [target] = quantizer.targets
    before = target.codebook.codewords.clone()
    quantizer.compress(3, None)
    assert not torch.equal(target.codebook.codewords, before)
    assert bool(with_token.token.any())
