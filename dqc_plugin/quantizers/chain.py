"""What must happen to an NNI compressor before another one follows it."""

from __future__ import annotations

import torch
from nni.compression.base.compressor import Compressor, Pruner
from nni.compression.base.target_space import PruningTargetSpace
from nni.compression.base.wrapper import ModuleWrapper
from torch import nn


def has_pruned(compressor: Compressor) -> bool:
    """True for a pruner whose masks hold zeros already: its work is done, its masks are to stay as they are."""
    return isinstance(compressor, Pruner) and any(
        space.mask is not None and bool((space.mask == 0).any())
        for spaces in compressor._target_spaces.values()
        for space in spaces.values()
    )


@torch.no_grad()
def settle(compressor: Compressor) -> None:
    """Make the wrappers of finished pruners ready for what follows.

    Weights that were trained after an unwrap go back into the wrappers (NNI would take the old ones again), and what
    a movement or slim pruner trained beside the weights is folded into mask and weights.
    """
    for wrapper in compressor._module_wrappers.values():
        if not compressor._is_wrapped:
            _take_trained_weights(wrapper)
    for finished in filter(has_pruned, compressor.fused_compressors):
        for spaces in finished._target_spaces.values():
            for space in spaces.values():
                _fold_trained_scores(space)


def _take_trained_weights(wrapper: ModuleWrapper) -> None:
    for name in {*wrapper.pruning_target_spaces, *wrapper.quantization_target_spaces}:
        trained = getattr(wrapper.module, name, None)
        if isinstance(trained, nn.Parameter):
            getattr(wrapper, name).copy_(trained)


def _fold_trained_scores(space: PruningTargetSpace) -> None:
    wrapper, name = space._wrapper, space._target_name
    factor = getattr(wrapper, f"{name}_slim_factor", None)
    if factor is not None:
        if space._scaler is not None:
            factor = space._scaler.expand(factor, space.shape, keepdim=True, full_expand=False)
        getattr(wrapper, name).mul_(factor)
    for trained in (f"{name}_slim_factor", f"{name}_mvp_score"):
        if hasattr(wrapper, trained):
            delattr(wrapper, trained)
    method = space.apply_method
    space.apply_method = method.removeprefix("movement_").removeprefix("slim_")
