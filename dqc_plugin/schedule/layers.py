"""Which layers of a network a stage takes, and the options that each of them gets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from dqc_plugin.errors import did_you_mean
from dqc_plugin.schedule.problems import Problems
from dqc_plugin.schedule.read_layers import PATTERN
from dqc_plugin.schedule.stages import CompressStage

_SHOWN_LAYERS = 8


@dataclass(frozen=True)
class Layer:
    """A convolution or linear layer; its weight is what is pruned and quantized."""

    name: str
    module: nn.Module

    @property
    def type(self) -> str:
        return type(self.module).__name__

    @property
    def weight(self) -> Tensor:
        return self.module.weight  # type: ignore[return-value]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.weight.shape)


def compressible_layers(model: nn.Module) -> list[Layer]:
    """All convolutions (transposed ones too) and linear layers in the model's order; a shared module once."""
    return [Layer(name, module) for name, module in model.named_modules() if isinstance(module, (_ConvNd, nn.Linear))]


def stage_settings(stage: CompressStage, model: nn.Module) -> dict[str, BaseModel]:
    """The options of each layer that a pruner or quantizer stage takes, by layer name.

    A layer gets the rule of its exact name, else of the ``re:`` pattern that its whole name matches, else of its type,
    else the stage's options. Raises ScheduleError for a selector that matches no layer, for two patterns that
    disagree about one, for a pruned layer without a sparsity and for a stage that leaves out every layer.
    """
    problems = Problems(stage.origin)
    settings = find_settings(stage, compressible_layers(model), problems)
    problems.raise_if_any()
    return settings


def find_settings(stage: CompressStage, layers: Sequence[Layer], problems: Problems) -> dict[str, BaseModel]:
    """As :func:`stage_settings`, but adds the problems."""
    _check_selectors(stage, layers, problems)
    chosen = {layer.name: _choose(stage, layer, problems) for layer in layers}
    settings = {name: options for name, options in chosen.items() if options is not None}
    if not layers:
        problems.add(stage.origin.root, "the model has no convolution or linear layer")
    elif not settings:
        problems.add(stage.origin.root, "every layer is left out; take the stage away")
    bare = [name for name, options in settings.items() if getattr(options, "sparsity", 0.0) is None]
    if bare:
        problems.add((*stage.origin.root, "sparsity"), f"is required: no rule gives one to {_some(bare)}")
    return settings


def _choose(stage: CompressStage, layer: Layer, problems: Problems) -> BaseModel | None:
    for fits in _PRECEDENCE:
        selectors = [selector for selector in stage.layers if fits(selector, layer)]
        for other in selectors[1:]:
            if stage.layers[other] != stage.layers[selectors[0]]:
                text = f"and {selectors[0]!r} disagree about layer {layer.name!r}; narrow one or name the layer"
                problems.add((*stage.origin.root, "layers", other), text)
        if selectors:
            return stage.layers[selectors[0]]
    return stage.options


def _by_name(selector: str, layer: Layer) -> bool:
    return selector == layer.name


def _by_pattern(selector: str, layer: Layer) -> bool:
    return selector.startswith(PATTERN) and re.fullmatch(selector.removeprefix(PATTERN), layer.name) is not None


def _by_type(selector: str, layer: Layer) -> bool:
    return selector == layer.type


_PRECEDENCE = (_by_name, _by_pattern, _by_type)


def _check_selectors(stage: CompressStage, layers: Sequence[Layer], problems: Problems) -> None:
    for selector in stage.layers:
        if not any(fits(selector, layer) for fits in _PRECEDENCE for layer in layers):
            text = f"matches no layer{_nearest(selector, layers)}"
            problems.add((*stage.origin.root, "layers", selector), text)


def _nearest(selector: str, layers: Sequence[Layer]) -> str:
    """The nearest layer name or type; for a pattern also that it must match whole names."""
    name, is_pattern = selector.removeprefix(PATTERN), selector.startswith(PATTERN)
    names = [layer.name for layer in layers]
    hint = did_you_mean(name, names if is_pattern else {*names, *(layer.type for layer in layers)})
    if "did you mean" not in hint:
        hint = f"; layers: {_some(names)}"
    return f" (it must match the whole name){hint}" if is_pattern else hint


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN_LAYERS} more" if len(names) > _SHOWN_LAYERS else ""
    return ", ".join(names[:_SHOWN_LAYERS]) + more
