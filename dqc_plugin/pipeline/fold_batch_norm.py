"""Batch norm with less to store: its statistics, and the bias before it, moved into its own scale and shift."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd

_RELATIVE_ERROR = 1e-3


@torch.no_grad()
def fold_batch_norm(
    weights: Mapping[str, Tensor], model: nn.Module, inputs: Tensor, fixed: Collection[str] = ()
) -> dict[str, Tensor]:
    """The weights, with running means 0, variances 1 and biases before batch norm 0; outputs stay, but for rounding.

    Of y = w (x + b - m) / sqrt(v + e) + s two numbers a channel count: w' = w sqrt(1 + e) / sqrt(v + e) and
    s' = s + w (b - m) / sqrt(v + e). A network to train on should keep all: in training, w' scales otherwise than w.

    model: with these weights, on its device; it is changed.
    inputs: a batch for it; a bias moves only where the outputs for these stay.
    fixed: names of parameters that stay as they are, because a codebook has them.
    """
    model.eval()
    norms: list[Any] = [module for name, module in model.named_modules() if _is_foldable(name, module, fixed)]
    for norm in norms:
        _fold_statistics(norm)
    outputs = model(inputs)
    for name, norm in _fed_by(model, norms, inputs):
        if f"{name}.bias" not in fixed:
            _move_bias(model.get_submodule(name), norm, lambda: _differs(model(inputs), outputs))
    folded = {name: value.to(weights[name].device) for name, value in model.state_dict().items()}
    return {name: value if torch.equal(value, folded[name]) else folded[name] for name, value in weights.items()}


def _is_foldable(name: str, module: nn.Module, fixed: Collection[str]) -> bool:
    has_all = isinstance(module, _NormBase) and module.affine and module.running_mean is not None
    return has_all and not {f"{name}.weight", f"{name}.bias"} & set(fixed)


def _fold_statistics(norm: Any) -> None:
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    norm.bias -= norm.running_mean * scale
    norm.weight.copy_(scale * (1 + norm.eps) ** 0.5)
    norm.running_mean.zero_()
    norm.running_var.fill_(1.0)
    norm.num_batches_tracked.zero_()


def _fed_by(model: nn.Module, norms: list[Any], inputs: Tensor) -> list[tuple[str, Any]]:
    """The norms whose input is what a layer with a bias gave, and that layer's name."""
    given: dict[int, tuple[Tensor, str]] = {}  # holding the tensors, so that no other gets one's id
    found: list[tuple[str, Any]] = []

    def note_output(name: str, _layer: nn.Module, _inputs: Any, output: Tensor) -> None:
        given[id(output)] = output, name

    def note_input(norm: Any, taken: tuple[Any, ...]) -> None:
        if id(taken[0]) in given:
            found.append((given[id(taken[0])][1], norm))

    hooks = [norm.register_forward_pre_hook(note_input) for norm in norms]
    for name, module in model.named_modules():
        if isinstance(module, (nn.Linear, _ConvNd)) and module.bias is not None:
            hooks.append(module.register_forward_hook(partial(note_output, name)))
    model(inputs)
    for hook in hooks:
        hook.remove()
    return found


def _differs(found: Tensor, outputs: Tensor) -> bool:
    return not bool((found - outputs).abs().max() <= _RELATIVE_ERROR * outputs.abs().max())  # so that NaN differs


def _move_bias(layer: Any, norm: Any, outputs_differ: Callable[[], bool]) -> None:
    """Unless the layer's output goes elsewhere too, or one of the two is used twice: then the outputs would differ."""
    if layer.bias.shape != norm.bias.shape:
        return
    bias, shift = layer.bias.clone(), norm.bias.clone()
    norm.bias += bias * norm.weight / (1 + norm.eps) ** 0.5
    layer.bias.zero_()
    if outputs_differ():
        layer.bias.copy_(bias)
        norm.bias.copy_(shift)
