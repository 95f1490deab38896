"""The loss of a stage: that of the outputs, and terms on the weights as the forward pass sees them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from dqc_plugin.schedule import compressible_layers
from dqc_plugin.schedule.settings import Loss

OutputLoss = Callable[[Tensor, Tensor], Tensor]
Distillation = Callable[[Tensor, Tensor, Tensor], Tensor]  # of loss, inputs, outputs
Batch = tuple[Tensor, Tensor]


def make_training_step(
    settings: Loss, own_loss: OutputLoss | None, distillation: Distillation | None = None
) -> Callable[[Batch, nn.Module], Tensor]:
    """``step(batch, model) -> loss``; the user's loss takes the place of the cross entropy, not of the terms.

    distillation: what a teacher adds to the loss of the labels; the terms on the weights are not its matter.
    """
    of_outputs = own_loss or nn.CrossEntropyLoss(label_smoothing=settings.label_smoothing)

    def step(batch: Batch, model: nn.Module) -> Tensor:
        inputs, labels = batch
        outputs = model(inputs)
        loss: Tensor = of_outputs(outputs, labels)
        if distillation is not None:
            loss = distillation(loss, inputs, outputs)
        return loss + _penalty(model, settings) if settings.l1 or settings.l2 else loss

    return step


def _penalty(model: nn.Module, settings: Loss) -> Tensor:
    """l1 sum|w| + l2/2 sum w^2 over the weights of convolutions and linear layers.

    After a forward pass NNI's wrapped modules hold the quantized weights there, so that the terms act on these, as in
    the paper; the gradient reaches the latent weights through the straight-through estimator.
    """
    weights = [layer.weight for layer in compressible_layers(model)]
    terms = [settings.l1 * w.abs().sum() + settings.l2 / 2 * w.square().sum() for w in weights]
    return torch.stack(terms).sum()
