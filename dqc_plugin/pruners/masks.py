"""Masks that are given, not found: a pruner that holds them fixed for what follows."""

from __future__ import annotations

import torch
from nni.compression.base.compressor import Pruner
from nni.compression.pruning import LevelPruner
from nni.compression.utils import Evaluator
from torch import Tensor, nn

Masks = dict[str, dict[str, Tensor]]


def hold_masks(model: nn.Module, masks: Masks, evaluator: Evaluator | None = None) -> Pruner:
    """A pruner on the model with these masks, ``{layer: {"weight": mask}}``, that will not change them."""
    config_list = [{"op_names": [layer], "target_names": [*targets]} for layer, targets in masks.items()]
    holder = LevelPruner(model, config_list, evaluator)
    holder.update_masks(masks)
    return holder


def nonzero_masks(pruner: Pruner) -> Masks:
    """The masks of a pruner, of the parameters that it has pruned."""
    return {
        layer: {target: mask.detach().clone() for target, mask in targets.items() if mask is not None}
        for layer, targets in pruner.get_masks().items()
        if any(mask is not None and bool((mask == 0).any()) for mask in targets.values())
    }


@torch.no_grad()
def zero_pruned(model: nn.Module, masks: Masks) -> None:
    """Set what the masks prune to zero again, in a plain or wrapped model."""
    for layer, targets in masks.items():
        module = model.get_submodule(layer)
        for target, mask in targets.items():
            getattr(getattr(module, "_nni_wrapper", module), target).masked_fill_(mask == 0, 0.0)


def combine(earlier: Masks, later: Masks) -> Masks:
    """What both keep."""
    return earlier | {
        layer: {target: mask * earlier.get(layer, {}).get(target, 1) for target, mask in targets.items()}
        for layer, targets in later.items()
    }
