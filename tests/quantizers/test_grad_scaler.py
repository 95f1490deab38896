"""A training loop with autocast and GradScaler, through NNI's evaluator."""

from __future__ import annotations

from typing import Any

import nni
import pytest
import torch
from nni.compression.utils import TorchEvaluator
from torch import Tensor, nn

from dqc_plugin import DQCQuantizer


@pytest.mark.parametrize(("scale", "steps_taken"), [(2.0**10, 4), (2.0**127, 1)])  # the larger one overflows at first
def test_codebooks_follow_the_steps_that_the_scaler_lets_through(
    scale: float, steps_taken: int, network: nn.Sequential, batch: tuple[Tensor, Tensor]
) -> None:
    def training_func(model: nn.Module, optimizer: Any, step: Any, *_: Any) -> None:
        scaler = torch.amp.GradScaler("cpu", init_scale=scale, backoff_factor=2.0**-40)
        for _number in range(4):
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.float16):
                loss = step(batch, model)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()

    optimizer = nni.trace(torch.optim.SGD)(network.parameters(), lr=0.05)
    evaluator = TorchEvaluator(training_func, optimizer, lambda b, m: nn.functional.cross_entropy(m(b[0]), b[1]))
    quantizer = DQCQuantizer(network, [{"op_types": ["Conv2d", "Linear"], "quant_dtype": "int4"}], evaluator)
    quantizer.compress(4, None)
    for target in quantizer.targets:
        assert target.step == steps_taken
        before = target.codebook.scale.clone()
        target.refresh()
        assert torch.equal(target.codebook.scale, before)
        assert bool(torch.isfinite(target.latent).all())
