"""Which layers of a network a stage takes, and the options that each of them gets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pydantic import BaseModel
from torch import nn

from dqc_plugin.errors import did_you_mean
from dqc_plugin.schedule.compressible import Layer, compressible_layers, recurrent_layers, tied_layers
from dqc_plugin.schedule.problems import Problems
from dqc_plugin.schedule.read_layers import PATTERN
from dqc_plugin.schedule.stages import CompressStage

_SHOWN_LAYERS = 8
Parameter = tuple[str, str]


def stage_settings(stage: CompressStage, model: nn.Module) -> dict[Parameter, BaseModel]:
    """The options of each parameter that a pruner or quantizer stage takes, by names of module and parameter.

    A layer gets the rule of its exact name, else of the ``re:`` pattern that its whole name matches, else of its type,
    else the stage's options. Raises ScheduleError for a selector that matches no layer, for two patterns that
    disagree about one, for a pruned layer without a sparsity, for a stage that leaves out every layer, and for layers
    that share one weight.
    """
    problems = Problems(stage.origin)
    settings = find_settings(stage, model, problems)
    problems.raise_if_any()
    return {(layer.module_name, layer.parameter): settings[layer.name] for layer in _layers_in(settings, model)}


def find_settings(stage: CompressStage, model: nn.Module, problems: Problems) -> dict[str, BaseModel]:
    """The options of each layer by its name, as :func:`stage_settings` chooses them, but adds the problems."""
    layers = compressible_layers(model)
    _check_selectors(stage, layers, recurrent_layers(model), problems)
    chosen = {layer.name: _choose(stage, layer, problems) for layer in layers}
    settings = {name: options for name, options in chosen.items() if options is not None}
    if not layers:
        problems.add(
            stage.origin.root, "the model has no layer that can be compressed (convolution, linear, embedding)"
        )
    elif not settings:
        problems.add(stage.origin.root, "every layer is left out; take the stage away")
    bare = [name for name, options in settings.items() if getattr(options, "sparsity", 0.0) is None]
    if bare:
        problems.add((*stage.origin.root, "sparsity"), f"is required: no rule gives one to {_some(bare)}")
    _check_ties(stage, model, settings, problems)
    return settings


def select(selector: str, layers: Sequence[Layer]) -> list[Layer]:
    """The layers that a selector matches: by name, by ``re:`` pattern of the whole name, or by type."""
    return [layer for layer in layers if any(fits(selector, layer) for fits in _PRECEDENCE)]


def _layers_in(settings: Mapping[str, BaseModel], model: nn.Module) -> list[Layer]:
    return [layer for layer in compressible_layers(model) if layer.name in settings]


def _check_ties(stage: CompressStage, model: nn.Module, settings: Mapping[str, BaseModel], problems: Problems) -> None:
    for names in tied_layers(model):
        if any(name in settings for name in names):
            skips = ", ".join(f"{name}: skip" for name in names)
            text = f"{' and '.join(names)} share one weight, which cannot have two codebooks or masks: write {skips}"
            problems.add((*stage.origin.root, "layers"), text)


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


def _check_selectors(
    stage: CompressStage, layers: Sequence[Layer], recurrent: Mapping[str, nn.Module], problems: Problems
) -> None:
    for selector in stage.layers:
        if select(selector, layers):
            continue
        kinds = {
            type(module).__name__ for name, module in recurrent.items() if selector in (name, type(module).__name__)
        }
        why = f": weights of {kinds.pop()} stay floats" if kinds else _nearest(selector, layers)
        problems.add((*stage.origin.root, "layers", selector), f"matches no layer{why}")


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
